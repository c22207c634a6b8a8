"""What an operator sees of cases, partners and the exchange: numbers, never a hash or a person."""

import asyncio
import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from bot.cli import main
from bot.exchange.transparency import FEWEST, as_csv, as_page, span
from bot.hashing.image import hash_file
from bot.store import ConversationId, NotTaken, Registered, Ticket
from bot.store.denials import SEVERAL
from bot.store.sqlite import SqliteStore
from bot.vault import load_or_make
from tests.cases_kept import picture

Sala = Callable[..., Result]
HASH = "c0ffee" * 10 + "abcd"
ANN = ConversationId(b"a" * 16)


@pytest.fixture
def sala(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sala:
    """`sala …` in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Result:
        environment = {"SALA_DATA_DIR": str(tmp_path / "data")}
        return CliRunner(env=environment).invoke(main, words)

    return run


def wall(path: Path) -> Path:
    small = np.random.default_rng(3).integers(0, 256, (9, 12, 3), np.uint8)
    Image.fromarray(small).resize((800, 600), Image.Resampling.BICUBIC).save(path)
    return path


def lived(folder: Path, partners: tuple[str, ...] = ()) -> Registered:
    """A case of one picture, which these partners read and refused."""

    async def story() -> Registered:
        vault, _ = load_or_make(folder / "data" / "keys")
        now = datetime.now(UTC)
        store = SqliteStore.open(folder / "data" / "sala.db", vault)
        digest = vault.randoms(32)
        await store.issue(Ticket(digest, ANN, "adults", now + timedelta(hours=1)))
        case = await store.register(digest, [picture(HASH)], now)
        for partner in await store.partners():
            if partner.name in partners:
                await store.feed(partner, ["adults"], 0, None, 9, now)
                later = now + timedelta(seconds=1)
                await store.give_feedback(partner, [(HASH, "NotBlocked", ())], later)
        await store.close()
        return case

    return asyncio.run(story())


def test_a_case_is_shown_in_numbers(sala: Sala, tmp_path: Path) -> None:
    sala("partner", "add", "Chirp", "--list", "adults")
    case = lived(tmp_path, ("Chirp",))
    shown = sala("case", case.number).stdout.splitlines()
    assert shown[0] == "adults' list, Active, 1 pictures and videos"
    assert shown[2:] == ["  Chirp: not_blocked"]
    assert sala("case").stdout == "adults, Active: 1 cases, 1 pictures and videos\n"
    assert sala("case", "ZZZ-ZZZ-ZZZ").exit_code == 1


def test_partners_and_the_exchange_are_shown_in_numbers(sala: Sala, tmp_path: Path) -> None:
    for name in ("Chirp", "Plaza"):
        sala("partner", "add", name, "--list", "adults", "--a-minute", "90")
    lived(tmp_path, ("Chirp",))
    turned = json.loads(sala("partner", "rotate", "Plaza", "--json").stdout)
    assert turned.keys() == {"fetch_key", "subscription_key", "feedback_key"}
    shown = sala("partner", "show").stdout
    assert "1 pages, 1 records in thirty days" in shown
    assert "answered on 1 hashes" in shown
    assert "may ask 90 times a minute" in shown
    assert "former keys open until" in shown
    assert "last read: not in thirty days" in shown
    assert "1 changes of the adults' list not fetched yet" in shown
    state = sala("exchange").stdout.splitlines()
    assert state[0] == "adults, Active: 1 hashes"
    assert state[-1] == "denylist: 0 codes; 0 to decide (sala exchange queue)"
    sala("partner", "revoke", "Plaza", "--former")
    assert "former keys" not in sala("partner", "show").stdout
    sala("partner", "revoke", "Plaza")
    assert sala("partner", "list").stdout == "Chirp: adults\nPlaza: adults (revoked)\n"
    for words in (("rotate", "Plaza"), ("revoke", "Nobody")):
        refused = sala("partner", *words)
        assert (refused.exit_code, "no partner of this name" in refused.stderr) == (1, True)


def test_the_queue_shows_numbers_and_is_decided(sala: Sala, tmp_path: Path) -> None:
    names = tuple(f"P{n}" for n in range(SEVERAL))
    for name in names:
        sala("partner", "add", name, "--list", "adults")
    case = lived(tmp_path, names)
    shown = sala("exchange", "queue").stdout
    assert shown.startswith("1  pdq, from partners, since 20")
    assert sala("exchange", "decide", "1", "deny").exit_code == 0
    with pytest.raises(NotTaken):
        lived(tmp_path)
    assert sala("exchange", "decide", "1", "allow").exit_code == 0
    lived(tmp_path)
    assert sala("exchange", "decide", "7", "deny").exit_code == 1
    everything = [sala(*words).output for words in (
        ("case",), ("case", case.number), ("partner", "show"), ("exchange",),
        ("exchange", "queue"), ("exchange", "report", f"{datetime.now(UTC):%Y-%m}"),
    )]  # fmt: skip
    for secret in (HASH, case.pin or "", ANN.hex()):
        assert not [text for text in everything if secret in text]


def test_pictures_of_everybodys_are_denied_from_a_file_or_a_folder(
    sala: Sala, tmp_path: Path
) -> None:
    folder = tmp_path / "backgrounds"
    folder.mkdir()
    file = wall(folder / "hills.png")
    (folder / "README").write_text("no picture")
    said = sala("exchange", "deny", str(folder)).stdout
    codes = len(hash_file(file).hashes)
    assert said == f"1 pictures, {codes} new codes on the denylist\n"
    assert sala("exchange", "deny", str(file)).stdout.startswith("1 pictures, 0 new codes")
    refused = sala("exchange", "deny", str(folder / "README"))
    assert refused.exit_code == 1
    assert f"denylist: {codes} codes" in sala("exchange").stdout


# ---------------------------------------------------------------- the transparency file


def test_a_month_comes_out_as_csv_and_as_a_page(sala: Sala, tmp_path: Path) -> None:
    sala("partner", "add", "Chirp", "--list", "adults")
    lived(tmp_path, ("Chirp",))
    month = f"{datetime.now(UTC):%Y-%m}"
    rows = list(csv.DictReader(StringIO(sala("exchange", "report", month).stdout)))
    counted = {row["what"]: row["count"] for row in rows}
    assert counted["cases opened"] == counted["answer NotBlocked"] == f"under {FEWEST}"
    page = sala("exchange", "report", month, "--page").stdout
    assert "<td>cases opened<td>adults<td>under 5" in page
    for wrong in ("2026-13", "soon", "9999-01"):
        assert sala("exchange", "report", wrong).exit_code == 1


def test_no_number_under_five_is_given_and_no_sum() -> None:
    rows = [("cases opened", "adults", 4), ("cases opened", "minors", 5), ("<b>", "adults", 0)]
    assert as_csv("2026-11", rows).splitlines() == [
        "month,what,list,count",
        "2026-11,cases opened,adults,under 5",
        "2026-11,cases opened,minors,5",
        "2026-11,<b>,adults,under 5",
    ]
    assert "<b>" not in as_page("2026-11", rows)
    assert span("2026-12") == (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
