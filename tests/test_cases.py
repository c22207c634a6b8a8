"""The pure rules of cases: eligibility, numbers, hashes, standing."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cases import hashes
from bot.cases.eligibility import IMAGE_AGES, IMAGES, LIST_OF, WHO, route
from bot.cases.hashes import BadSubmission, Hash, Item, parse_items
from bot.cases.number import find_number, find_pin, make_number, make_pin, read_number, without_keys
from bot.cases.status import Claim, Feedback, Told, fold

T0 = datetime(2026, 11, 23, 12, tzinfo=UTC)

# ---------------------------------------------------------------- eligibility, the table whole

ANY = ("here", "theirs", "none")
TABLE = {
    ("self", "adult"): dict.fromkeys(("here", "theirs"), "adults_list") | {"none": "no_image"},
    ("self", "minor"): dict.fromkeys(("here", "theirs"), "minors_list") | {"none": "no_image"},
    ("guardian", "minor"): {
        "here": "guardian_no_copy",
        "theirs": "guardian_on_their_device",
        "none": "guardian_no_copy",
    },
    ("guardian", "adult"): dict.fromkeys(ANY, "support_adult"),
    ("friend", "minor"): dict.fromkeys(ANY, "friend_no_copy"),
    ("friend", "adult"): dict.fromkeys(ANY, "support_adult"),
    ("adult_friend", "minor"): dict.fromkeys(ANY, "guardian_no_copy"),
    ("adult_friend", "adult"): dict.fromkeys(ANY, "support_adult"),
    ("proxy", "minor"): dict.fromkeys(ANY, "proxy_minor"),
    ("proxy", "adult"): dict.fromkeys(ANY, "proxy_adult"),
    ("holder", "minor"): dict.fromkeys(ANY, "holder_no_copy"),
    ("holder", "adult"): dict.fromkeys(ANY, "holder_no_copy"),
    ("finder", "minor"): dict.fromkeys(ANY, "found"),
    ("finder", "adult"): dict.fromkeys(ANY, "found"),
}
TABLE |= {("helped", age): TABLE["self", age] for age in ("minor", "adult")}


@pytest.mark.parametrize(("who", "age", "image"), [*product(WHO, IMAGE_AGES, IMAGES)])
def test_every_combination_has_the_one_way_of_the_table(who, age, image):
    band = "adult" if age == "adult" else "minor"
    assert route(who, age, image) == TABLE[who, band][image]


@given(st.sampled_from(WHO), st.sampled_from(IMAGES))
def test_an_unsure_age_goes_the_way_of_under_18(who, image):
    assert route(who, "unsure", image) == route(who, "under18", image)


@given(st.sampled_from(WHO), st.sampled_from(IMAGES))
def test_an_image_of_someone_under_18_never_reaches_the_adults_list(who, image):
    assert LIST_OF.get(route(who, "under18", image)) != "adults"


@given(st.sampled_from(IMAGE_AGES), st.sampled_from(IMAGES))
def test_only_the_person_shown_or_a_guardian_on_their_device_may_hash(age, image):
    for who in set(WHO) - {"self", "helped", "guardian"}:
        assert route(who, age, image) not in LIST_OF
    assert (route("guardian", age, image) in LIST_OF) == (age != "adult" and image == "theirs")


# ---------------------------------------------------------------- number and PIN


@given(st.binary(min_size=8, max_size=32))
def test_a_number_reads_back_and_no_phone_would_dial_it(randoms):
    number = make_number(randoms)
    assert read_number(number) == number
    assert read_number(number.lower().replace("-", "")) == number
    assert number[0].isalpha()
    assert len(number) == 11


@given(st.binary(min_size=8, max_size=8), st.integers(0, 10), st.sampled_from("23456789ABCDEFGH"))
def test_one_wrong_character_is_noticed(randoms, place, other):
    number = make_number(randoms)
    if number[place] != "-" and number[place] != other:
        assert read_number(number[:place] + other + number[place + 1 :]) is None


@given(st.text(max_size=40))
def test_any_text_reads_as_a_number_or_none(text):
    assert read_number(text) is None or read_number(read_number(text)) == read_number(text)


def test_look_alikes_are_read_as_what_they_mean():
    number = next(
        n for n in (make_number(bytes([9, *range(i, i + 8)])) for i in range(30)) if "1" in n
    )
    assert read_number(number.replace("1", "I")) == number


def test_number_and_pin_are_found_in_a_sentence():
    number = make_number(b"12345678")
    said = f"my code is {number.lower()}, pin 482913 thanks"
    assert find_number(said) == number
    assert find_number(f"abc def ghj or {number}") == number
    assert find_pin(said) == "482913"
    assert find_pin("call 0812345678") is None
    assert without_keys(said).split() == ["my", "code", "is", ",", "pin", "thanks"]
    assert find_number("nothing here") is None


@given(st.from_regex(r"[a-z]{9}( [a-z]{3}){3}", fullmatch=True))
def test_plain_words_are_no_number(words):
    assert find_number(words) is None


@given(st.binary(min_size=8, max_size=8))
def test_a_pin_is_six_digits(randoms):
    assert len(make_pin(randoms)) == 6
    assert make_pin(randoms).isdecimal()


# ---------------------------------------------------------------- hashes

PDQ = {"kind": "pdq", "variant": "512", "value": "0f" * 32, "quality": 100}
MD5 = {"kind": "md5", "variant": "file", "value": "0f" * 16}


def item(*posted, media="image"):
    return {"media": media, "hashes": list(posted)}


def test_a_submission_of_the_agreed_form_is_read():
    assert parse_items([item(PDQ, MD5)]) == (
        Item("image", (Hash("pdq", "512", "0f" * 32, 100), Hash("md5", "file", "0f" * 16))),
    )


@pytest.mark.parametrize(
    "variant",
    ["512", "640", "256", "256-mirror", "stored-512", "stored-640-mirror", "self-1", "frame-60"],
)
def test_the_closed_list_of_variants_is_admitted(variant):
    assert parse_items([item(PDQ | {"variant": variant})])


BAD = [
    ("form", "x"),
    ("form", ["x"]),
    ("form", [{"media": "image"}]),
    ("form", [item(MD5) | {"name": "IMG_1.jpg"}]),
    ("form", [item(MD5, media="text")]),
    ("form", [item("x")]),
    ("form", [item({"kind": "md5", "variant": "file"})]),
    ("form", [item(MD5 | {"kind": "phash"})]),
    ("form", [item(MD5 | {"quality": 3})]),
    ("form", [item(MD5 | {"variant": 3})]),
    ("form", [item(PDQ | {"quality": True})]),
    ("form", [item(PDQ | {"quality": 101})]),
    ("form", [item({key: value for key, value in PDQ.items() if key != "quality"})]),
    ("empty", []),
    ("empty", [item()]),
    ("too_many", [item(MD5)] * 11),
    ("too_many", [item(*[MD5] * 33)]),
    ("too_many", [item(*[MD5] * 63, media="video")]),
    ("value", [item(PDQ | {"value": "0f" * 31})]),
    ("value", [item(PDQ | {"value": "0F" * 32})]),
    ("value", [item(PDQ | {"value": "0f" * 32 + "\n"})]),
    ("value", [item(MD5 | {"value": 7})]),
    ("variant", [item(PDQ | {"variant": "frame-61"})]),
    ("variant", [item(PDQ | {"variant": "1024"})]),
    ("variant", [item(MD5 | {"variant": "512"})]),
    ("low_quality", [item(PDQ | {"quality": 49})]),
]


@pytest.mark.parametrize(("problem", "posted"), BAD)
def test_anything_else_is_refused_by_its_reason_and_not_quoted(problem, posted):
    with pytest.raises(BadSubmission) as refused:
        parse_items(posted)
    assert refused.value.problem == problem
    assert str(refused.value) == problem


def test_a_video_may_have_sixty_frames_and_its_file_hashes():
    frames = [PDQ | {"variant": f"frame-{n}"} for n in range(1, hashes.MAX_FRAMES + 1)]
    assert len(parse_items([item(*frames, MD5, media="video")])[0].hashes) == 61


# ---------------------------------------------------------------- what is told


def word(value, partner="P", after=1):
    return Feedback(partner, value, T0 + timedelta(seconds=after))


def claim(*feedback, readers=(), status="Active"):
    return Claim(T0, status, readers, feedback)


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ([], []),
        ([claim()], []),
        ([claim(readers=("P",))], ["shared"]),
        ([claim(word("PendingReview"))], ["looking"]),
        ([claim(word("Blocked"))], ["blocked"]),
        ([claim(word("NotBlocked"))], ["not_blocked"]),
        ([claim(word("None"))], []),
        ([claim(word("Blocked", after=0))], []),
        ([claim(word("Blocked", after=-9), readers=("P",))], ["shared"]),
        ([claim(word("NotBlocked")), claim(word("Blocked"))], ["blocked"]),
        ([claim(word("PendingReview")), claim(word("NotBlocked"))], ["looking"]),
        ([claim(word("Blocked"), status="Withdrawn")], []),
    ],
)
def test_c13_what_is_told_is_the_furthest_word_after_registration(claims, told):
    assert fold("Active", 1, claims).told == tuple(Told("P", one) for one in told)


def test_each_platform_is_told_by_itself():
    standing = fold("Active", 2, [claim(word("Blocked", "B"), word("PendingReview", "A"))])
    assert standing.told == (Told("A", "looking"), Told("B", "blocked"))
