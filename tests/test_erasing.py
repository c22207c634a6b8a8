"""One case, by its operator's hand: erased as C12 lets it, forgotten again, shown whole."""

import asyncio
import json
import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from bot.store import WITHDRAW_AFTER, Registered
from bot.store.ended import KEPT, Ended
from bot.store.moving import TABLES
from bot.store.shown import OF_ITS_TALKS, OF_THE_CASE
from bot.store.whole import WholeStore
from tests import databases
from tests.cases_kept import (
    ANN,
    BOB,
    NOW,
    A,
    B,
    after,
    dump,
    platform,
    record_of,
    registered,
    wrong,
)
from tests.operated import Sala, bytes_of, commands, with_store
from tests.turns_kept import event

pytestmark = pytest.mark.usefixtures("both")


@pytest.fixture
def sala(both: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sala:
    monkeypatch.chdir(tmp_path)
    return commands(tmp_path)


# ---------------------------------------------------------------- erase


def a_case(folder: Path, *values: str) -> Registered:
    """Ann's case, and Bob's beside it, which holds the first of her pictures too."""
    cases: list[Registered] = []

    async def story(store: WholeStore) -> None:
        for who in (ANN, BOB):
            await store.receive(event(who.hex(), who))
        cases.append(await registered(store, *values))
        await registered(store, values[0], name="u", who=BOB)

    with_store(folder, story)
    return cases[0]


def numbers(folder: Path) -> int:
    return len(dump(folder)["cases"])


def rows_about(folder: Path) -> list[bytes]:
    """What stands in the file about the one case that has two pictures."""
    kept = dump(folder)
    ((id, digest, number, *_, pin),) = [row[:7] for row in kept["cases"] if row[8] == 2]
    return [cell for cell in (id, digest, number, pin) if isinstance(cell, bytes)]


def test_with_number_and_pin_a_case_is_gone_from_the_bytes_while_sala_runs(
    sala: Sala, tmp_path: Path
) -> None:
    case = a_case(tmp_path, A, B)
    about = rows_about(tmp_path)
    assert len(about) == 4

    async def story(store: WholeStore) -> None:
        await store.receive(event("9"))
        said = f"{case.number.lower()}\n{case.pin}\n"
        assert all(one in bytes_of(tmp_path) for one in about)
        done = await asyncio.to_thread(sala, "erase", case.number, said=said)
        assert done.exit_code == 0, done.output
        assert "The case is erased." in done.stdout
        assert not any(one in bytes_of(tmp_path) for one in about)
        assert await store.standing(case.number) is None
        assert numbers(tmp_path) == 1

    with_store(tmp_path, story)


def test_another_number_typed_erases_nothing(sala: Sala, tmp_path: Path) -> None:
    case = a_case(tmp_path, A, B)
    before = dump(tmp_path)
    for said in ("K7Q-2XH-DPM\n", "\n\n\n", "no\n", ""):
        done = sala("erase", case.number, said=said)
        assert done.exit_code == 1
    assert sala("erase", "ZZZ-ZZZ-ZZZ", said="ZZZ-ZZZ-ZZZ\n").exit_code == 1
    assert dump(tmp_path) == before


def test_without_the_pin_it_waits_and_can_be_undone(sala: Sala, tmp_path: Path) -> None:
    case = a_case(tmp_path, A, B)
    done = sala("erase", case.number, said=f"{case.number}\n\n")
    assert done.exit_code == 0
    assert "in 48 hours" in done.stdout
    assert numbers(tmp_path) == 2
    planned = [row[9] for row in dump(tmp_path)["cases"] if row[9]]
    assert len(planned) == 1
    assert sala("erase", case.number, "--undo").exit_code == 0
    assert not any(row[9] or row[10] for row in dump(tmp_path)["cases"])


def test_a_wrong_pin_erases_nothing_and_tries_are_counted(sala: Sala, tmp_path: Path) -> None:
    case = a_case(tmp_path, A, B)
    said = f"{case.number}\n{wrong(case)}\n"
    refused = [sala("erase", case.number, said=said) for _ in range(4)]
    assert {one.exit_code for one in refused} == {1}
    assert ["next try" in one.stderr for one in refused] == [False, False, True, True]
    assert sala("erase", case.number, said=f"{case.number}\n{case.pin}\n").exit_code == 1
    assert numbers(tmp_path) == 2


# ---------------------------------------------------------------- restored


@pytest.mark.parametrize("erased", [True, False])
def test_a_copy_from_before_forgets_again_what_ended_since(
    sala: Sala, tmp_path: Path, erased: bool
) -> None:
    case = a_case(tmp_path, A, B)
    about = rows_about(tmp_path)

    async def ends(store: WholeStore) -> None:
        partner = await platform(store)
        assert (await record_of(store, partner, B)).status == "Active"
        await asyncio.to_thread(sala, "backup", "copy")
        await store.withdraw(case.number, NOW, erase=erased)
        await store.sweep(NOW)

    async def restored(store: WholeStore) -> None:
        (partner,) = await store.partners()
        assert (await record_of(store, partner, A)).status == "Active"
        assert (await record_of(store, partner, B)).status == "Withdrawn"
        standing = await store.standing(case.number)
        assert (standing is None) == erased
        assert standing is None or standing.status == "Withdrawn"
        assert any(one in bytes_of(tmp_path) for one in about) != erased

    with_store(tmp_path, ends)
    databases.put_back(tmp_path / "copy", tmp_path / "sala.db")
    assert any(one in bytes_of(tmp_path) for one in about)
    with_store(tmp_path, restored)
    held = dump(tmp_path)
    with_store(tmp_path, restored)
    assert dump(tmp_path)["hash"] == held["hash"], "it is forgotten once"


def test_what_was_withdrawn_and_came_back_by_the_persons_own_hand_stays(tmp_path: Path) -> None:
    case = a_case(tmp_path, A, B)

    async def back(store: WholeStore) -> None:
        await store.withdraw(case.number, NOW, erase=False)
        await store.sweep(NOW)
        again = {"name": "v", "number": case.number, "now": after(hours=-1)}
        await registered(store, B, **again)

    async def stays(store: WholeStore) -> None:
        standing = await store.standing(case.number)
        assert standing is not None
        assert standing.status == "Active"

    with_store(tmp_path, back)
    with_store(tmp_path, stays)


def test_what_is_written_down_names_nobody_and_goes_after_a_quarter(tmp_path: Path) -> None:
    case = a_case(tmp_path, A, B)

    async def ends(store: WholeStore) -> None:
        await store.withdraw(case.number, NOW + WITHDRAW_AFTER, erase=True)
        await store.sweep(NOW + WITHDRAW_AFTER)

    with_store(tmp_path, ends)
    (file,) = tmp_path.glob("sala.ended-*")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert case.number not in file.read_text()
    ended = Ended(tmp_path / "sala.db")
    ended.drop_old(NOW + KEPT)
    assert file.exists()
    ended.drop_old(NOW + KEPT + timedelta(days=31))
    assert not file.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="Only root writes for others.")
def test_what_root_writes_down_is_the_databases_owners(tmp_path: Path) -> None:
    (tmp_path / "sala.db").touch()
    os.chown(tmp_path / "sala.db", 65534, 65534)
    Ended(tmp_path / "sala.db").add(NOW, b"1" * 16, 5, erased=True)
    assert (tmp_path / "sala.ended-2026-03").stat().st_uid == 65534


def test_a_line_that_a_crash_cut_short_costs_no_other(tmp_path: Path) -> None:
    (tmp_path / "sala.db").touch()
    ended = Ended(tmp_path / "sala.db")
    ended.add(NOW, b"1" * 16, 5, erased=True)
    with (tmp_path / "sala.ended-2026-03").open("a") as file:
        file.write("\nerased 3131")
    ended.add(NOW, b"2" * 16, 7, erased=False)
    assert [(one.number, one.erased) for one in ended.since(4)] == [
        (b"1" * 16, True),
        (b"2" * 16, False),
    ]
    assert [one.number for one in ended.since(5)] == [b"2" * 16]


# ---------------------------------------------------------------- everything about one case

NOBODYS = {
    "seen", "edge", "partner", "fetched", "reading", "former_keys", "deposit", "service", "raised",
}  # fmt: skip
"""Tables without a row about a person: platforms', the feed's, and digests that lead to nobody.
Which platforms read past a code of the case is in what its person is told."""


def test_every_table_is_shown_or_is_nobodys() -> None:
    assert OF_THE_CASE.keys() | OF_ITS_TALKS.keys() | {"denial"} | NOBODYS == TABLES.keys()


def test_all_that_could_be_handed_over_about_a_case_is_shown_readable(
    sala: Sala, tmp_path: Path
) -> None:
    case = a_case(tmp_path, A, B)

    async def more(store: WholeStore) -> None:
        assert await store.everything("ZZZ-ZZZ-ZZZ") is None
        partner = await platform(store)
        await store.give_feedback(partner, [(B, "Blocked", ("a tag",))], after(seconds=1))
        await store.give_feedback(partner, [(A, "NotBlocked", ("other",))], after(seconds=-1))
        await store.follow(case.number, BOB, on=True)

    with_store(tmp_path, more)
    shown = json.loads(sala("export", "--everything", case.number.lower()).stdout)
    assert [one["number"] for one in shown["cases"]] == [case.number]
    assert sorted(one["value"] for one in shown["hash"]) == [A, B]
    assert [one["posted_at"] for one in shown["claim"]] == [NOW.isoformat()] * 2
    assert [(one["value"], one["tags"], one["partner"]) for one in shown["feedback"]] == [
        ("Blocked", ["a tag"], "Chirp")
    ]
    assert {one["id"] for one in shown["conversation"]} == {ANN.hex(), BOB.hex()}
    assert {one["address"] for one in shown["conversation"]} >= {"address of " + ANN.hex()}
    assert shown["told"]
    assert shown["inbox"]
    assert sala("export", "--everything", case.number, "file").stdout == ""
    assert json.loads((tmp_path / "file").read_text("utf-8")) == shown
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_nothing_in_it_tells_of_another_case_that_holds_the_same_picture(
    sala: Sala, tmp_path: Path
) -> None:
    """C13: whoever has the same file must not learn who else asked for help."""

    def shown_of(folder: Path, other: bool) -> dict[str, list[dict[str, object]]]:
        (folder / "data").mkdir(parents=True)
        cases: list[Registered] = []

        async def story(store: WholeStore) -> None:
            for who in (ANN, BOB):
                await store.receive(event(who.hex(), who))
            partner = await platform(store)
            if other:
                await registered(store, A, name="u", who=BOB, now=after(days=-9))
                await store.give_feedback(partner, [(A, "Blocked", ())], after(days=-8))
                await store.check_pin("K7Q-2XH-DPM", "000000", NOW, BOB)
            cases.append(await registered(store, A))
            await store.follow(cases[0].number, ANN, on=True)

        with_store(folder / "data", story)
        data = {"SALA_DATA_DIR": str(folder / "data")}
        found = sala("export", "--everything", cases[0].number, **data)
        return dict(json.loads(found.stdout))

    alone, beside = shown_of(tmp_path / "a", other=False), shown_of(tmp_path / "b", other=True)
    assert alone.keys() == beside.keys()
    assert {name: len(rows) for name, rows in alone.items()} == {
        name: len(rows) for name, rows in beside.items()
    }
    assert alone["told"] == beside["told"]
    for one, other in zip(alone["hash"], beside["hash"], strict=True):
        assert one.keys() == other.keys() == {"id", "list", "kind", "signal", "value", "quality"}
        assert {**one, "id": ""} == {**other, "id": ""}


def test_of_no_case_nothing_is_shown(sala: Sala, tmp_path: Path) -> None:
    sala("migrate")
    done = sala("export", "--everything", "ZZZ-ZZZ-ZZZ", "file")
    assert (done.exit_code, done.stdout) == (1, "")
    assert not (tmp_path / "file").exists()
    assert sala("export").exit_code == 2
