"""A partner pages through the list while it is being written, and misses nothing (in small for the
suite, with 100,000 records for tests/bench)."""

import random
from collections.abc import Iterator
from datetime import timedelta
from threading import Thread

from bot.store import Partner, Submitted
from tests.exchange_house import House, Platform, do

AT_ONCE = 25


def race(house: House, records: int, page: int) -> int:
    """Write so many, pages of so many read beside it; the pages read. AssertionError if any record
    was skipped, is not as it last stood, or the checkpoint went back."""
    reader = house.partner("Reader", "adults", a_minute=10**6)
    writer = Thread(target=_write, args=(house, records))
    latest: dict[str, object] = {}
    checkpoint = pages = 0
    writer.start()
    while True:
        last = not writer.is_alive()
        for got in _walk(reader, checkpoint, page):
            assert got["nextSetTimestamp"] >= checkpoint, "the checkpoint went back"
            checkpoint = got["nextSetTimestamp"]
            pages += 1
            for record in got["hashRecords"]:
                latest[record["hashValue"]] = record
        if last:
            break
    truth = {
        record["hashValue"]: record
        for got in _walk(reader, 0, 800)
        for record in got["hashRecords"]
    }
    assert len(truth) == records
    assert latest == truth, "a record was skipped, or is not as it last stood"
    return pages


def _walk(reader: Platform, start: int, page: int) -> Iterator[dict[str, object]]:
    token: object = ""
    while token is not None:
        answer = reader.get(startTimestamp=start, pageSize=page, nextPageToken=token)
        assert answer.status_code == 200
        got = answer.json()
        assert (got["nextPageToken"] is not None) == got["hasMoreRecords"]
        yield got
        token = got["nextPageToken"]


def _write(house: House, records: int) -> None:
    """New hashes, words on old ones, and withdrawals; the clock goes on, stands, and goes back."""
    do(house.store.add_partner("Writer", ["adults"], house.now, submits=True))
    (giver,) = [one for one in do(house.store.partners()) if one.name == "Writer"]
    chance = random.Random(7)
    for start in range(0, records, AT_ONCE):
        house.now += timedelta(seconds=chance.choice((-30, 0, 0, 1, 20)))
        some = range(start, min(records, start + AT_ONCE))
        do(house.store.submit(giver, "adults", [_add(n) for n in some], house.now))
        do(_answers(house, giver, [chance.randrange(start + 1) for _ in range(4)]))


async def _answers(house: House, giver: Partner, old: list[int]) -> None:
    words = [(f"{n:064x}", "PendingReview", (str(n),)) for n in old[:2]]
    await house.store.give_feedback(giver, words, house.now)
    gone = [Submitted("ImagePDQ", f"{n:064x}", "Withdrawn") for n in old[2:]]
    await house.store.submit(giver, "adults", gone, house.now)


def _add(n: int) -> Submitted:
    return Submitted("ImagePDQ", f"{n:064x}", "Blocked")
