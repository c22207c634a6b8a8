"""StopNCII's wire protocol: what is read with patience, what is refused, what is sent whole."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.exchange.allowance import Allowance
from bot.exchange.stopncii import (
    BadRequest,
    Feedback,
    Query,
    read_feedback,
    read_signal,
)
from bot.exchange.stopncii import answer as written
from bot.exchange.stopncii import read_query as read
from bot.store import Page, Record

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def answer(page: Page, query: Query) -> dict[str, Any]:
    return json.loads(written(page, query, lambda token: token))


def read_query(asked: dict[str, str]) -> Query:
    return read(asked, lambda token: token)


def record(**changed: Any) -> Record:
    fields = {
        **{"modified": 5, "signal": "ImagePDQ", "value": "A" * 64, "status": "Active"},
        **{"cases": (("c", "Active"),), "feedback": ()},
    }
    return Record(**{**fields, **changed})


def test_a_record_is_whole_and_in_lower_case():
    page = Page((record(),), checkpoint=5, cursor=None)
    assert answer(page, Query(0, 800, None, 0))["hashRecords"] == [
        {
            **{"lastModtimestamp": 5, "signalType": "ImagePDQ", "hashValue": "a" * 64},
            **{"hashStatus": "Active", "caseNumbers": {"c": "Active"}, "CSPFeedbacks": []},
        }
    ]


@pytest.mark.parametrize("status", ["Withdrawn", "Deleted"])
def test_a_tombstone_keeps_what_partners_said_beside_our_word(status):
    said = (("Example", "Blocked", ("x",)),)
    page = Page((record(status=status, feedback=said, cases=()),), 5, None)
    (shown,) = answer(page, Query(0, 800, None, 0))["hashRecords"]
    assert [f["source"] for f in shown["CSPFeedbacks"]] == ["Example", "sala"]
    assert shown["caseNumbers"] == {}


def test_a_page_token_brings_back_its_cursor_its_start_and_the_newest_seen():
    token = answer(Page((record(),), checkpoint=50, cursor=9), Query(7, 800, None, 7))
    query = read_query({"nextPageToken": str(token["nextPageToken"]), "startTimestamp": "99"})
    assert query == Query(start=7, size=800, after=9, seen=50)
    assert answer(Page((), checkpoint=7, cursor=None), query)["nextSetTimestamp"] == 50


@pytest.mark.parametrize(
    ("asked", "query"),
    [
        ({}, Query(0, 800, None, 0)),
        ({"startTimestamp": "", "pageSize": ""}, Query(0, 800, None, 0)),
        ({"startTimestamp": "-4", "pageSize": "0"}, Query(0, 1, None, 0)),
        ({"startTimestamp": "12.75", "pageSize": "5000"}, Query(12, 800, None, 12)),
    ],
)
def test_a_query_is_read_with_patience(asked, query):
    assert read_query(asked) == query


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"startTimestamp": "yesterday"}, "startTimestamp"),
        ({"startTimestamp": "1e400"}, "startTimestamp"),
        ({"startTimestamp": "9" * 14}, "startTimestamp"),
        ({"pageSize": "many"}, "pageSize"),
        *[({"nextPageToken": bad}, "nextPageToken") for bad in ("?", "a", "MS4x", "ü", "=" * 9)],
    ],
)
def test_a_query_that_makes_no_sense_is_refused(asked, reason):
    with pytest.raises(BadRequest) as refused:
        read_query(asked)
    assert refused.value.reason == reason


def feedback(**changed: Any) -> bytes:
    entry = {"hashValue": "A" * 64, "feedbackValue": "Blocked", "tags": ["b", "a"], **changed}
    return json.dumps({"count": 1, "hashFeedbacks": [entry]}).encode()


@pytest.mark.parametrize("signal", ["ImagePDQ", "StopNCIISignalType.ImagePDQ"])
def test_feedback_is_read_in_either_spelling_of_the_signal(signal):
    word = ("a" * 64, "Blocked", ("a", "b"))
    assert read_feedback(feedback(signalType=signal)) == Feedback(1, (word,))


@pytest.mark.parametrize(
    "changed",
    [{"hashValue": ""}, {"hashValue": "zz"}, {"hashValue": "\ud800"}, {"signalType": "VideoTMK"}],
)
def test_what_can_name_no_hash_is_counted_and_goes_no_further(changed):
    assert read_feedback(feedback(**changed)) == Feedback(1, ())


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        (None, ()),
        ([" a ", "a", ""], ("a",)),
        (["\ud800", "a\nb", "x" * 65], ()),
        (list("zyxwvutsrqponmlkjihgfedcba"), tuple("abcdefghijklmnop")),
    ],
)
def test_tags_are_few_short_and_printable(tags, kept):
    assert read_feedback(feedback(tags=tags)).words[0][2] == kept


def test_a_wrong_count_is_forgiven():
    assert read_feedback(b'{"count": 7, "hashFeedbacks": []}') == Feedback(0, ())
    assert read_feedback(b'{"hashFeedbacks": []}') == Feedback(0, ())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "json"),
        (b"\xff", "json"),
        (b"[" * 100_000, "json"),
        (b"[]", "json"),
        (b"{}", "hashFeedbacks"),
        (b'{"hashFeedbacks": {}}', "hashFeedbacks"),
        (b'{"hashFeedbacks": [1]}', "hashFeedbacks"),
        (b'{"count": "1", "hashFeedbacks": []}', "count"),
        (b'{"hashFeedbacks": [%s1]}' % (b"1," * 10_000), "too many"),
        (feedback(hashValue=1), "hashValue"),
        (feedback(signalType=1), "signalType"),
        (feedback(feedbackValue="Maybe"), "feedbackValue"),
        (feedback(feedbackValue=[]), "feedbackValue"),
        (feedback(tags="a"), "tags"),
        (feedback(tags=[1]), "tags"),
    ],
)
def test_a_body_that_is_not_feedback_is_refused_naming_the_part(body, reason):
    with pytest.raises(BadRequest) as refused:
        read_feedback(body)
    assert refused.value.reason == reason


def test_the_allowance_refills_and_a_clock_set_back_gives_nothing():
    allowance = Allowance()
    assert [allowance.take(1, NOON, 2) for _ in range(3)] == [0, 0, 30]
    assert allowance.take(1, NOON - timedelta(hours=1), 2) == 30
    assert allowance.take(2, NOON, 2) == 0
    later = NOON + timedelta(seconds=30)
    assert [allowance.take(1, later, 2) for _ in range(2)] == [0, 30]


def test_only_listed_signal_types_have_a_name_here():
    assert read_signal("StopNCIISignalType.VideoMD5") == "VideoMD5"
    assert read_signal("Text") is None
