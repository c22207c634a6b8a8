"""NCMEC's Hash Sharing on the loopback, with two members.

What is read of it, and votes, are as threatexchange's own client reads and sends them: a test holds
that. How entries are submitted and retracted is what `bot/exchange/ncmec.py` assumes, no more.
"""

import xml.etree.ElementTree as ET
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.exchange_house import on_loopback

SPACE = "https://hashsharing.ncmec.org/hashsharing/v2"
MEMBERS = {"sala": (7, "Sala"), "chirp": (42, "Chirp")}
PASSWORD = "secret-of-a-member"
PAGE = 3
"""Entries of one page: few, so that pages are turned."""
TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass
class Entry:
    kind: str
    id: str
    member: str
    at: datetime
    prints: dict[str, str]
    gone: bool = False
    votes: dict[tuple[str, str], str] = field(default_factory=dict)


@dataclass
class FakeNcmec:
    """`faults`: what the next requests are answered instead, each once. `deaf`: takes all, keeps
    nothing."""

    clock: Callable[[], datetime]
    base: str = ""
    entries: dict[str, Entry] = field(default_factory=dict)
    faults: list[Response] = field(default_factory=list)
    posts: list[bytes] = field(default_factory=list)
    deaf: bool = False

    def routes(self) -> list[Route]:
        made = [
            ("/v2/status", "GET", self.status), ("/v2/entries", "GET", self.listed),
            ("/v2/entries", "POST", self.submit), ("/v2/entries/retract", "POST", self.retract),
            ("/v2/entries/{member}/{id}/{type}/feedback", "PUT", self.vote),
        ]  # fmt: skip
        return [Route(path, self.guarded(serve), methods=[verb]) for path, verb, serve in made]

    def guarded(self, serve: Callable[[str, Request, bytes], Response]) -> Callable:
        async def endpoint(request: Request) -> Response:
            body = await request.body()
            if self.faults:
                return self.faults.pop(0)
            said = request.headers.get("authorization", "").removeprefix("Basic ")
            user, _, password = b64decode(said).decode().partition(":")
            if user not in MEMBERS or password != PASSWORD:
                return Response(status_code=401)
            return serve(user, request, body)

        return endpoint

    def status(self, user: str, request: Request, body: bytes) -> Response:
        id, name = MEMBERS[user]
        root = ET.Element("status", xmlns=SPACE)
        ET.SubElement(root, "member", id=str(id)).text = name
        return xml(root)

    def submit(self, user: str, request: Request, body: bytes) -> Response:
        self.posts.append(body)
        for one in asked(body, "entrySubmission"):
            prints = {child.tag: child.text or "" for child in one.find("fingerprints") or ()}
            assert prints
            if not self.deaf:
                id = one.findtext("id") or ""
                old = self.entries.get(id)
                votes = old.votes if old else {}
                self.entries[id] = Entry(one.tag, id, user, self.clock(), prints, votes=votes)
        return Response(status_code=200)

    def retract(self, user: str, request: Request, body: bytes) -> Response:
        self.posts.append(body)
        for one in asked(body, "entryRetraction"):
            entry = self.entries.get(one.findtext("id") or "")
            if entry and entry.member == user:
                entry.gone, entry.at = True, self.clock()
        return Response(status_code=200)

    def vote(self, user: str, request: Request, body: bytes) -> Response:
        part = request.path_params
        entry = self.entries[part["id"]]
        assert int(part["member"]) == MEMBERS[entry.member][0]
        (word,) = asked(body, "feedbackSubmission")
        entry.votes[part["type"], user] = word.tag
        entry.at = self.clock()
        return Response(status_code=200)

    def listed(self, user: str, request: Request, body: bytes) -> Response:
        query = request.query_params
        start, end = (datetime.strptime(query[n], TIME).replace(tzinfo=UTC) for n in ("from", "to"))
        found = [e for e in self.entries.values() if start <= e.at <= end]
        at = int(query.get("start", "1")) - 1
        page = found[at : at + PAGE]
        root = ET.Element("queryResult", xmlns=SPACE)
        for kind in ("image", "video"):
            some = [one for one in page if one.kind == kind]
            if some:
                newest = max(one.at for one in some).strftime(TIME)
                many = ET.SubElement(root, f"{kind}s", count=str(len(some)), maxTimestamp=newest)
                many.extend(written(one) for one in some)
        if len(found) > at + PAGE:
            more = f"from={query['from']}&to={query['to']}&start={at + PAGE + 1}"
            paging = ET.SubElement(root, "paging")
            ET.SubElement(paging, "next").text = f"/v2/entries?{more}&size={PAGE}&max={len(found)}"
        return xml(root)


def written(entry: Entry) -> ET.Element:
    kind = f"deleted{entry.kind.title()}" if entry.gone else entry.kind
    one, (id, name) = ET.Element(kind), MEMBERS[entry.member]
    ET.SubElement(one, "member", id=str(id)).text = name
    ET.SubElement(one, "timestamp").text = entry.at.strftime(TIME)
    ET.SubElement(one, "id").text = entry.id
    if entry.gone:
        return one
    prints = ET.SubElement(one, "fingerprints")
    for tag, value in entry.prints.items():
        ET.SubElement(prints, tag).text = value
    feedback = ET.SubElement(one, "feedback")
    for (type, user), word in entry.votes.items():
        said = ET.SubElement(feedback, f"{word}Feedback", type=type)
        held = said
        if word == "negative":
            held = ET.SubElement(said, "reasons")
            ET.SubElement(held, "reason", name="Not it")
        members = ET.SubElement(held, "members")
        ET.SubElement(members, "member", id=str(MEMBERS[user][0])).text = MEMBERS[user][1]
    return one


def asked(body: bytes, name: str) -> list[ET.Element]:
    """The parts of a document of this name, without the namespace, which must be NCMEC's."""
    root = ET.fromstring(body)
    assert root.tag == f"{{{SPACE}}}{name}"
    for one in root.iter():
        one.tag = one.tag.partition("}")[2]
    return list(root)


def xml(root: ET.Element) -> Response:
    return Response(ET.tostring(root, xml_declaration=True), media_type="application/xml")


@contextmanager
def ncmec(clock: Callable[[], datetime]) -> Iterator[FakeNcmec]:
    """Served until the block ends."""
    fake = FakeNcmec(clock)
    with on_loopback(Starlette(routes=fake.routes())) as fake.base:
        yield fake
