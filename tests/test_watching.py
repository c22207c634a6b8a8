"""/healthz and /metrics: every part that fails is named, after a failure that is real, and neither
tells of a person."""

import asyncio
import importlib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlite_utils.utils import sqlite3
from starlette.applications import Starlette

from bot import metrics
from bot.channels import SendError, TryAgain, Unreachable
from bot.conversation.codec import encode_state
from bot.conversation.model import Opened, State
from bot.hashing.jail import Broken, Jail
from bot.outbox import MISSED
from bot.store import EffectId, Planned, Turn, engine
from bot.store.backlog import Backlog
from bot.watching import PARTS, Watch, routes
from tests.talking import Door, Talk, play, working
from tests.test_worker_running import full_disk

ENCODER = importlib.import_module(
    "bot.understanding.encoder"
)  # the package has a function of the name
TOKEN = "a token of more than 32 letters, for tests".replace(" ", "-")
Answer = tuple[int, dict[str, Any]]


def watch(sala: Talk, **other: Any) -> Watch:
    """Over a talk's store and worker, which looks anew each time."""
    worker = sala.worker
    parts: dict[str, Any] = {
        "store": sala.store, "channels": list(worker.channels), "works": worker.works,
        "troubled": worker.outbox.troubled, "ear": lambda: None, "jail": lambda: None,
        "clock": lambda: sala.now, "kept": 0.0, "within": 30.0,
    }  # fmt: skip
    return Watch(**(parts | other))


async def get(watched: Watch, path: str, token: str = "", shown: str = "") -> httpx2.Response:
    site = httpx2.ASGITransport(app=Starlette(routes=routes(watched, token)))
    async with httpx2.AsyncClient(transport=site, base_url="http://127.0.0.1") as client:
        return await client.get(path, headers=[(b"Authorization", f"Bearer {shown}".encode())])


async def health(watched: Watch) -> Answer:
    """What everybody is told: parts by their names, and no number."""
    answer = await get(watched, "/healthz", TOKEN)
    said = answer.json()
    assert said.keys() <= {"ok", "failing", "weak"}
    assert {*said.get("failing", []), *said.get("weak", [])} <= {*PARTS}
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, said


def failing(*parts: str) -> Answer:
    return 503, {"ok": False, "failing": list(parts)}


WELL: Answer = (200, {"ok": True})
NO_WORKER = failing("worker")


def told(
    folder: Path, story: Callable[[Talk], Awaitable[Answer]], door: Door | None = None
) -> Answer:
    """What /healthz says at the end of a story."""
    said: list[Answer] = []

    async def tell(talk: Talk) -> None:
        said.append(await story(talk))

    play(folder, tell, door)
    return said[0]


# ---------------------------------------------------------------- each part that can fail


def test_where_all_works_it_says_so_and_no_more(tmp_path: Path, both: str) -> None:
    async def story(talk: Talk) -> Answer:
        await talk.makes_a_case()
        async with working(talk):
            return await health(watch(talk))

    assert told(tmp_path, story) == WELL


def test_a_worker_that_ended_is_named_and_sala_is_alive_all_the_same(tmp_path: Path) -> None:
    async def story(talk: Talk) -> Answer:
        async with working(talk):
            assert await health(watch(talk)) == WELL
        assert (await get(watch(talk), "/healthz/alive")).status_code == 200
        return await health(watch(talk))

    assert told(tmp_path, story) == NO_WORKER


def test_a_store_that_was_closed_is_named(tmp_path: Path, both: str) -> None:
    async def story(talk: Talk) -> Answer:
        await talk.store.close()
        return await health(watch(talk, works=lambda: True))

    assert told(tmp_path, story) == failing("store")


def test_a_store_that_another_process_holds_is_named_and_is_well_again_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(talk: Talk) -> Answer:
        watched = watch(talk, works=lambda: True)
        other = sqlite3.connect(tmp_path / "sala.db", isolation_level=None)
        other.execute("begin immediate")
        locked = await health(watched)
        other.execute("rollback")
        other.close()
        assert await health(watched) == WELL
        return locked

    monkeypatch.setattr(engine, "BUSY_MS", 20)
    assert told(tmp_path, story) == failing("store")


def test_a_store_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    async def story(talk: Talk) -> Answer:
        other = sqlite3.connect(tmp_path / "sala.db", isolation_level=None)
        other.execute("begin immediate")
        said = await health(watch(talk, works=lambda: True, within=0.01))
        other.execute("rollback")
        other.close()
        return said

    assert told(tmp_path, story) == failing("store")


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    async def story(talk: Talk) -> Answer:
        await talk.opens()
        with full_disk(tmp_path):
            return await health(watch(talk, works=lambda: True))

    assert told(tmp_path, story) == failing("store")


@pytest.mark.parametrize(("seconds", "said"), [(59, WELL), (60, failing("queue"))])
def test_a_message_that_nobody_takes_up_is_named_after_a_minute(
    seconds: int, said: Answer, tmp_path: Path, both: str
) -> None:
    async def story(talk: Talk) -> Answer:
        await talk.arrives(Opened(talk.now, "en"))
        talk.now += timedelta(seconds=seconds)
        return await health(watch(talk, works=lambda: True))

    assert told(tmp_path, story) == said


def test_the_queue_of_a_door_that_is_not_open_any_more_is_no_fault(tmp_path: Path) -> None:
    async def story(talk: Talk) -> Answer:
        await talk.arrives(Opened(talk.now, "en"))
        talk.now += timedelta(days=1)
        return await health(watch(talk, works=lambda: True, channels=["line"]))

    assert told(tmp_path, story) == WELL


@pytest.mark.parametrize(("seconds", "said"), [(119, WELL), (120, failing("outbox"))])
def test_an_answer_that_is_not_carried_out_is_named_after_two_minutes(
    seconds: int, said: Answer, tmp_path: Path, both: str
) -> None:
    async def story(talk: Talk) -> Answer:
        await talk.arrives(Opened(talk.now, "en"))
        (claimed,) = await talk.store.claim(["door"], talk.now, 1)
        planned = Planned(EffectId("00000000-0000-4000-8000-000000000000"), b"{}", talk.now)
        await talk.store.commit(claimed, Turn(encode_state(State()), (planned,)))
        talk.now += timedelta(seconds=seconds)
        return await health(watch(talk, works=lambda: True))

    assert told(tmp_path, story) == said


def test_what_waits_for_the_morning_is_no_backlog(tmp_path: Path) -> None:
    async def story(talk: Talk) -> Answer:
        await talk.arrives(Opened(talk.now, "en"))
        (claimed,) = await talk.store.claim(["door"], talk.now, 1)
        held = Planned(EffectId("00000000-0000-4000-8000-000000000000"), b"{}", None)
        later = talk.now + timedelta(hours=9)
        planned = Planned(EffectId("00000000-0000-4000-8000-000000000001"), b"{}", later)
        await talk.store.commit(claimed, Turn(encode_state(State()), (planned, held)))
        talk.now += timedelta(hours=8)
        return await health(watch(talk, works=lambda: True))

    assert told(tmp_path, story) == WELL


def test_a_platform_that_takes_nothing_is_named_and_not_any_more_once_it_does(
    tmp_path: Path,
) -> None:
    """LINE and Telegram themselves: test_line_faults.py, test_telegram_running.py."""

    async def story(talk: Talk) -> Answer:
        watched = watch(talk, works=lambda: True)
        watched.troubled = lambda: ["line" for _ in talk.worker.outbox.troubled()]
        talk.door.fails = [SendError() for _ in range(MISSED)]
        await talk.opens()
        for _ in range(MISSED - 1):
            assert await health(watched) == WELL, "one try says little"
            await talk.works_later(minutes=5)
        said = await health(watched)
        await talk.works_later(minutes=5)
        assert await health(watched) == WELL
        return said

    assert told(tmp_path, story) == failing("line")


@pytest.mark.parametrize("error", [Unreachable(), TryAgain()])
def test_a_person_who_cannot_be_reached_is_no_fault_of_the_door(
    error: Unreachable | TryAgain, tmp_path: Path
) -> None:
    async def story(talk: Talk) -> Answer:
        for _ in range(MISSED + 1):
            talk.door.fails.append(error)
            await talk.opens()
        assert talk.door.fails == []
        return await health(watch(talk, works=lambda: True))

    assert told(tmp_path, story) == WELL


def test_a_jail_that_broke_makes_sala_weaker_and_people_are_answered(tmp_path: Path) -> None:
    async def story(talk: Talk) -> Answer:
        jail = Jail(prisoner=("-c", "raise SystemExit(3)"), guard=())
        watched = watch(talk, works=lambda: True, jail=lambda: jail.able)
        assert await health(watched) == WELL
        with pytest.raises(Broken):
            await jail.hash(b"a picture")
        return await health(watched)

    assert told(tmp_path, story) == (200, {"ok": True, "weak": ["jail"]})


def test_an_ear_that_could_not_be_loaded_makes_sala_weaker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(talk: Talk) -> Answer:
        watched = watch(talk, works=lambda: True, ear=ENCODER.loaded)
        assert await health(watched) == WELL, "nothing was heard yet"
        await talk.says("hello, can you help me please")
        return await health(watched)

    monkeypatch.setattr(ENCODER, "_CPU", tmp_path / "none")
    ENCODER.encoder.cache_clear()
    try:
        assert told(tmp_path, story) == (200, {"ok": True, "weak": ["ear"]})
    finally:
        ENCODER.encoder.cache_clear()


# ---------------------------------------------------------------- who asks


def test_however_many_ask_the_store_is_looked_at_once(tmp_path: Path) -> None:
    async def story(talk: Talk) -> Answer:
        other = sqlite3.connect(tmp_path / "sala.db")
        watched = watch(talk, works=lambda: True, kept=3600.0)

        def commits() -> int:
            return int(other.execute("pragma data_version").fetchone()[0])

        before = commits()
        said = await asyncio.gather(*(health(watched) for _ in range(20)))
        said += [await health(watched) for _ in range(5)]
        assert commits() == before + 1
        other.close()
        assert {str(one) for one in said} == {str(WELL)}
        return said[0]

    told(tmp_path, story)


def test_details_are_for_who_shows_the_token(tmp_path: Path) -> None:
    async def story(talk: Talk) -> Answer:
        await talk.arrives(b"{")
        await talk.work()
        await talk.arrives(Opened(talk.now, "en"))
        talk.now += timedelta(seconds=7)
        watched = watch(talk, works=lambda: True)
        said = (await get(watched, "/healthz", TOKEN, TOKEN)).json()
        assert said == {"ok": True} | asdict(Backlog(7.0, 0.0, 0, 1))
        for shown in ("", "x", TOKEN[:-1], TOKEN + "x", "é" * 40):
            answer = await get(watched, "/healthz", TOKEN, shown)
            assert answer.json() == {"ok": True}
        return await health(watched)

    assert told(tmp_path, story) == WELL


def test_metrics_are_off_without_a_token_and_closed_to_who_does_not_show_it(
    tmp_path: Path,
) -> None:
    async def story(talk: Talk) -> Answer:
        watched = watch(talk)
        assert (await get(watched, "/metrics")).status_code == 404
        assert (await get(watched, "/metrics", "", "")).status_code == 404
        for shown in ("", "x", TOKEN[:-1]):
            answer = await get(watched, "/metrics", TOKEN, shown)
            assert (answer.status_code, answer.content) == (401, b"")
        opened = await get(watched, "/metrics", TOKEN, TOKEN)
        assert opened.status_code == 200
        assert "sala_ok 0.0" in opened.text
        return await health(watched)

    assert told(tmp_path, story) == NO_WORKER


# ---------------------------------------------------------------- what is counted


def counted(said: str) -> dict[str, float]:
    """Every number by its name and labels."""
    rows = (row.rpartition(" ") for row in said.splitlines() if not row.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def rises(name: str, act: Callable[[], None]) -> list[float]:
    """What the page shows of a number before and after each of ten acts, from its start there."""
    shown = [counted(metrics.told().decode())[name]]
    for _ in range(10):
        act()
        shown.append(counted(metrics.told().decode())[name])
    return [one - shown[0] for one in shown]


PEOPLES: Sequence[tuple[str, Callable[[], None]]] = [
    ('sala_messages_received_total{door="line"}', lambda: metrics.arrived("line")),
    ("sala_turns_total", metrics.TURNS.inc),
    ('sala_effects_total{door="line",outcome="gone"}', lambda: metrics.effect("line", "gone")),
    ('sala_jail_total{outcome="hashed"}', metrics.JAILED["hashed"].inc),
    ("sala_registrations_total", metrics.REGISTERED.inc),
    ("sala_store_commit_seconds_count", lambda: metrics.COMMITS.observe(0.002)),
    ('sala_store_commit_seconds_bucket{le="0.0025"}', lambda: metrics.COMMITS.observe(0.002)),
]


@pytest.mark.parametrize(("name", "act"), PEOPLES)
def test_what_people_do_is_shown_in_whole_fives(name: str, act: Callable[[], None]) -> None:
    shown = rises(name, act)
    assert len({*shown}) == 3
    assert shown[-1] == 10
    assert {step for step in (b - a for a, b in pairwise(shown)) if step} == {5}


def test_what_machines_do_is_shown_as_it_is() -> None:
    for name, act in (
        ("sala_exchange_pages_total", metrics.PAGES.inc),
        ('sala_faults_total{event="turn_parked"}', lambda: metrics.fault("turn_parked")),
    ):
        assert rises(name, act) == [float(n) for n in range(11)]


def test_a_talk_is_counted_where_it_passes(tmp_path: Path) -> None:
    """The fives of many taps: a fault in wiring would leave one of them still."""

    async def story(talk: Talk) -> Answer:
        before = counted(metrics.told().decode())
        for _ in range(10):
            await talk.opens()
        talk.door.fails = [Unreachable() for _ in range(10)]
        for _ in range(10):
            await talk.opens()
        for _ in range(2):
            await talk.arrives(b"{")
        await talk.work()
        rose = {
            name: value - before[name]
            for name, value in counted(metrics.told().decode()).items()
            if value != before[name]
        }
        assert rose["sala_turns_total"] >= 15
        assert rose['sala_effects_total{door="other",outcome="sent"}'] >= 10
        assert rose['sala_effects_total{door="other",outcome="gone"}'] >= 5
        assert rose["sala_store_commit_seconds_count"] >= 40
        assert rose['sala_faults_total{event="turn_parked"}'] == 2
        return await health(watch(talk))

    told(tmp_path, story)


def test_the_page_of_numbers_has_closed_labels_and_no_other_words(tmp_path: Path) -> None:
    async def story(talk: Talk) -> Answer:
        await talk.makes_a_case()
        await talk.arrives(Opened(talk.now, "en"))
        talk.now += timedelta(seconds=64)
        watched = watch(talk, ear=lambda: True, jail=lambda: False)
        page = (await get(watched, "/metrics", TOKEN, TOKEN)).text
        shown = counted(page)
        assert shown["sala_queue_seconds"] == 60
        assert shown["sala_ear_loaded"] == 1
        assert shown["sala_jail_able"] == shown["sala_ok"] == shown["sala_parked"] == 0
        labels = dict[str, set[str]]()
        for name, value in re.findall(r'(\w+)="([^"]*)"', page):
            labels.setdefault(name, set()).add(value)
        assert labels.pop("le")
        assert {*labels} == {"door", "outcome", "event", "status"}
        assert all(re.fullmatch(r"[a-z_]+|[0-9]{3}", one) for of in labels.values() for one in of)
        return await health(watched)

    told(tmp_path, story)
