"""Counters for whoever runs Sala: no ids, no free text, and nobody to be found by a small number.

What machines do is told exactly. What people do is told in whole fives, so that neither a number
nor its rise says when one person wrote; what would say who they are is not counted at all
(docs/deploy.md lists both).
"""

from collections.abc import Iterable
from itertools import chain
from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, generate_latest
from prometheus_client.process_collector import ProcessCollector

STEP: Final = 5
"""A smaller number could be somebody."""

Door = Literal["line", "telegram", "browser", "terminal", "other"]
"""`other`: lists above Sala's own."""
Outcome = Literal["sent", "done", "held", "later", "failed", "gone"]
"""What came of an effect: said; done; held until the person writes; not now (the platform said
when); failed, tried again; given up, since the person cannot be reached."""
Jailed = Literal["hashed", "refused", "broken"]

TOLD: Final = frozenset({
    "effect_failed", "encoder_failed", "encoder_missing", "jail_broken", "poll_failed",
    "request_failed", "store_failed", "task_ended", "turn_parked",
})  # fmt: skip
"""Events of the log that are a machine's fault; of the others some are a person's doing."""
_REFUSALS: Final = (400, 401, 403, 413, 429, 503)

_arrived = Counter(
    "sala_messages_received", "Messages kept for a turn, once each", ["door"], registry=None
)
_effects = Counter(
    "sala_effects", "What came of effects, each try counted", ["door", "outcome"], registry=None
)
_jailed = Counter("sala_jail", "Pictures and videos put into the jail", ["outcome"], registry=None)
_told = Counter("sala_faults", "Faults by their name in the log", ["event"], registry=None)
_refused = Counter(
    "sala_exchange_refused", "Partners' requests that were refused", ["status"], registry=None
)

TURNS: Final = Counter("sala_turns", "Turns of conversations that were committed", registry=None)
REGISTERED: Final = Counter("sala_registrations", "Posts that registered hashes", registry=None)
PAGES: Final = Counter("sala_exchange_pages", "Pages of the feed given to partners", registry=None)
COMMITS: Final = Histogram(
    "sala_store_commit_seconds",
    "Seconds from the beginning of a group of writes until it was durable",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=None,
)

# Each label's child is looked up once, here.
ARRIVED: Final = {door: _arrived.labels(door) for door in get_args(Door)}
EFFECTS: Final = {
    door: {outcome: _effects.labels(door, outcome) for outcome in get_args(Outcome)}
    for door in get_args(Door)
}
JAILED: Final = {outcome: _jailed.labels(outcome) for outcome in get_args(Jailed)}
FAULTS: Final = {event: _told.labels(event) for event in sorted(TOLD)}
REFUSED: Final = {status: _refused.labels(str(status)) for status in _REFUSALS}

_PEOPLES: Final = (_arrived, TURNS, _effects, _jailed, REGISTERED, COMMITS)
"""Each commit is somebody's message, or as good as."""
_MACHINES: Final = (_told, _refused, PAGES)
_PROCESS: Final = frozenset({"process_resident_memory_bytes", "process_start_time_seconds"})
_LINES: Final = frozenset({"process_open_fds", "process_max_fds"})
"""Every open page is one. (Processor time would rise with every single message: it is left out.)"""
_LEFT_OUT: Final = ("_created", "_sum")
"""When counting began, and what rises by a little with each commit."""


def arrived(channel: str) -> None:
    """A message of a door was kept for its turn."""
    ARRIVED[door_of(channel)].inc()


def effect(channel: str, outcome: Outcome, count: int = 1) -> None:
    """So many effects of a channel came to this."""
    EFFECTS[door_of(channel)][outcome].inc(count)


def fault(event: str) -> None:
    """An event stands in the log."""
    if event in FAULTS:
        FAULTS[event].inc()


def door_of(channel: str) -> Door:
    """The channel's label."""
    match channel:
        case "line" | "telegram" | "browser" | "terminal":
            return channel
        case _:
            return "other"


def in_steps(value: float) -> float:
    """A number brought down to a whole five."""
    return value // STEP * STEP


def told(now: Iterable[Metric] = ()) -> bytes:
    """All that is counted, and what is so `now`, as Prometheus reads it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told([*_families(), *now]))
    return generate_latest(registry)


class _Told:
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _families() -> Iterable[Metric]:
    for family in chain.from_iterable(one.collect() for one in _PEOPLES):
        yield _in_steps(family)
    for family in chain.from_iterable(one.collect() for one in _MACHINES):
        yield _plain(family)
    for family in ProcessCollector(registry=None).collect():
        if family.name in _LINES:
            yield _in_steps(family)
        elif family.name in _PROCESS:
            yield _plain(family)


def _in_steps(family: Metric) -> Metric:
    plain = _plain(family)
    plain.samples = [one._replace(value=in_steps(one.value)) for one in plain.samples]
    return plain


def _plain(family: Metric) -> Metric:
    family.samples = [one for one in family.samples if not one.name.endswith(_LEFT_OUT)]
    return family
