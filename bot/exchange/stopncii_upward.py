"""Passing adults' codes on to StopNCII.org (or whoever speaks its protocol), as threatexchange
1.2.17 does: SubmitHashes up, FetchHashes for what platforms answered."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, get_args
from urllib.parse import urlencode

from bot.cases.status import FeedbackValue
from bot.exchange.stopncii import MAX_PAGE, read_signal
from bot.exchange.upward import SKEW, AboveWord, BadAnswer, Heard, Request, named
from bot.store.upward import Raisable

_GONE: Final = ("Withdrawn", "Deleted")
_VALUES: Final[dict[str, FeedbackValue]] = {value: value for value in get_args(FeedbackValue)}


@dataclass(frozen=True, slots=True)
class StopNcii:
    """Three keys and an address, from the agreement with StopNCII.org."""

    subscription: str = field(repr=False)
    fetch: str = field(repr=False)
    submit: str = field(repr=False)
    address: str
    name: Literal["stopncii"] = "stopncii"

    def key(self, one: Raisable) -> str:
        """The hash itself."""
        return one.value

    def raises(self, codes: Sequence[Raisable], now: datetime) -> list[Request]:
        """One SubmitHashes for all. Sala has looked at no picture, so its word on a code is `None`;
        `Withdrawn` takes back its own."""
        records = [_record(one, int(now.timestamp())) for one in codes]
        body = json.dumps({"count": len(records), "hashRecords": records}).encode()
        headers = self._headers(self.submit) | {"Content-Type": "application/json"}
        return [Request(f"{self.address}/SubmitHashes", headers, body)]

    def first(self, now: datetime) -> str:
        """Unix seconds, some before now."""
        return str(int((now - SKEW).timestamp()))

    def look(self, checkpoint: str, next: str | None, now: datetime) -> Request:
        """FetchHashes, from a time on or after a page."""
        query = {"startTimestamp": checkpoint, "pageSize": str(MAX_PAGE)}
        query |= {"nextPageToken": next} if next else {}
        url = f"{self.address}/FetchHashes?{urlencode(query)}"
        return Request(url, self._headers(self.fetch))

    def read(self, body: bytes, checkpoint: str, now: datetime) -> Heard:
        """A page of FetchHashes; what is of another kind than Sala's codes is passed over."""
        try:
            page = json.loads(body)
            records = [one for one in page["hashRecords"] if read_signal(one["signalType"])]
            gone = frozenset(r["hashValue"] for r in records if r["hashStatus"] in _GONE)
            seen = frozenset((_signal(one), one["hashValue"]) for one in records)
            active = frozenset(value for _, value in seen) - gone
            words = tuple(word for one in records for word in _words(one))
            newest = max(int(checkpoint), int(page["nextSetTimestamp"]))
            more = page["nextPageToken"] if page["hasMoreRecords"] else None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise BadAnswer("FetchHashes") from None
        return Heard(seen, words, active, gone, more, str(newest))

    def _headers(self, key: str) -> dict[str, str]:
        return {"x-functions-key": key, "Ocp-Apim-Subscription-Key": self.subscription}


def _record(one: Raisable, now: int) -> dict[str, object]:
    word: dict[str, object] = {"tags": [], "feedbackValue": "Withdrawn" if one.gone else "None"}
    return {
        "lastModtimestamp": now,
        "signalType": one.signal,
        "hashValue": one.value,
        "CSPFeedbacks": [word],
    }


def _signal(record: dict[str, Any]) -> Literal["ImagePDQ", "VideoMD5"]:
    return "VideoMD5" if record["signalType"].endswith("VideoMD5") else "ImagePDQ"


def _words(record: dict[str, Any]) -> Iterator[AboveWord]:
    for word in record.get("CSPFeedbacks") or ():
        value, source = _VALUES.get(word["feedbackValue"]), named(word.get("source") or "")
        if value and source:
            yield AboveWord(_signal(record), record["hashValue"], source, value)
