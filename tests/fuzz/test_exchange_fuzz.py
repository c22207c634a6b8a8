"""Requests made from the partners' own document, and beside it: each is answered as the document
says, none with a 500, and the checkpoint never goes back. `SALA_FUZZ=200` makes so many of each."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bot.cases.status import FeedbackValue
from bot.exchange.routes import DOCUMENT
from bot.store import Submitted
from tests.exchange_house import House, Platform, do, open_house

LONG = "SALA_FUZZ" in os.environ
EXAMPLES = int(os.environ.get("SALA_FUZZ", "12"))
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_schema_conformance,
]  # fmt: skip
API = schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_bytes()))
CALLS = {"FetchHashes": "GET", "SubmitFeedback": "POST", "SubmitHashes": "POST"}
LISTED = [f"{n:064x}" for n in range(30)]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Hashes of persons and of a partner, some withdrawn, some answered."""
    with open_house(tmp_path_factory.mktemp("house")) as opened:
        chance = Random(1)
        do(opened.store.add_partner("Hotline", ["adults"], opened.now, submits=True))
        (giver,) = do(opened.store.partners())
        words: tuple[FeedbackValue, ...] = ("Blocked", "Withdrawn", "NotBlocked")
        for value in LISTED:
            opened.wait(seconds=chance.choice((0, 1)))
            given = [Submitted("ImagePDQ", value, chance.choice(words), ("tag",))]
            do(opened.store.submit(giver, "adults", given, opened.now))
        yield opened


@pytest.fixture(scope="module")
def partner(house: House) -> Platform:
    return house.partner("Fuzz", "adults", submits=True, a_minute=10**6)


def headers(partner: Platform, call: str) -> dict[str, str]:
    keys = partner.keys
    key = {
        "FetchHashes": keys.fetch_key, "SubmitFeedback": keys.feedback_key,
        "SubmitHashes": keys.submit_key or "",
    }[call]  # fmt: skip
    return partner.headers(key)


def bounded(examples: int) -> settings:
    return settings(
        max_examples=examples, derandomize=not LONG, database=None, deadline=None,
        phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck),
    )  # fmt: skip


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("call", CALLS)
def test_every_answer_is_one_that_the_document_names(
    house: House, partner: Platform, call: str, mode: GenerationMode
) -> None:
    made = API[f"/{call}"][CALLS[call]].as_strategy(generation_mode=mode)
    bases = st.sampled_from(["", "/adults"] if mode is GenerationMode.POSITIVE else ["", "/minors"])

    @bounded(EXAMPLES)
    @given(made, bases)
    def ask(case: Any, only: str) -> None:
        case.call_and_validate(
            base_url=f"{house.base}/exchange{only}/v1", headers=headers(partner, call),
            checks=CHECKS,
        )  # fmt: skip

    ask()


@pytest.mark.parametrize("call", CALLS)
def test_bodies_of_any_bytes_and_any_json_are_refused_and_never_fail(
    partner: Platform, call: str
) -> None:
    json_values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(NAMES | st.text(), inner),
    )
    bodies = st.binary() | json_values.map(lambda value: json.dumps(value).encode())

    @bounded(EXAMPLES)
    @given(bodies)
    def ask(body: bytes) -> None:
        answer = partner.send(call, body, headers(partner, call))
        assert answer.status_code < 500
        assert isinstance(answer.json(), dict)

    ask()


NAMES = st.sampled_from(
    ["count", "hashFeedbacks", "hashRecords", "hashValue", "feedbackValue", "tags", "signalType"]
)


@bounded(EXAMPLES)
@given(st.data())
def test_whatever_is_asked_in_whatever_order_the_checkpoint_never_goes_back(
    house: House, partner: Platform, data: Any
) -> None:
    start = data.draw(st.integers(0, int(house.now.timestamp()) + 5))
    token: str | None = None
    reached = start
    for _ in range(4):
        size = data.draw(st.integers(1, 12))
        query = {"startTimestamp": start, "pageSize": size} | (
            {"nextPageToken": token} if token else {}
        )
        page = partner.get(**query).json()
        assert page["nextSetTimestamp"] >= reached
        assert page["count"] == len(page["hashRecords"]) <= size
        times = [one["lastModtimestamp"] for one in page["hashRecords"]]
        assert times == sorted(times)
        token = page["nextPageToken"]
        reached = page["nextSetTimestamp"] if token else start  # after the last page it begins anew


def test_the_document_names_every_route_of_the_exchange(house: House) -> None:
    document = json.loads(DOCUMENT.read_bytes())
    named = {f"{one['url']}{path}" for one in document["servers"] for path in document["paths"]}
    assert named == {one.path for one in house.routes if one.path.count("/") > 2}


def test_the_document_is_served(house: House, tmp_path: Path) -> None:
    answer = house.open("/exchange/openapi.json")
    assert (answer.status_code, answer.content) == (200, DOCUMENT.read_bytes())
    assert answer.headers["content-type"] == "application/json"
