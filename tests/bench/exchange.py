"""What partners cost, and what a poisoner can do: run alone, `python -m tests.bench.exchange`,
or one part of it: `… fetch`, `pages`, `race` or `poison`.

A full `tx fetch` of 100,000 hashes, server's CPU beside the client's; a page of 800 out of a
million beside one out of ten thousand; the delta after one new hash; 100,000 records written and
paged at once; a day of a hundred accounts that poison. Linux (it reads /proc).
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

from sqlite_utils.utils import sqlite3

from bot.cases.hashes import Hash, Item
from bot.exchange import stopncii
from bot.store import ConversationId, NotTaken, Partner, Ticket, TooManyImages
from bot.store.denials import SEVERAL
from bot.store.ledger import MAX_A_DAY
from bot.store.listing import hash_id
from bot.store.sqlite import SqliteStore
from bot.vault import Vault, load_or_make
from tests.exchange_house import open_house
from tests.racing import race
from tests.serving import clean_environment, served

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
TX = Path(sys.executable).with_name("tx")
HASHES = int(os.environ.get("SALA_BENCH_HASHES", "100000"))
MANY = int(os.environ.get("SALA_BENCH_MANY", "1000000"))
FEW = 10_000
ACCOUNTS = int(os.environ.get("SALA_BENCH_ACCOUNTS", "100"))
CASE = bytes(16)


def fill(path: Path, vault: Vault, hashes: int) -> None:
    """List so many PDQ hashes of one case, as register() would, in one transaction."""
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("synchronous = off", "cache_size = -400000"):
        db.execute(f"pragma {pragma}")
    (change,) = db.execute("select change from edge").fetchone()
    begin = int(NOW.timestamp())
    case = (CASE, CASE, b"", "adults", "Active", begin * 10**6, b"")
    db.execute("begin immediate")
    db.execute("""insert or ignore into cases(id, number_digest, number, list, status, created_at,
      pin) values (?, ?, ?, ?, ?, ?, ?)""", case)  # fmt: skip
    chance = Random(change)

    def rows() -> Iterator[tuple[object, ...]]:
        for n in range(change + 1, change + 1 + hashes):
            value = f"{chance.getrandbits(256):064x}"
            id = hash_id(vault, "adults", "ImagePDQ", value)
            sealed = vault.seal(f"hash.value|{id.hex()}", value.encode())
            yield id, "adults", "pdq", "ImagePDQ", sealed, 90, "Active", begin + n // 20, n

    db.executemany("insert into hash values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows())
    db.execute("""insert into claim(cases, hash, image, variant, registered_at, status, change,
      posted_at) select ?, id, 1, '512', ?, 'Active', change, ? from hash where change > ?""",
      (CASE, begin * 10**6, begin * 10**6, change))  # fmt: skip
    last = change + hashes
    db.execute("update edge set change = ?, modified = ?", (last, begin + last // 20))
    db.execute("commit")
    db.close()


# ---------------------------------------------------------------- the real tx


def cpu_of(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tx(folder: Path, *words: str) -> float:
    """CPU seconds of one `tx` command."""
    environment = clean_environment(folder) | {
        "HOME": str(folder), "TX_STATEDIR": str(folder / "state"), "PYTHONPATH": str(folder),
        "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    child = subprocess.Popen([TX, *words], cwd=folder, env=environment)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return used.ru_utime + used.ru_stime


def full_fetch(folder: Path) -> None:
    with served(folder) as sala:
        made = sala.command("partner", "add", "Chirp", "--list", "adults", "--json",
                            "--a-minute", "6000")  # fmt: skip
        keys = json.loads(made)
        vault, _ = load_or_make(folder / "keys")
        fill(folder / "sala.db", vault, HASHES)
        url = f"{sala.url}/exchange/v1"
        source = Path(stopncii.__file__).with_name("tx_sala.py")
        (folder / "tx_sala.py").write_bytes(source.read_bytes())
        names = ("fetch_key", "subscription_key", "feedback_key")
        (folder / ".tx_sala_keys").write_text(",".join([url, *(keys[n] for n in names)]))
        tx(folder, "config", "extensions", "add", "tx_sala")
        tx(folder, "config", "collab", "edit", "sala", "--create", "Sala", "--url", url)
        before, began = cpu_of(sala.process.pid), time.perf_counter()
        client = tx(folder, "fetch", "--skip-index-rebuild")
        wall = time.perf_counter() - began
        server = cpu_of(sala.process.pid) - before
    share = 100 * server / client
    print(f"tx fetch of {HASHES:,}: client {client:.1f} s CPU, server {server:.1f} s CPU "
          f"({share:.0f} %; aim 25), {wall:.0f} s")  # fmt: skip


# ---------------------------------------------------------------- pages and deltas


async def page_cost(folder: Path, hashes: int) -> float:
    """CPU milliseconds of a page of 800 in the middle of the list, least of thirty."""
    vault = Vault.generate()
    store = SqliteStore.open(folder / f"{hashes}.db", vault, lambda: NOW)
    await store.add_partner("Chirp", ["adults"], NOW)
    (partner,) = await store.partners()
    fill(folder / f"{hashes}.db", vault, hashes)
    query = stopncii.Query(0, 800, None, 0)
    costs = []
    for turn in range(30):
        place = hashes // 2 + 800 * (turn % 5)
        began = time.process_time()
        page = await store.feed(partner, ["adults"], 0, place, 800, NOW)
        stopncii.answer(page, query, partial(vault.seal, "feed.token"))
        costs.append(time.process_time() - began)
        assert len(page.records) == 800
    await one_more(store, partner, vault, hashes)
    await store.close()
    return min(costs) * 1000


async def one_more(store: SqliteStore, partner: Partner, vault: Vault, hashes: int) -> None:
    """The delta after one new hash is one record."""
    whole = await store.feed(partner, ["adults"], 0, hashes - 5, 800, NOW)
    assert (len(whole.records), whole.cursor) == (5, None)
    newest = max(record.modified for record in whole.records)
    whole = await store.feed(partner, ["adults"], newest, None, 800, NOW)
    ticket = Ticket(vault.randoms(32), ConversationId(b"x" * 16), "adults", NOW + timedelta(1))
    await store.issue(ticket)
    await store.register(ticket.digest, [picture(1)], NOW)
    delta = await store.feed(partner, ["adults"], whole.checkpoint, None, 800, NOW)
    assert len(delta.records) == 1


def picture(value: int) -> Item:
    return Item("image", (Hash("pdq", "512", f"{value:064x}", 90),))


def pages(folder: Path) -> None:
    few = asyncio.run(page_cost(folder, FEW))
    many = asyncio.run(page_cost(folder, MANY))
    print(f"page of 800: {few:.1f} ms CPU of {FEW:,}, {many:.1f} ms of {MANY:,} "
          f"({many / few:.2f} ×; aim 1.5); the delta after one new hash: one record")  # fmt: skip


# ---------------------------------------------------------------- written and paged at once


def racing(folder: Path) -> None:
    began = time.perf_counter()
    with open_house(folder) as house:
        read = race(house, HASHES, 800)
    print(f"{HASHES:,} records written and paged at once: {read:,} pages, none skipped, "
          f"checkpoints only forward ({time.perf_counter() - began:.0f} s)")  # fmt: skip


# ---------------------------------------------------------------- a day of poisoning


async def poison(folder: Path, accounts: int = ACCOUNTS) -> None:
    """A hundred accounts post codes of the widest form all day, as fast as is taken: invented ones,
    then changed copies of ten pictures, then such copies after several partners refused the ten."""
    store = SqliteStore.open(folder / "poison.db", Vault.generate(), lambda: NOW)
    chance = Random(1)
    ten = [chance.getrandbits(256) for _ in range(10)]
    print(f"a day of {accounts} accounts, invented pictures: "
          f"{await a_day(store, b'a', accounts, lambda: invented(chance))}")  # fmt: skip
    print(f"changed copies of ten pictures: "
          f"{await a_day(store, b'b', accounts, lambda: copy(chance, ten))}")  # fmt: skip
    for one in ten:
        await refused(store, f"{one:064x}")
    print(f"changed copies of the ten, which {SEVERAL} partners refused: "
          f"{await a_day(store, b'c', accounts, lambda: copy(chance, ten))}")  # fmt: skip
    await store.close()


async def a_day(store: SqliteStore, day: bytes, accounts: int, made: Callable[[], Item]) -> str:
    cases = pictures = refused = 0
    before = sum(count for *_, count in await store.listed())
    for account in range(accounts):
        who = ConversationId(day + account.to_bytes(15))
        for _ in range(MAX_A_DAY // 10 + 1):
            items = [made() for _ in range(10)]
            digest = os.urandom(32)
            await store.issue(Ticket(digest, who, "adults", NOW + timedelta(hours=1)))
            try:
                pictures += (await store.register(digest, items, NOW)).images
                cases += 1
            except (TooManyImages, NotTaken):
                refused += 1
    listed = sum(count for *_, count in await store.listed()) - before
    return f"{cases} cases, {pictures:,} pictures, {listed:,} codes listed, {refused} posts refused"


async def refused(store: SqliteStore, value: str) -> None:
    """A person registers it, and several partners refuse it."""
    digest = os.urandom(32)
    await store.issue(
        Ticket(digest, ConversationId(digest[:16]), "adults", NOW + timedelta(hours=1))
    )
    await store.register(digest, [picture(int(value, 16))], NOW)
    for n in range(SEVERAL):
        with suppress(ValueError):
            await store.add_partner(f"P{n}", ["adults"], NOW)
    for partner in await store.partners():
        await store.give_feedback(partner, [(value, "NotBlocked", ())], NOW)


def invented(chance: Random) -> Item:
    return widest([chance.getrandbits(256) for _ in range(32)])


def copy(chance: Random, ten: list[int]) -> Item:
    """Of one of the ten, changed 32 times by up to 15 bits: each would match it at a partner."""
    one = chance.choice(ten)
    bits = [
        sum(1 << n for n in chance.sample(range(256), chance.randint(1, 15))) for _ in range(32)
    ]
    return widest([one ^ changed for changed in bits])


def widest(values: list[int]) -> Item:
    hashes = (Hash("pdq", f"self-{n + 1}", f"{value:064x}", 90) for n, value in enumerate(values))
    return Item("image", tuple(hashes))


def poisoning(folder: Path) -> None:
    asyncio.run(poison(folder))


PARTS = {"fetch": full_fetch, "pages": pages, "race": racing, "poison": poisoning}


def main(*named: str) -> None:
    print(f"load {os.getloadavg()[0]:.1f}")
    for name in named or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[name](Path(folder))
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
