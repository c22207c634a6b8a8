"""Passing minors' codes on to NCMEC's Hash Sharing as an NPO member, in XML of its version 2.

Reading (`status`, `entries`, feedback, tombstones) is as threatexchange 1.2.17 reads it. How a
member submits and retracts entries stands in NCMEC's members' documentation alone, which was not
at hand: `raises` is made of the names that its answers use, and is not proved. That is why no code
of a person goes up before `sala exchange try` has seen an invented one arrive and leave again.
"""

import xml.etree.ElementTree as ET
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal
from urllib.parse import urlencode

from bot.cases.status import Answer
from bot.exchange.upward import SKEW, AboveWord, BadAnswer, Heard, Request, named
from bot.store.upward import Raisable

NAMESPACE: Final = "https://hashsharing.ncmec.org/hashsharing/v2"
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
Signal = Literal["ImagePDQ", "VideoMD5"]
_FINGERPRINT: Final[dict[Signal, str]] = {"ImagePDQ": "pdq", "VideoMD5": "md5"}
_KIND: Final[dict[Signal, str]] = {"ImagePDQ": "image", "VideoMD5": "video"}
_SIGNALS: Final[tuple[Signal, ...]] = ("ImagePDQ", "VideoMD5")
_MEANT: Final[dict[str, Answer]] = {
    # A vote says that the member has met the picture and agrees, or not; never that somebody there
    # is looking at it, or that it was blocked.
    "affirmativeFeedback": "Met",
    "negativeFeedback": "None",
}
MARK: Final = "sala-"
"""What the id of every entry begins with that Sala submits."""


@dataclass(frozen=True, slots=True)
class Ncmec:
    """A member's name and password, and the address of the environment of its agreement."""

    user: str = field(repr=False)
    password: str = field(repr=False)
    address: str
    name: Literal["ncmec"] = "ncmec"

    def key(self, one: Raisable) -> str:
        """The entry's id."""
        return MARK + one.entry

    def raises(self, codes: Sequence[Raisable], now: datetime) -> list[Request]:
        """Entries to be listed in one request, those to be retracted in another."""
        listed = [one for one in codes if not one.gone]
        gone = [one for one in codes if one.gone]
        made = []
        if listed:
            made.append(self._post("v2/entries", "entrySubmission", listed))
        if gone:
            made.append(self._post("v2/entries/retract", "entryRetraction", gone))
        return made

    def first(self, now: datetime) -> str:
        """A time as NCMEC writes it, some before now: entries come in no order of time, and the
        end of a span is read again with the next."""
        return _written(now - SKEW)

    def look(self, checkpoint: str, next: str | None, now: datetime) -> Request:
        """Entries of a span of time, or the next page of them."""
        if next:
            return Request(f"{self.address}{next}", self._headers())
        query = urlencode({"from": checkpoint, "to": _written(now + SKEW)})
        return Request(f"{self.address}/v2/entries?{query}", self._headers())

    def read(self, body: bytes, checkpoint: str, now: datetime) -> Heard:
        """A page of entries. Only Sala's own are looked at, which it knows by their ids."""
        try:
            root = _parsed(body)
            entries = [one for kind in ("images", "videos") for one in root.iterfind(f"{kind}/*")]
            own = [one for one in entries if _text(one, "id").startswith(MARK)]
            next = root.findtext("paging/next") or None
        except ValueError:
            raise BadAnswer("entries") from None
        if next and not next.startswith("/v2/"):
            raise BadAnswer("paging")
        gone = frozenset(_text(one, "id") for one in own if one.tag.startswith("deleted"))
        active = frozenset(_text(one, "id") for one in own) - gone
        seen = frozenset(hash for one in own for hash in _hashes(one))
        words = tuple(word for one in own for word in _words(one))
        return Heard(seen, words, active, gone, next, max(checkpoint, self.first(now)))

    def _post(self, path: str, name: str, codes: Sequence[Raisable]) -> Request:
        root = ET.Element(name, xmlns=NAMESPACE)
        for one in codes:
            entry = ET.SubElement(root, _KIND[one.signal])
            ET.SubElement(entry, "id").text = self.key(one)
            if not one.gone:
                prints = ET.SubElement(entry, "fingerprints")
                ET.SubElement(prints, _FINGERPRINT[one.signal]).text = one.value
        headers = self._headers() | {"Content-Type": "application/xml; charset=utf-8"}
        return Request(f"{self.address}/{path}", headers, ET.tostring(root))

    def _headers(self) -> dict[str, str]:
        pair = b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}


def _parsed(body: bytes) -> ET.Element:
    """The document without namespaces; one that declares entities is refused, whatever it means."""
    if b"<!" in body or b"\0" in body:
        raise ValueError("a declaration")
    try:
        root = ET.fromstring(body)  # noqa: S314  # without declarations there is nothing to expand
    except ET.ParseError as error:
        raise ValueError("no XML") from error
    for one in root.iter():
        one.tag = one.tag.rpartition("}")[2]
    return root


def _written(at: datetime) -> str:
    return at.astimezone(UTC).strftime(_TIME)


def _text(entry: ET.Element, name: str) -> str:
    return (entry.findtext(name) or "").strip()


def _hashes(entry: ET.Element) -> Iterator[tuple[Signal, str]]:
    for signal in _SIGNALS:
        if entry.tag == _KIND[signal]:
            value = _text(entry, f"fingerprints/{_FINGERPRINT[signal]}").lower()
            if value:
                yield signal, value


def _words(entry: ET.Element) -> Iterator[AboveWord]:
    for vote in entry.iterfind("feedback/*"):
        said = _MEANT.get(vote.tag)
        for member in vote.iter("member") if said else ():
            source = named(member.text or "")
            for signal, value in _hashes(entry):
                if source and said and vote.get("type", "").lower() == _FINGERPRINT[signal]:
                    yield AboveWord(signal, value, source, said)
