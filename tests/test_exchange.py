"""Partners' own unmodified client pulls, matches and answers over real HTTP and a real database."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image
from threatexchange.exchanges.clients.stopncii.api import (
    StopNCIICaseStatus,
    StopNCIICSPFeedback,
    StopNCIICSPFeedbackValue,
    StopNCIISignalType,
)
from threatexchange.signal_type.md5 import VideoMD5Signal
from threatexchange.signal_type.pdq.signal import PdqSignal

from bot.cases.hashes import Hash, Item
from bot.cases.status import Told
from bot.hashing.image import hash_bytes
from bot.store import PartnerKeys
from tests.exchange_house import House, do, open_house
from tests.racing import race

PAGE = Path(__file__).parent.parent / "docs" / "partners.md"
PDQ, MD5 = StopNCIISignalType.ImagePDQ, StopNCIISignalType.VideoMD5
BLOCKED, REVIEW = StopNCIICSPFeedbackValue.Blocked, StopNCIICSPFeedbackValue.PendingReview
NOT_BLOCKED = StopNCIICSPFeedbackValue.NotBlocked


def photo(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((1200, 900), Image.Resampling.BICUBIC)


def encoded(picture: Image.Image, format: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def one_hash(n: int) -> Item:
    return Item("image", (Hash("pdq", "512", f"{n:064x}", 90),))


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    with open_house(tmp_path) as opened:
        yield opened


# ---------------------------------------------------------------- the library's own client


def test_an_unmodified_client_matches_a_re_encoded_copy(house: House):
    house.register("adults", hash_bytes(encoded(photo(1), "PNG"), "image"))
    copy = encoded(photo(1).resize((640, 480)), "JPEG", quality=60)

    exchange = house.partner("Example", "adults").exchange
    found: dict[Any, Any] = {}
    for delta in exchange.fetch_iter([PdqSignal], None):
        exchange.naive_fetch_merge(found, delta.updates)
    hashes = exchange.naive_convert_to_signal_type([PdqSignal], exchange.collab, found)[PdqSignal]
    index = PdqSignal.get_index_cls().build(hashes.items())

    assert index.query(PdqSignal.hash_from_bytes(copy))
    assert not index.query(PdqSignal.hash_from_bytes(encoded(photo(2), "JPEG")))


def test_a_video_is_listed_by_its_md5_alone(house: House):
    video = hash_bytes(b"\0\0\0\x18ftypisom" + b"\1" * 500, "video")
    house.register("adults", video)
    records = house.partner("Example", "adults").api.fetch_hashes().hashRecords
    assert [(r.signalType, r.hashValue) for r in records] == [(MD5, video.hashes[0].value)]
    assert VideoMD5Signal.validate_signal_str(records[0].hashValue)


def test_small_pages_give_every_record_once(house: House):
    house.register("adults", *map(one_hash, range(7)))
    pages = list(house.partner("Example", "adults").pages(size=2))
    assert [page.count for page in pages] == [len(page.hashRecords) for page in pages]
    values = [record.hashValue for page in pages for record in page.hashRecords]
    assert sorted(values) == [f"{n:064x}" for n in range(7)]
    assert [page.hasMoreRecords for page in pages][-1] is False


def test_blocked_reaches_the_person_who_registered(house: House):
    number = house.register("adults", one_hash(1))
    example = house.partner("Example", "adults")
    example.listed()
    assert house.standing(number).told == (Told("Example", "shared"),)
    house.wait(minutes=5)
    example.api.submit_feedback(PDQ, f"{1:064x}", BLOCKED, {"Nude"})
    assert house.standing(number).told == (Told("Example", "blocked"),)
    assert house.woken == [house.now]


def test_a_later_word_replaces_an_earlier_one(house: House):
    number = house.register("adults", one_hash(1))
    example = house.partner("Example", "adults")
    for value, outcome in ((REVIEW, "looking"), (NOT_BLOCKED, "not_blocked")):
        house.wait(minutes=5)
        example.api.submit_feedback(PDQ, f"{1:064x}", value)
        assert house.standing(number).told == (Told("Example", outcome),)


def test_feedback_given_twice_is_one(house: House):
    house.register("adults", one_hash(1))
    example = house.partner("Example", "adults")
    house.wait(minutes=5)
    example.api.submit_feedback(PDQ, f"{1:064x}", BLOCKED, {"b", "a"})
    once = example.get().json()
    house.wait(minutes=5)
    example.api.submit_feedback(PDQ, f"{1:064x}", BLOCKED, {"a", "b"})
    assert example.get().json() == once
    assert once["hashRecords"][0]["CSPFeedbacks"] == [
        {"source": "Example", "feedbackValue": "Blocked", "tags": ["a", "b"]}
    ]


def test_the_answer_does_not_tell_whether_a_hash_is_listed(house: House):
    house.register("adults", one_hash(1))
    example = house.partner("Example", "adults")
    entries = [
        {"hashValue": value, "feedbackValue": "Blocked", "tags": []}
        for value in (f"{1:064x}", f"{2:064x}", "no hash at all")
    ]
    answers = [example.post({"count": 1, "hashFeedbacks": [entry]}) for entry in entries]
    assert {(a.status_code, a.text) for a in answers} == {(200, '{"count":1}')}


def test_the_page_for_partners_is_code_that_runs(
    house: House,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    item = hash_bytes(encoded(photo(1), "PNG"), "image")
    number = house.register("adults", item)
    keys = house.partner("Example", "adults").keys
    address = f"{house.base}/exchange/v1"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TX_STOPNCII_KEYS", f"{keys.fetch_key},{keys.subscription_key},{address}")
    (tmp_path / "test.jpg").write_bytes(encoded(photo(1), "JPEG", quality=50))
    names: dict[str, Any] = {"match_hash": item.hashes[0].value}
    names |= {name.upper(): getattr(keys, name) for name in PartnerKeys.__slots__}
    house.wait(minutes=5)
    for part in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(part.replace("https://sala.example", house.base), names)
    assert capsys.readouterr().out
    assert house.standing(number).told == (Told("Example", "blocked"),)


# ---------------------------------------------------------------- two lists


def test_a_partner_of_one_list_never_sees_the_other(house: House):
    house.register("adults", one_hash(1))
    number = house.register("minors", one_hash(2))
    example = house.partner("Example", "adults")
    assert example.listed() == {f"{1:064x}"}
    house.wait(minutes=5)
    example.api.submit_feedback(PDQ, f"{2:064x}", BLOCKED)
    assert house.standing(number).told == ()
    example.base = f"{house.base}/exchange/minors/v1"
    assert example.get().status_code == 403
    assert example.post({"hashFeedbacks": []}).status_code == 403


def test_each_list_has_an_address_of_its_own(house: House):
    house.register("adults", one_hash(1))
    number = house.register("minors", one_hash(2))
    both = house.partner("Example", "adults", "minors")
    assert both.listed() == {f"{1:064x}", f"{2:064x}"}
    both.base = f"{house.base}/exchange/minors/v1"
    assert both.listed() == {f"{2:064x}"}
    house.wait(minutes=5)
    both.base = f"{house.base}/exchange/adults/v1"
    both.api.submit_feedback(PDQ, f"{2:064x}", BLOCKED)
    assert house.standing(number).told == (Told("Example", "shared"),)


# ---------------------------------------------------------------- keys and limits


@pytest.mark.parametrize("missing", ["x-functions-key", "Ocp-Apim-Subscription-Key", None])
def test_a_wrong_or_missing_key_opens_nothing(house: House, missing):
    example = house.partner("Example", "adults")
    example.keys = PartnerKeys("wrong", example.keys.subscription_key, example.keys.fetch_key)
    headers = example.headers("wrong")
    headers.pop(missing or "", None)
    for said in (
        requests.get(f"{example.base}/FetchHashes", headers=headers, timeout=10),
        requests.post(f"{example.base}/SubmitFeedback", b"{}", headers=headers, timeout=10),
    ):
        assert (said.status_code, said.json()) == (401, {"error": "unauthorized"})


def test_the_fetch_key_cannot_answer_nor_the_feedback_key_fetch(house: House):
    example = house.partner("Example", "adults")
    fetch, feedback = example.keys.fetch_key, example.keys.feedback_key
    example.keys = PartnerKeys(feedback, example.keys.subscription_key, fetch)
    assert example.get().status_code == 401
    assert example.post({"hashFeedbacks": []}).status_code == 401


def test_one_partners_keys_do_not_go_with_anothers(house: House):
    one, other = house.partner("One", "adults"), house.partner("Other", "adults")
    one.keys = PartnerKeys(one.keys.fetch_key, other.keys.subscription_key, "")
    with pytest.raises(requests.HTTPError, match="401"):
        one.api.fetch_hashes()


def test_a_partner_that_asks_too_often_is_told_when_to_return(house: House):
    example, other = house.partner("Example", "adults"), house.partner("Other", "adults")
    answers = [example.get() for _ in range(61)]
    assert {a.status_code for a in answers[:60]} == {200}
    assert (answers[60].status_code, answers[60].headers["Retry-After"]) == (429, "1")
    assert other.get().status_code == 200
    house.wait(seconds=1)
    assert example.get().status_code == 200


def test_every_answer_is_kept_by_nobody(house: House):
    example = house.partner("Example", "adults")
    for said in (example.get(), example.get(nextPageToken="?"), example.post(b"[]")):
        assert said.headers["Cache-Control"] == "no-store"
        assert said.headers["X-Content-Type-Options"] == "nosniff"
        assert said.headers["Content-Type"] == "application/json"


def test_a_body_over_a_megabyte_is_not_read(house: House):
    example = house.partner("Example", "adults")
    assert example.post(b" " * 1_000_001).status_code == 413
    assert example.post(b'{"hashFeedbacks": []}' + b" " * 900_000).status_code == 200


def test_there_is_no_way_to_look_a_hash_up_and_no_third_list(house: House):
    for path in ("v1/Lookup", f"v1/{1:064x}", "everyone/v1/FetchHashes"):
        assert requests.get(f"{house.base}/exchange/{path}", timeout=10).status_code == 404


# ---------------------------------------------------------------- what partners add


def test_the_librarys_own_client_submits_what_its_agreement_lets_it(house: House):
    hotline = house.partner("Hotline", "adults", submits=True)
    for _ in range(2):  # POSTs are repeated, or not, by clients
        hotline.api.submit_hashes(
            {
                (PDQ, f"{1:064X}"): StopNCIICSPFeedback(BLOCKED, {"a"}),
                (MD5, f"{2:032x}"): StopNCIICSPFeedback(REVIEW),
                (StopNCIISignalType.URL, "https://a.example"): StopNCIICSPFeedback(BLOCKED),
            }
        )
    records = hotline.api.fetch_hashes().hashRecords
    assert [(one.signalType, one.hashValue, one.CSPFeedbacks) for one in records] == [
        (PDQ, f"{1:064x}", [StopNCIICSPFeedback(BLOCKED, {"a"}, "Hotline")]),
        (MD5, f"{2:032x}", [StopNCIICSPFeedback(REVIEW, set(), "Hotline")]),
    ]


def test_the_librarys_sample_signals_go_in_and_come_out_as_they_are(house: House):
    hotline = house.partner("Hotline", "adults", submits=True)
    examples = [
        (kind, value)
        for kind, signal in ((PDQ, PdqSignal), (MD5, VideoMD5Signal))
        for value in signal.get_examples()
    ]
    hotline.api.submit_hashes({one: StopNCIICSPFeedback(REVIEW) for one in examples})
    records = [record for page in hotline.pages(3) for record in page.hashRecords]
    assert {(one.signalType, one.hashValue) for one in records} == set(examples)
    assert len(records) == len(set(examples)) > 10


def test_without_the_key_for_it_or_a_list_of_its_own_nothing_is_added(house: House):
    reader, both = (
        house.partner("A", "adults"),
        house.partner("B", "adults", "minors", submits=True),
    )
    for platform, status in ((reader, 401), (both, 403)):
        with pytest.raises(requests.HTTPError, match=str(status)):
            platform.api.submit_hash(PDQ, f"{1:064x}")
    both.base = f"{house.base}/exchange/minors/v1"
    both.api.submit_hash(PDQ, f"{1:064x}")
    assert reader.listed() == set()
    assert both.listed() == {f"{1:064x}"}


def test_the_extension_that_partners_copy_is_served(house: House):
    said = requests.get(f"{house.base}/exchange/tx_sala.py", timeout=10)
    assert "TX_MANIFEST" in said.text


# ---------------------------------------------------------------- time, and withdrawal


def test_the_checkpoint_never_goes_back_while_hashes_are_written(house: House):
    example = house.partner("Example", "adults")
    house.register("adults", *map(one_hash, range(5)))
    checkpoints, values = [10], set()
    for page, passed in zip(example.pages(size=2), (0, 3, -60, 5, 0, 0, 0, 0), strict=False):
        checkpoints.append(page.nextSetTimestamp)
        values |= {record.hashValue for record in page.hashRecords}
        house.wait(seconds=passed)
        if len(checkpoints) < 5:
            house.register("adults", one_hash(100 + len(checkpoints)))
    rest = example.api.fetch_hashes(start_timestamp=checkpoints[-1])
    checkpoints.append(rest.nextSetTimestamp)
    values |= {record.hashValue for record in rest.hashRecords}
    assert checkpoints == sorted(checkpoints)
    assert values == {f"{n:064x}" for n in (*range(5), 102, 103, 104)}


def test_after_one_new_hash_the_next_fetch_is_one_record(house: House):
    example = house.partner("Example", "adults")
    house.register("adults", *map(one_hash, range(5)))
    checkpoint = list(example.pages(size=2))[-1].nextSetTimestamp
    for n in (7, 8):
        assert example.api.fetch_hashes(start_timestamp=checkpoint).hashRecords == []
        house.register("adults", one_hash(n))  # in the same second, by a clock that stands
        delta = example.api.fetch_hashes(start_timestamp=checkpoint)
        assert [one.hashValue for one in delta.hashRecords] == [f"{n:064x}"]
        assert delta.nextSetTimestamp > checkpoint
        checkpoint = delta.nextSetTimestamp


def test_a_page_token_says_nothing_of_the_other_list_and_opens_only_its_own_walk(house: House):
    adults, both = house.partner("Example", "adults"), house.partner("Other", "adults", "minors")
    house.register("adults", *map(one_hash, range(3)))
    house.register("minors", *map(one_hash, range(9)))
    token = adults.get(pageSize=2).json()["nextPageToken"]
    place = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert not place.startswith(b"1.")
    assert adults.get(nextPageToken=token).json()["count"] == 1
    by_itself = replace(both, base=both.base.replace("/exchange/", "/exchange/adults/"))
    made_up = urlsafe_b64encode(b"1.0.0.0").decode()
    for partner, given in ((both, token), (by_itself, token), (adults, made_up)):
        refused = partner.get(nextPageToken=given)
        assert (refused.status_code, refused.json()) == (
            400, {"error": "bad request: nextPageToken"},
        )  # fmt: skip


def test_an_empty_answer_keeps_the_checkpoint_it_was_asked_for(house: House):
    answer = house.partner("Example", "adults").api.fetch_hashes(start_timestamp=1_900_000_000)
    assert (answer.count, answer.nextSetTimestamp) == (0, 1_900_000_000)


def test_a_withdrawn_hash_is_served_as_withdrawn_with_a_word_old_clients_show(house: House):
    number = house.register("adults", one_hash(1))
    example = house.partner("Example", "adults")
    before = example.api.fetch_hashes()
    assert before.hashRecords[0].hashStatus is StopNCIICaseStatus.Active
    house.wait(hours=1)
    do(house.store.withdraw(number, house.now, erase=False))
    assert do(house.store.sweep(house.now)) == 1
    after = example.api.fetch_hashes(start_timestamp=before.nextSetTimestamp)
    assert after.nextSetTimestamp > before.nextSetTimestamp
    (record,) = after.hashRecords
    assert record.hashStatus is StopNCIICaseStatus.Withdrawn
    assert set(record.caseNumbers.values()) == {StopNCIICaseStatus.Withdrawn}
    assert record.CSPFeedbacks == [StopNCIICSPFeedback(NOT_BLOCKED, {"withdrawn"}, "sala")]


def test_nothing_is_skipped_across_pages_while_hashes_are_written(house: House):
    assert race(house, records=1_000, page=40) >= 25
