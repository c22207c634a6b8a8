"""Passing codes on: to the one list they belong to, for people who were told, once, whatever goes
wrong on the way; and what comes back. The services are a Sala, which speaks StopNCII's protocol to
threatexchange's own client, and NCMEC's API as that client reads it."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from threatexchange.exchanges.clients.ncmec.hash_api import FingerprintType, NCMECHashAPI
from threatexchange.exchanges.clients.stopncii import api as theirs

from bot.cases.hashes import Hash, Item
from bot.exchange.ncmec import MARK, Ncmec
from bot.exchange.stopncii_upward import StopNcii
from bot.exchange.upward import BadAnswer, Connector
from bot.passing import HEAR_EVERY, NotPassed, try_out
from bot.store import Bundle, ConversationId, Pending, Submitted, Ticket
from bot.store.upward import Raisable, channel_of
from tests.exchange_house import NOON, House, Platform, on_loopback, open_house
from tests.peers.ncmec import PASSWORD, FakeNcmec, ncmec
from tests.raising import ANN, A, B, Below, C, play

CODE = Raisable(b"h" * 16, "ImagePDQ", A, False, 1, "e" * 32)
VIDEO = replace(CODE, signal="VideoMD5", value="d" * 32, entry="f" * 32)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    (tmp_path / "above").mkdir()
    with open_house(tmp_path / "above") as opened:
        yield opened


@pytest.fixture
def chirp(house: House) -> Platform:
    """A platform that reads the list above and answers there."""
    return house.partner("Chirp", "adults")


@pytest.fixture
def above(house: House) -> StopNcii:
    """Sala's account at the list above."""
    keys = house.partner("Below", "adults", submits=True, a_minute=6000).keys
    base = f"{house.base}/exchange/v1"
    return StopNcii(keys.subscription_key, keys.fetch_key, keys.submit_key or "", base)


@pytest.fixture
def board() -> Iterator[FakeNcmec]:
    with ncmec(lambda: board_clock.now) as fake:
        yield fake


board_clock = SimpleNamespace(now=NOON)


def member(fake: FakeNcmec) -> Ncmec:
    return Ncmec("sala", PASSWORD, fake.base)


def listed(chirp: Platform) -> dict[str, theirs.StopNCIICaseStatus]:
    return {one.hashValue: one.hashStatus for page in chirp.pages(800) for one in page.hashRecords}


async def looks(chirp: Platform) -> dict[str, str]:
    found = await asyncio.to_thread(listed, chirp)
    return {value: status.value for value, status in found.items() if value in {A, B, C}}


# ---------------------------------------------------------------- up, and back down


def test_a_code_goes_up_and_when_it_is_withdrawn_it_is_taken_back(
    tmp_path: Path, above: StopNcii, chirp: Platform
) -> None:
    async def story(below: Below) -> None:
        case = await below.registers(A, B)
        assert await below.told(case) == {}
        await below.passes()
        assert await looks(chirp) == {A: "Active", B: "Active"}
        assert await below.told(case) == {"StopNCII.org": "shared"}
        below.wait(minutes=1)
        await below.store.withdraw(case.number, below.now, erase=False)
        await below.store.sweep(below.now)
        assert await below.told(case) == {"StopNCII.org": "stop_unseen"}
        await below.passes()
        assert await looks(chirp) == {A: "Withdrawn", B: "Withdrawn"}
        assert await below.told(case) == {"StopNCII.org": "stop_seen"}

    play(tmp_path, story, above)


def test_an_erased_case_is_taken_back_too(tmp_path: Path, above: StopNcii, chirp: Platform) -> None:
    async def story(below: Below) -> None:
        case = await below.registers(A)
        await below.passes()
        await below.store.withdraw(case.number, below.now, erase=True)
        await below.store.sweep(below.now)
        await below.passes()
        assert await looks(chirp) == {A: "Withdrawn"}

    play(tmp_path, story, above)


def test_a_code_that_another_case_holds_stays_there(
    tmp_path: Path, above: StopNcii, chirp: Platform
) -> None:
    async def story(below: Below) -> None:
        case, other = await below.registers(A), await below.registers(A)
        await below.passes()
        await below.store.withdraw(case.number, below.now, erase=False)
        await below.store.sweep(below.now)
        await below.passes()
        assert await looks(chirp) == {A: "Active"}
        assert await below.told(case) == {"StopNCII.org": "stop_seen"}, "as if it had gone"
        assert await below.told(other) == {"StopNCII.org": "shared"}

    play(tmp_path, story, above)


def test_what_was_withdrawn_before_it_went_up_never_goes(
    tmp_path: Path, above: StopNcii, chirp: Platform
) -> None:
    async def story(below: Below) -> None:
        case = await below.registers(A)
        await below.store.withdraw(case.number, below.now, erase=False)
        await below.store.sweep(below.now)
        await below.passes()
        assert await looks(chirp) == {}

    play(tmp_path, story, above)


def test_many_codes_go_up_in_few_requests_and_each_once(
    tmp_path: Path, above: StopNcii, chirp: Platform, house: House
) -> None:
    many = [f"{n:064x}" for n in range(210)]

    async def story(below: Below) -> None:
        for start in range(0, 210, 30):
            await below.registers(*many[start : start + 30], one_picture=True)
        await below.passes()
        await below.passes()
        assert await below.waiting() == 0
        found = await asyncio.to_thread(listed, chirp)
        assert set(many) <= found.keys()
        state = await below.store.service_state("stopncii")
        assert state
        assert (state.listed, state.let_go) == (210, 0)
        again = await below.store.plan_raising("stopncii", below.now)
        assert again == 0

    play(tmp_path, story, above)


# ---------------------------------------------------------------- to the one list, of who was told


def test_adults_codes_reach_stopncii_alone_and_minors_codes_ncmec_alone(
    tmp_path: Path, above: StopNcii, chirp: Platform, board: FakeNcmec
) -> None:
    async def story(below: Below) -> None:
        await below.registers(A)
        young = await below.registers(B, list="minors")
        await below.passes()
        assert await looks(chirp) == {A: "Active"}
        there = [one.prints["pdq"] for one in board.entries.values() if not one.gone]
        assert there == [B]
        assert await below.told(young) == {"NCMEC": "shared"}

    play(tmp_path, story, above, member(board))


def test_who_agreed_before_the_service_was_there_has_nothing_passed_on(
    tmp_path: Path, above: StopNcii, chirp: Platform
) -> None:
    async def story(below: Below) -> None:
        early = await below.registers(A, told=below.now - timedelta(minutes=30))
        await below.passes()
        assert await looks(chirp) == {}
        late = await below.registers(A)
        await below.passes()
        assert await looks(chirp) == {A: "Active"}
        assert await below.told(early) == {}, "nor do they learn of the other case (C13)"
        assert await below.told(late) == {"StopNCII.org": "shared"}

    play(tmp_path, story, above)


def test_c16_what_moves_to_the_minors_list_is_taken_back_and_goes_nowhere_else(
    tmp_path: Path, above: StopNcii, chirp: Platform, board: FakeNcmec
) -> None:
    async def story(below: Below) -> None:
        await below.registers(A)
        await below.passes()
        await below.store.lower(ANN)
        await below.passes()
        assert await looks(chirp) == {A: "Withdrawn"}
        assert [one for one in board.entries.values() if not one.gone] == []

    play(tmp_path, story, above, member(board))


def test_what_partners_submit_here_stays_here(
    tmp_path: Path, above: StopNcii, chirp: Platform
) -> None:
    async def story(below: Below) -> None:
        await below.store.add_partner("Hotline", ["adults"], below.now, submits=True)
        (partner,) = await below.store.partners()
        given = [Submitted("ImagePDQ", A, "Blocked")]
        await below.store.submit(partner, "adults", given, below.now)
        await below.passes()
        assert await looks(chirp) == {}

    play(tmp_path, story, above)


def test_a_picture_sent_into_the_chat_goes_up_when_its_person_was_told(
    tmp_path: Path, above: StopNcii, chirp: Platform
) -> None:
    async def story(below: Below) -> None:
        for told, value in ((None, A), (below.now, B)):
            ticket = Ticket(value.encode()[:16], ANN, "adults", below.now + timedelta(days=1))
            item = Item("image", (Hash("pdq", "512", value, 90),))
            await below.store.register_sent(ticket, [item], below.now, told)
        await below.passes()
        assert await looks(chirp) == {B: "Active"}

    play(tmp_path, story, above)


def test_a_service_at_another_address_is_another_service(
    tmp_path: Path, above: StopNcii, chirp: Platform, house: House
) -> None:
    async def story(below: Below) -> None:
        below.beside.append(house)
        await below.registers(A)
        elsewhere = replace(above, address=above.address.replace("/v1", "/adults/v1"))
        below.connectors = below.passing.connectors = (elsewhere,)
        await below.passes()
        assert await looks(chirp) == {}
        assert await below.passing.served() == []
        planned = await below.store.plan_raising("stopncii", below.now)
        assert planned == 1
        await below.passes()
        assert await looks(chirp) == {}, "it waits: it was not tried there"
        below.wait(minutes=1)
        await below.tries()
        await below.registers(B)
        below.wait(hours=1)
        await below.passes()
        assert await looks(chirp) == {B: "Active"}

    play(tmp_path, story, above)


# ---------------------------------------------------------------- whatever goes wrong


@pytest.mark.parametrize("status", [500, 401, 400])
def test_what_is_not_taken_waits_ever_longer_and_goes_up_later(
    tmp_path: Path, board: FakeNcmec, status: int
) -> None:
    async def story(below: Below) -> None:
        case = await below.registers(A, list="minors")
        board.faults += [Response(status_code=status)] * 20
        for _ in range(20):
            await below.passes()
            assert await below.waiting() == 1
            assert await below.told(case) == {}
            below.wait(minutes=16)
        await below.passes()
        assert await below.waiting() == 0
        assert await below.told(case) == {"NCMEC": "shared"}

    play(tmp_path, story, member(board))


def test_a_service_that_says_when_is_asked_then(tmp_path: Path, board: FakeNcmec) -> None:
    async def story(below: Below) -> None:
        await below.registers(A, list="minors")
        later = {"Retry-After": "3600"}
        board.faults.append(Response(status_code=429, headers=later))
        await below.passes()
        for minutes in (30, 29):
            below.wait(minutes=minutes)
            await below.passes()
            assert await below.waiting() == 1
        below.wait(minutes=2)
        await below.passes()
        assert await below.waiting() == 0

    play(tmp_path, story, member(board))


def test_after_a_restart_what_waited_goes_up_as_it_stands_then(
    tmp_path: Path, board: FakeNcmec
) -> None:
    async def story(below: Below) -> None:
        case = await below.registers(A, B, list="minors")
        board.faults.append(Response(status_code=500))
        await below.passes()
        await below.close()
        below.open()
        await below.store.withdraw(case.number, below.now, erase=False)
        await below.store.sweep(below.now)
        await below.registers(B, list="minors")
        below.wait(minutes=1)
        posts = len(board.posts)
        await below.passes()
        now = [one.prints["pdq"] for one in board.entries.values() if not one.gone]
        assert (now, await below.waiting()) == ([B], 0)
        assert len(board.posts) > posts

    play(tmp_path, story, member(board))


def test_a_request_that_arrived_before_the_crash_changes_nothing_the_second_time(
    tmp_path: Path, board: FakeNcmec
) -> None:
    async def story(below: Below) -> None:
        await below.registers(A, list="minors")
        await below.store.plan_raising("ncmec", below.now)
        channels = [channel_of("ncmec")]
        (bundle,) = await below.store.due(channels, below.now, 9)
        await below.passing.carry(bundle)  # and then the process ends
        before = dict(board.entries)
        await below.passes()
        assert board.entries.keys() == before.keys()
        assert len(set(board.posts[-2:])) == 1
        assert await below.waiting() == 0

    play(tmp_path, story, member(board))


def test_a_service_that_is_not_there_is_only_not_passed(tmp_path: Path, board: FakeNcmec) -> None:
    async def story(below: Below) -> None:
        gone = replace(member(board), address="http://127.0.0.1:9")
        with pytest.raises(NotPassed):
            await below.passing.raises(gone, [CODE])
        stranger = Bundle(ConversationId(b"x" * 16), channel_of("ncmec"), b"",
                          (Pending("e", CODE.hash.hex().encode(), 0),))  # fmt: skip
        below.passing.connectors = (gone,)
        with pytest.raises(NotPassed, match="untried"):
            await below.passing.carry(stranger)

    play(tmp_path, story, member(board))


# ---------------------------------------------------------------- what comes back


def test_a_platforms_answer_there_reaches_the_person_here_once(
    tmp_path: Path, above: StopNcii, chirp: Platform, house: House
) -> None:
    async def story(below: Below) -> None:
        case = await below.registers(A, B)
        await below.passes()
        await below.hears()
        house.wait(seconds=1)
        answer = (theirs.StopNCIISignalType.ImagePDQ, A, theirs.StopNCIICSPFeedbackValue.Blocked)
        await asyncio.to_thread(chirp.api.submit_feedback, *answer)
        for _ in range(2):
            below.wait(minutes=10)
            await below.hears()
        assert (await below.told(case))["Chirp (StopNCII.org)"] == "blocked"
        assert await below.news() == 1
        names = [(one.name, one.lists) for one in await below.store.partners()]
        assert names == [("Chirp (StopNCII.org)", ())], "it reads nothing here and has no keys"
        assert await below.store.readers("adults") == ()

    play(tmp_path, story, above)


def test_c13_what_was_said_there_before_a_code_went_up_is_told_to_nobody(
    tmp_path: Path, above: StopNcii, chirp: Platform, house: House
) -> None:
    other = house.partner("Other", "adults", submits=True)
    answer = (theirs.StopNCIISignalType.ImagePDQ, A, theirs.StopNCIICSPFeedbackValue.Blocked)

    async def story(below: Below) -> None:
        await asyncio.to_thread(other.api.submit_hash, answer[0], A)
        await asyncio.to_thread(chirp.api.submit_feedback, *answer)
        case = await below.registers(A)
        await below.passes()
        for _ in range(2):
            below.wait(minutes=10)
            await below.hears()
        assert await below.told(case) == {"StopNCII.org": "shared"}
        house.wait(seconds=1)
        pending = (*answer[:2], theirs.StopNCIICSPFeedbackValue.PendingReview)
        await asyncio.to_thread(chirp.api.submit_feedback, *pending)
        await below.hears()
        assert (await below.told(case))["Chirp (StopNCII.org)"] == "looking"

    play(tmp_path, story, above)


def test_c13_who_was_not_told_of_the_service_hears_nothing_of_its_answers_nor_do_partners_here(
    tmp_path: Path, above: StopNcii, chirp: Platform, house: House
) -> None:
    answer = (theirs.StopNCIISignalType.ImagePDQ, A, theirs.StopNCIICSPFeedbackValue.Blocked)

    async def story(below: Below) -> None:
        early = await below.registers(A, told=below.now - timedelta(minutes=30))
        late = await below.registers(A)
        await below.passes()
        await below.hears()
        house.wait(seconds=1)
        await asyncio.to_thread(chirp.api.submit_feedback, *answer)
        below.wait(minutes=10)
        await below.hears()
        assert await below.told(early) == {}
        assert (await below.told(late))["Chirp (StopNCII.org)"] == "blocked"
        await below.store.add_partner("Plaza", ["adults"], below.now)
        plaza = next(one for one in await below.store.partners() if one.name == "Plaza")
        (record,) = (await below.store.feed(plaza, ["adults"], 0, None, 9, below.now)).records
        assert record.feedback == ()

    play(tmp_path, story, above)


def test_a_members_vote_at_ncmec_says_that_it_met_the_picture_and_nothing_of_what_was_done(
    tmp_path: Path, board: FakeNcmec
) -> None:
    async def story(below: Below) -> None:
        case = await below.registers(*(f"{n:064x}" for n in range(4)), list="minors")
        await below.passes()
        below.wait(minutes=6)
        board_clock.now = below.now
        await below.hears()
        there = [one for one in board.entries.values() if not one.gone]
        chirp = client("chirp", board)
        yes = there[0].id
        await asyncio.to_thread(chirp.submit_upvote, 7, yes, FingerprintType.pdq)
        below.wait(minutes=6)
        await below.hears()
        assert await below.told(case) == {"NCMEC": "shared", "Chirp (NCMEC)": "found"}

    board_clock.now = NOON
    play(tmp_path, story, member(board))


def test_answers_are_asked_for_every_ten_minutes_beside_all_else(
    tmp_path: Path, board: FakeNcmec
) -> None:
    async def story(below: Below) -> None:
        async def asked() -> str:
            await below.passing.look()
            hearing = below.passing._hearing
            assert hearing
            await hearing
            service = await below.store.service("ncmec")
            return service.checkpoint if service else ""

        first = await asked()
        below.wait(minutes=9)
        assert await asked() == first
        board.faults.append(Response(status_code=500))
        below.now += HEAR_EVERY
        assert await asked() == first, "what cannot be read is read the next time"
        below.now += HEAR_EVERY
        assert await asked() > first

    board_clock.now = NOON
    play(tmp_path, story, member(board))


# ---------------------------------------------------------------- trying a service


def test_a_service_that_takes_a_code_and_does_not_show_it_stays_off(
    tmp_path: Path, board: FakeNcmec
) -> None:
    async def story(below: Below) -> None:
        board.deaf = True
        fault = await try_out(below.passing, member(board), 0, 2)
        assert fault is not None
        assert "took the code" in fault
        assert await below.store.service("ncmec") is None

    play(tmp_path, story)


def test_trying_again_changes_nothing_for_people(tmp_path: Path, board: FakeNcmec) -> None:
    async def story(below: Below) -> None:
        below.beside.append(board_clock)
        below.wait(minutes=1)
        before = await below.store.service("ncmec")
        await below.tries()
        assert await below.store.service("ncmec") == before

    play(tmp_path, story, member(board))


# ---------------------------------------------------------------- the wire, by the library's client


def client(name: str, board: FakeNcmec) -> NCMECHashAPI:
    return NCMECHashAPI(name, PASSWORD, SimpleNamespace(value=board.base))


def test_the_librarys_own_client_reads_what_went_up_and_what_left(
    tmp_path: Path, board: FakeNcmec
) -> None:
    async def story(below: Below) -> None:
        case = await below.registers(*(f"{n:064x}" for n in range(4)), list="minors")
        await below.passes()
        await below.store.withdraw(case.number, below.now, erase=False)
        await below.registers("e" * 64, list="minors")
        await below.passes()

    board_clock.now = NOON
    play(tmp_path, story, member(board))
    theirs = client("chirp", board)
    assert (theirs.status().esp_id, theirs.status().esp_name) == (42, "Chirp")
    start, end = (int((NOON + timedelta(days=n)).timestamp()) for n in (-1, 1))
    pages = list(theirs.get_entries_iter(start_timestamp=start, end_timestamp=end))
    found = [one for page in pages for one in page.updates]
    assert len(pages) > 1
    assert {one.member_id for one in found} == {7}
    assert {one.fingerprints["pdq"] for one in found if not one.deleted} == {
        *(f"{n:064x}" for n in range(4)), "e" * 64,
    }  # fmt: skip
    assert all(one.id.startswith(MARK) for one in found)


def test_a_submission_has_the_form_that_the_librarys_client_gives_it() -> None:
    taken: list[tuple[dict[str, str], dict[str, object]]] = []

    async def take(request: Asked) -> Response:
        taken.append((dict(request.headers), json.loads(await request.body())))
        return JSONResponse({})

    with on_loopback(Starlette(routes=[Route("/v1/SubmitHashes", take, methods=["POST"])])) as base:
        keys = {theirs.StopNCIIEndpoint.SubmitHashes: "submit"}
        api = theirs.StopNCIIAPI("sub", "fetch", keys, base_url_override=f"{base}/v1")
        value = theirs.StopNCIICSPFeedbackValue.None_
        api.submit_hash(theirs.StopNCIISignalType.ImagePDQ, A, reported_state=value)
    ours = StopNcii("sub", "fetch", "submit", "http://a.example/v1").raises([CODE], NOON)
    ((headers, body),) = taken
    (request,) = ours
    said = json.loads(request.body or b"")
    for one in (body, said):
        (record,) = one["hashRecords"]
        assert isinstance(record.pop("lastModtimestamp"), int)
        record["signalType"] = record["signalType"].removeprefix("StopNCIISignalType.")
    assert said == body
    for name in ("x-functions-key", "Ocp-Apim-Subscription-Key", "Content-Type"):
        assert request.headers[name] == headers[name.lower()]


BASIC = {"count": 0, "nextPageToken": None, "nextSetTimestamp": 5, "hasMoreRecords": False}
BAD = {"signalType": "ImagePDQ", "hashValue": A, "hashStatus": "Active"}


@pytest.mark.parametrize(
    ("connector", "body"),
    [
        *((StopNcii("s", "f", "t", "http://a.example"), body) for body in (
            b"", b"[]", b"{}", b"\xff", json.dumps(BASIC).encode(),
            json.dumps(BASIC | {"hashRecords": [{"signalType": "ImagePDQ"}]}).encode(),
            json.dumps(BASIC | {"hashRecords": [], "nextSetTimestamp": "soon"}).encode(),
        )),
        *((Ncmec("u", "p", "http://a.example"), body) for body in (
            b"", b"<a", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            "<!DOCTYPE a>".encode("utf-16"),
            b"<queryResult><paging><next>https://evil.example/v2/</next></paging></queryResult>",
        )),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_of_the_protocol_is_refused_whole(
    connector: Connector, body: bytes
) -> None:
    with pytest.raises(BadAnswer):
        connector.read(body, "7", NOON)


def test_of_an_answer_only_sala_s_kind_of_code_and_other_peoples_words_count() -> None:
    word = {"source": "Sala", "feedbackValue": "NotBlocked", "tags": ["withdrawn"]}
    records = [
        BAD | {"CSPFeedbacks": [word, word | {"source": ""}, word | {"source": "a\u202eb"}]},
        BAD | {"signalType": "URL", "CSPFeedbacks": [word | {"source": "Chirp"}]},
        BAD | {"signalType": "VideoMD5", "hashValue": "d" * 32, "hashStatus": "Deleted",
               "CSPFeedbacks": [word | {"source": "Chirp"}, word | {"feedbackValue": "New"}]},
    ]  # fmt: skip
    body = json.dumps(BASIC | {"hashRecords": records}).encode()
    heard = StopNcii("s", "f", "t", "http://a.example").read(body, "7", NOON)
    assert (heard.active, heard.gone) == ({A}, {"d" * 32})
    assert [(one.source, one.feedback) for one in heard.words] == [("Chirp", "NotBlocked")]
    assert (heard.checkpoint, heard.next) == ("7", None), "it never goes back"


def test_videos_go_up_as_videos() -> None:
    submit, retract = Ncmec("u", "p", "http://a.example").raises(
        [VIDEO, replace(CODE, gone=True)], NOON
    )
    assert b"<video><id>sala-ffff" in (submit.body or b"")
    assert b"<md5>dddd" in (submit.body or b"")
    assert b"<image><id>sala-eeee" in (retract.body or b"")
    assert A.encode() not in (retract.body or b"")
    assert "u:p" not in repr(submit)
