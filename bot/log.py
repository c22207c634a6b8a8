"""What may be logged: named events with allow-listed fields, as JSON lines on standard error.

No user text, id, address or image byte can get in: a field outside the list is an error in any
test that meets it, and values are numbers, booleans or names from closed lists.
"""

import json
import logging
import sys
import time
from typing import Final, Literal

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

FIELDS: Final = frozenset(
    {"port", "channel", "attempt", "error", "count", "reason", "where", "partner"}
)


def log(event: Event, **fields: int | str) -> None:
    """Write one event. `error` is a class name, `where` a file and line of this package."""
    if not fields.keys() <= FIELDS:
        raise ValueError("a field outside the allow-list")
    print(json.dumps({"at": int(time.time()), "event": event, **fields}), file=sys.stderr)  # noqa: T201  # the log itself


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
