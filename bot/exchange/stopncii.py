"""StopNCII's wire protocol as its unmodified clients speak it; pure, so that every rule is a test.

Shapes are those of threatexchange 1.2.17, `exchanges/clients/stopncii/api.py`. What such a client
needs of a server: `nextSetTimestamp` never goes back, records are whole, hex is lower case.
BadRequest is the only error; it says what was wrong and quotes nothing.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from bot.cases.status import FeedbackValue
from bot.store import Page, Record, Submitted

MAX_PAGE: Final = 800
MAX_BODY: Final = 1_000_000
MAX_FEEDBACKS: Final = 10_000
MAX_TAGS: Final = 16
MAX_TAG: Final = 64
OWN_NAME: Final = "sala"
"""The source of the word added to a withdrawn record; no partner bears this name."""

Reason = Literal[
    "startTimestamp", "pageSize", "nextPageToken", "json", "count", "hashFeedbacks", "hashRecords",
    "too many", "hashValue", "signalType", "feedbackValue", "tags", "CSPFeedbacks",
]  # fmt: skip
Word = tuple[str, FeedbackValue, tuple[str, ...]]
"""(hash, feedback, tags), as `Registry.give_feedback` takes it."""

Turned = Callable[[bytes], bytes]
"""How a token is sealed and opened; opening raises ValueError. A place in the feed counts the
changes of every list, so that a partner must not be able to read it."""

Signal = Literal["ImagePDQ", "VideoMD5"]
_SIGNALS: Final[dict[Signal, re.Pattern[str]]] = {
    "ImagePDQ": re.compile(r"[0-9a-f]{64}"), "VideoMD5": re.compile(r"[0-9a-f]{32}"),
}  # fmt: skip
_VALUES: Final[dict[str, FeedbackValue]] = {value: value for value in get_args(FeedbackValue)}
_NUMBER: Final = re.compile(r"(-?[0-9]{1,13})(?:\.[0-9]{0,9})?")
_TOKEN: Final = re.compile(rb"1\.([0-9]{1,18})\.([0-9]{1,13})\.([0-9]{1,13})")
_HASH: Final = re.compile(r"[0-9a-f]{64}|[0-9a-f]{32}")


class BadRequest(ValueError):
    """A request that is not of the protocol; `reason` names the part."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True)
class Query:
    """What a FetchHashes asks: from `start` (unix s), after the cursor, `size` records.

    `seen` is the newest timestamp this walk of pages has been given.
    """

    start: int
    size: int
    after: int | None
    seen: int


@dataclass(frozen=True, slots=True)
class Feedback:
    """A SubmitFeedback: how many entries came, and those that can name a hash."""

    received: int
    words: tuple[Word, ...] = field(repr=False)


def read_query(query: Mapping[str, str], opened: Turned) -> Query:
    """The query of a FetchHashes; a token continues its own walk whatever the start. BadRequest."""
    start = max(0, _number(query.get("startTimestamp"), 0, "startTimestamp"))
    size = min(max(1, _number(query.get("pageSize"), MAX_PAGE, "pageSize")), MAX_PAGE)
    if token := query.get("nextPageToken"):
        after, start, seen = _read_token(token, opened)
        return Query(start, size, after, seen)
    return Query(start, size, None, start)


def answer(page: Page, query: Query, sealed: Turned) -> bytes:
    """The page as FetchHashes answers it, in JSON.

    It is written by hand: of 800 records a general encoder costs more than the database does.
    """
    seen = max(page.checkpoint, query.seen)
    place = None if page.cursor is None else (page.cursor, query.start, seen)
    token = "null" if place is None else f'"{_token(place, sealed)}"'
    records = ",".join([_record(record) for record in page.records])
    return (
        f'{{"count":{len(page.records)},"nextPageToken":{token},"nextSetTimestamp":{seen},'
        f'"hasMoreRecords":{"false" if page.cursor is None else "true"},'
        f'"hashRecords":[{records}]}}'
    ).encode()


def read_feedback(body: bytes) -> Feedback:
    """The body of a SubmitFeedback, or BadRequest.

    A `count` that is missing or wrong is forgiven. An entry that could be no hash of a list counts
    as received and goes no further, so that the answer tells nobody what is listed.
    """
    words = [_word(entry) for entry in _entries(body, "hashFeedbacks")]
    return Feedback(len(words), tuple(word for word in words if _HASH.fullmatch(word[0])))


def read_hashes(body: bytes) -> tuple[int, tuple[Submitted, ...]]:
    """The body of a SubmitHashes: how many came, and those that can be listed; or BadRequest.

    Of several words on one hash the last counts; without any it is `Blocked`, as the client says.
    """
    read = [_submitted(entry) for entry in _entries(body, "hashRecords")]
    return len(read), tuple(one for one in read if one is not None)


def read_signal(name: str) -> Signal | None:
    """A signal type we list, also as the `str()` of the client's enum; None for any other."""
    plain = name.removeprefix("StopNCIISignalType.")
    return next((signal for signal in _SIGNALS if signal == plain), None)


def _number(typed: str | None, missing: int, reason: Reason) -> int:
    if not typed:
        return missing
    if found := _NUMBER.fullmatch(typed):
        return int(found[1])
    raise BadRequest(reason)


def _token(place: tuple[int, int, int], sealed: Turned) -> str:
    cursor, start, seen = place
    return urlsafe_b64encode(sealed(f"1.{cursor:018}.{start}.{seen}".encode())).decode().rstrip("=")


def _read_token(token: str, opened: Turned) -> tuple[int, int, int]:
    try:
        plain = opened(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError:
        raise BadRequest("nextPageToken") from None
    if found := _TOKEN.fullmatch(plain):
        return int(found[1]), int(found[2]), int(found[3])
    raise BadRequest("nextPageToken")


def _record(record: Record) -> str:
    """Names and tags are people's own words and are encoded; all else is of closed lists."""
    said = [_feedback(*word) for word in record.feedback]
    if record.status in {"Withdrawn", "Deleted"}:
        # clients up to 1.2.17 overlook the status, but show this
        said.append(_feedback(OWN_NAME, "NotBlocked", ("withdrawn",)))
    cases = ",".join([f'"{id}":"{status}"' for id, status in record.cases])
    return (
        f'{{"lastModtimestamp":{record.modified},"signalType":"{record.signal}",'
        f'"hashValue":"{record.value.lower()}","hashStatus":"{record.status}",'
        f'"caseNumbers":{{{cases}}},"CSPFeedbacks":[{",".join(said)}]}}'
    )


def _feedback(source: str, value: FeedbackValue, tags: tuple[str, ...]) -> str:
    return json.dumps({"source": source, "feedbackValue": value, "tags": tags})


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        posted = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("json") from None
    if not isinstance(posted, dict):
        raise BadRequest("json")
    return posted


def _entries(body: bytes, name: Literal["hashFeedbacks", "hashRecords"]) -> list[object]:
    posted = _object(body)
    count, entries = posted.get("count", 0), posted.get(name)
    if type(count) is not int:
        raise BadRequest("count")
    if not isinstance(entries, list):
        raise BadRequest(name)
    if len(entries) > MAX_FEEDBACKS:
        raise BadRequest("too many")
    return entries


def _word(entry: object) -> Word:
    if not isinstance(entry, dict):
        raise BadRequest("hashFeedbacks")
    value, signal = _named(entry)
    said, tags = _said(entry)
    return value if read_signal(signal) else "", said, tags


def _submitted(entry: object) -> Submitted | None:
    """None for what is of no list: another signal type, or no hash of its type."""
    if not isinstance(entry, dict):
        raise BadRequest("hashRecords")
    value, name = _named(entry)
    words = entry.get("CSPFeedbacks") or [{"feedbackValue": "Blocked"}]
    if not isinstance(words, list) or not all(isinstance(word, dict) for word in words):
        raise BadRequest("CSPFeedbacks")
    said, tags = [_said(word) for word in words][-1]
    signal = read_signal(name)
    if signal is None or not _SIGNALS[signal].fullmatch(value):
        return None
    return Submitted(signal, value, said, tags)


def _named(entry: Mapping[str, Any]) -> tuple[str, str]:
    """The hash in lower case, and its signal type, which clients leave out of a feedback."""
    value, signal = entry.get("hashValue"), entry.get("signalType", "ImagePDQ")
    if not isinstance(value, str):
        raise BadRequest("hashValue")
    if not isinstance(signal, str):
        raise BadRequest("signalType")
    return value.lower(), signal


def _said(entry: Mapping[str, Any]) -> tuple[FeedbackValue, tuple[str, ...]]:
    said = entry.get("feedbackValue")
    if not isinstance(said, str) or said not in _VALUES:
        raise BadRequest("feedbackValue")
    return _VALUES[said], _tags(entry.get("tags"))


def _tags(posted: object) -> tuple[str, ...]:
    """Sorted, because the client sends a set in any order and the same word twice is one word."""
    if posted is None:
        return ()
    if not isinstance(posted, list) or not all(isinstance(tag, str) for tag in posted):
        raise BadRequest("tags")
    tags = {tag.strip() for tag in posted}
    return tuple(sorted(t for t in tags if 0 < len(t) <= MAX_TAG and t.isprintable())[:MAX_TAGS])
