"""What may be logged: named events with allow-listed fields, as JSON lines on standard error.

No user text, id, address or image byte can get in: an event or a field outside the lists is an
error in any test that meets it. A value is a number or a name; of anything else `?` is written.
"""

import json
import logging
import re
import sys
import time
from typing import Final, Literal, get_args

from bot import metrics

Event = Literal[
    "started",
    "stopped",
    "turn_parked",
    "send_failed",
    "store_failed",
    "request_failed",
    "task_ended",
    "poll_failed",
    "effect_failed",
    "jail_broken",
    "sweep",
    "keys_made",
    "encoder_missing",
    "encoder_failed",
    "post_refused",
    "partner_read",
    "partner_fed_back",
]

EVENTS: Final = frozenset(get_args(Event))
FIELDS: Final = frozenset(
    {"port", "channel", "attempt", "error", "count", "reason", "where", "partner"}
)

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*(/[a-z_]+)*(\.py:[0-9]+)?|\?", re.ASCII)
"""A door's, a class's, or a file's name with its line. A sentence, an address, a number: none."""
LONGEST: Final = 60


def log(event: Event, **fields: int | str) -> None:
    """Write one event. `error` is a class name, `where` a file and line of this package."""
    if event not in EVENTS or not fields.keys() <= FIELDS:
        raise ValueError("outside the allow-list")
    said = {name: _shown(value) for name, value in fields.items()}
    print(json.dumps({"at": int(time.time()), "event": event, **said}), file=sys.stderr)  # noqa: T201  # the log itself
    metrics.fault(event)


def _shown(value: int | str) -> int | str:
    if isinstance(value, str) and not (len(value) <= LONGEST and NAME.fullmatch(value)):
        return "?"
    return value


def where(error: BaseException) -> dict[str, int | str]:
    """What may be said of an exception: its class, and where in this package it rose."""
    place, trace = "?", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "/bot/" in code.co_filename:
            place = f"{code.co_filename.rsplit('/bot/', 1)[1]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return {"error": type(error).__name__, "where": place}


class _Plain(logging.Handler):
    """What a library has to say, without its words: they could hold anything."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        log("request_failed", **(where(error) if error else {"error": record.levelname}))


def quieten(*names: str) -> None:
    """From now on these libraries' warnings and errors are events like ours."""
    for name in names:
        logger = logging.getLogger(name)
        logger.handlers = [_Plain()]
        logger.setLevel(logging.WARNING)
        logger.propagate = False


def quieten_all() -> None:
    """The same for every library that says something, and for Python's own warnings."""
    logging.root.handlers = [_Plain()]
    logging.captureWarnings(capture=True)
