"""C16 through the doors: what is fetched, when, how much of it, and that nothing of it is kept."""

import asyncio
import io
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bot.channels.telegram_wire import key_of
from bot.conversation.codec import decode_state
from bot.conversation.picture import Fetch
from bot.conversation.sent import MOST_BYTES
from bot.hashing.image import hash_bytes
from bot.hashing.jail import Jail
from bot.hashing.kinds import PROOF
from bot.store import Bundle, EffectId, Record, Registered
from bot.taking import GRACE
from bot.voice import ticket_digest
from tests.peers.line_api import Fault
from tests.peers.line_talk import Account
from tests.peers.line_talk import play as play_line
from tests.peers.telegram_api import Trouble
from tests.talking import TO_APP, VAULT
from tests.telegram_town import ANN, Town, live
from tests.test_telegram_init import signed

WAY = (*TO_APP, "app=trouble", "app=chat", "ask.take=yes")
Story = Callable[[Town], Awaitable[None]]


def everyday(kind: str = "JPEG", seed: int = 7) -> bytes:
    chance = np.random.default_rng(seed)
    small = Image.fromarray(chance.integers(0, 256, (9, 12, 3), np.uint8))
    file = io.BytesIO()
    small.resize((800, 600), Image.Resampling.BICUBIC).save(file, kind)
    return file.getvalue()


PICTURE = everyday()
FILM = PROOF.read_bytes()


def shared(film: bytes) -> set[str]:
    """What partners get of a video."""
    return {one.value for one in hash_bytes(film, "video").hashes if one.kind != "sha256"}


def pdqs(picture: bytes) -> set[str]:
    return {
        one.value for one in hash_bytes(picture, "image", scaled=True).hashes if one.kind == "pdq"
    }


def tell(folder: Path, story: Story, *, takes: bool = True) -> None:
    live(folder, story, takes=takes)


async def agreed(town: Town) -> None:
    await town.begins()
    await town.presses(*WAY)
    assert town.texts_in()[-1] == town.texts.say("take.wait", "en")


def said(town: Town, id: str) -> int:
    words = town.texts.say(id, "en")
    return sum(words in text for text in town.texts_in())


async def records(town: Town | Account) -> tuple[Record, ...]:
    """What a partner reads from the adults' list; there is nothing on the minors' list."""
    if not await town.store.partners():
        await town.store.add_partner("Chirp", ["adults", "minors"], town.now)
    (partner,) = await town.store.partners()
    minors = await town.store.feed(partner, ["minors"], 0, None, 100, town.now)
    assert minors.records == ()
    return (await town.store.feed(partner, ["adults"], 0, None, 100, town.now)).records


async def listed(town: Town | Account) -> set[str]:
    return {one.value for one in await records(town)}


def pictures_in(town: Town) -> list[object]:
    kinds = {"photo", "document", "video"}
    return [one for one in town.api.chats[ANN].values() if kinds & one.keys()]


def untouched(town: Town) -> bool:
    return not town.api.asked("getFile") and not town.api.downloads


# ---------------------------------------------------------------- as agreed


@pytest.mark.parametrize("kind", ["", "image/jpeg", "image/png"])
def test_c16_the_picture_that_was_agreed_to_becomes_hashes_and_leaves_the_chat(
    tmp_path: Path, kind: str
) -> None:
    async def story(town: Town) -> None:
        await agreed(town)
        picture = everyday("PNG") if kind == "image/png" else PICTURE
        await town.hears(town.api.picture(ANN, picture, "the-file", kind))
        assert town.api.asked("getFile") == [{"file_id": "the-file"}]
        assert town.api.downloads == ["the-file"]
        assert pictures_in(town) == []
        assert said(town, "take.delete") == 1
        assert await listed(town) == pdqs(picture)
        await town.presses("take.next=done", "ask.updates=no", "home=status")
        assert "Pictures and videos: 1" in town.texts_in()[-2]

    tell(tmp_path, story)


@pytest.mark.parametrize("kind", ["video", "video/mp4"])
def test_c16_a_video_that_was_agreed_to_becomes_codes_of_its_file_and_its_stills(
    tmp_path: Path, kind: str
) -> None:
    async def story(town: Town) -> None:
        await agreed(town)
        await town.hears(town.api.picture(ANN, FILM, "the-film", kind))
        assert town.api.downloads == ["the-film"]
        assert pictures_in(town) == []
        found = await records(town)
        assert {one.value for one in found} == shared(FILM)
        assert {one.signal for one in found} == {"ImagePDQ", "VideoMD5"}
        await town.hears(town.api.picture(ANN, FILM, "the-film", kind))
        assert said(town, "take.already") == 1

    tell(tmp_path, story)


def test_of_a_video_telegram_hands_over_20_mb_and_the_person_is_told_when_it_is_more(
    tmp_path: Path,
) -> None:
    async def story(town: Town) -> None:
        await agreed(town)
        await town.hears(town.api.picture(ANN, FILM + bytes(20_000_000), kind="video"))
        assert said(town, "take.size") == 1
        assert town.api.downloads == []

    tell(tmp_path, story)


def test_a_video_that_cannot_be_read_is_said_and_leaves_the_chat(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await agreed(town)
        await town.hears(town.api.picture(ANN, FILM[: len(FILM) // 8], kind="video"))
        assert said(town, "take.kind") == 1
        assert pictures_in(town) == []
        assert await listed(town) == set()

    tell(tmp_path, story)


def test_a_video_that_line_is_still_making_ready_is_asked_for_again(tmp_path: Path) -> None:
    async def story(account: Account) -> None:
        account.takes = True
        account.restart(seconds=0.5)
        await account.hears(account.event("follow"))
        await account.presses(*WAY)
        account.line.faults["/v2/bot/message/4711/content"] += ["preparing", "preparing"]
        film = account.picture(FILM, "4711")
        film["message"]["type"] = "video"
        await account.hears(film)
        assert account.line.asked("/v2/bot/message/4711/content")[-1] == 200
        assert await listed(account) == shared(FILM)

    play_line(tmp_path, story)


def test_c16_on_line_it_is_fetched_once_and_the_person_is_told_how_to_unsend(
    tmp_path: Path,
) -> None:
    async def story(account: Account) -> None:
        account.takes = True
        account.restart()
        await account.hears(account.event("follow"))
        await account.presses(*WAY)
        await account.hears(account.picture(PICTURE, "4711"))
        assert account.line.asked("/v2/bot/message/4711/content") == [200]
        assert account.once("take.delete")
        assert await listed(account) == pdqs(PICTURE)

    play_line(tmp_path, story)


def test_the_second_picture_joins_the_case(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await agreed(town)
        other = everyday("PNG", 8)
        await town.hears(town.api.picture(ANN, PICTURE))
        await town.hears(town.api.picture(ANN, other))
        found = await records(town)
        assert {one.value for one in found} == pdqs(PICTURE) | pdqs(other)
        assert len({case for one in found for case, _ in one.cases}) == 1

    tell(tmp_path, story)


def test_a_copy_of_it_sent_again_is_said_to_be_there_and_leaves_the_chat_too(
    tmp_path: Path,
) -> None:
    async def story(town: Town) -> None:
        await agreed(town)
        await town.hears(town.api.picture(ANN, PICTURE))
        await town.hears(town.api.picture(ANN, everyday("PNG")))
        assert said(town, "take.already") == 1
        assert said(town, "take.delete") == 2
        assert pictures_in(town) == []
        assert await listed(town) == pdqs(PICTURE)

    tell(tmp_path, story)


def test_of_two_sent_together_the_first_is_taken_and_the_other_removed(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await agreed(town)
        both = [town.api.picture(ANN, PICTURE, media_group_id="9") for _ in range(2)]
        await town.hears(*both)
        assert len(town.api.downloads) == 1
        assert said(town, "take.one") == 1
        assert pictures_in(town) == []

    tell(tmp_path, story)


async def page_of_the_pin(town: Town) -> Registered:
    """What the page shows that the button in the chat opens."""
    markups = [one["reply_markup"] for one in town.api.said(ANN) if "reply_markup" in one]
    buttons = [one for markup in markups for (one,) in markup["inline_keyboard"]]
    inside = [one["web_app"]["url"] for one in buttons if "web_app" in one]
    assert inside[-1] == f"{town.home}/telegram/app?l=en&opens=pin"
    shown = signed(at=town.now, user=json.dumps({"id": ANN}))
    posted = {"init_data": shown, "language": "en", "opens": "pin"}
    answer = await town.web.post("/telegram/ticket", json=posted)
    token = answer.json()["ticket"]
    assert token.startswith("en-pin-")
    return await town.store.show_pin(ticket_digest(VAULT, token), town.now)


def test_c12_with_the_pin_of_the_page_a_case_of_the_chat_is_withdrawn_at_once(
    tmp_path: Path,
) -> None:
    async def story(town: Town) -> None:
        await agreed(town)
        await town.hears(town.api.picture(ANN, PICTURE))
        shown = await page_of_the_pin(town)
        assert shown.pin
        assert shown.pin not in repr(town.api.chats[ANN])
        await town.presses("take.next=done", "ask.updates=no", "home=withdraw")
        await town.hears(town.api.text(ANN, f"{shown.number} {shown.pin}"))
        assert said(town, "withdrawn") == 1
        assert {one.status for one in await records(town)} == {"Withdrawn"}

    tell(tmp_path, story)


def test_c12_without_it_the_same_case_takes_48_hours(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await agreed(town)
        await town.hears(town.api.picture(ANN, PICTURE))
        await town.presses("take.next=done", "home=withdraw", "ask.keys=lost")
        assert {one.status for one in await records(town)} == {"Active"}
        town.now += timedelta(hours=49)
        await town.store.sweep(town.now)
        assert {one.status for one in await records(town)} == {"Withdrawn"}

    tell(tmp_path, story)


# ---------------------------------------------------------------- never otherwise


def test_c16_what_nobody_agreed_to_is_never_fetched(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.hears(town.api.picture(ANN, PICTURE))
        await town.begins()
        for choice in WAY[:-1]:
            await town.hears(town.api.picture(ANN, PICTURE, kind="image/png"))
            await town.hears(town.api.picture(ANN, FILM, kind="video"))
            await town.presses(choice)
        await town.hears(town.api.picture(ANN, PICTURE))
        assert untouched(town)

    tell(tmp_path, story)


def test_c16_where_it_is_off_nothing_is_offered_fetched_or_even_noted(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        await town.presses(*WAY)
        await town.hears(town.api.picture(ANN, PICTURE, "the-file"))
        assert untouched(town)
        assert "the-file" not in repr([(one, getattr(one, "content", None)) for one in town.kept])
        assert said(town, "ask.take") == 0

    tell(tmp_path, story, takes=False)


def test_c16_on_line_nothing_else_is_fetched(tmp_path: Path) -> None:
    async def story(account: Account) -> None:
        account.takes = True
        account.restart()
        await account.hears(account.picture(PICTURE, "1"), account.event("follow"))
        await account.presses(*WAY[:-1])
        await account.hears(account.picture(PICTURE, "2"))
        await account.presses(WAY[-1])
        elsewhere = {"type": "external", "originalContentUrl": "https://a.example/a.jpg"}
        await account.hears(account.picture(PICTURE, "3", contentProvider=elsewhere))
        await account.hears(account.event("message", message={"id": "4", "type": "video"}))
        early = account.picture(PICTURE, "5")
        early["timestamp"] -= 60_000
        await account.hears(early)
        assert [path for path, _ in account.line.calls if path.endswith("/content")] == []

    play_line(tmp_path, story)


@pytest.mark.parametrize(
    "words",
    [
        "I was 16 there",
        "stop",
        "i am 15",
        "he is reading my messages",
        "the picture is from when I was 17",
    ],
)
def test_c16_words_that_speak_against_it_are_heard_before_it_is_fetched(
    tmp_path: Path, words: str
) -> None:
    async def story(town: Town) -> None:
        await agreed(town)
        await town.hears(town.api.picture(ANN, PICTURE, caption=words))
        assert untouched(town)
        assert await listed(town) == set()

    tell(tmp_path, story)


@pytest.mark.parametrize("words", ["i am 16", "stop"])
def test_c16_words_that_come_right_after_it_still_prevent_it(tmp_path: Path, words: str) -> None:
    async def story(town: Town) -> None:
        await agreed(town)
        assert await town.post(town.api.picture(ANN, PICTURE)) == 200
        await town.hears(town.api.text(ANN, words))
        assert untouched(town)
        assert pictures_in(town) == []

    tell(tmp_path, story)


def test_c16_a_sign_that_comes_while_it_is_hashed_keeps_it_from_every_list(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await agreed(town)
        taking = town.worker.taking
        assert taking

        async def slowly(picture: bytes):  # type: ignore[no-untyped-def]
            await town.post(town.api.text(ANN, "i am 16"))
            await town.worker.turns()
            return await Jail().hash(picture)

        object.__setattr__(taking, "hash", slowly)
        await town.hears(town.api.picture(ANN, PICTURE))
        assert len(town.api.downloads) == 1
        assert await listed(town) == set()

    tell(tmp_path, story)


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"this is no picture", "take.kind"),
        (PICTURE[:5_000], "take.kind"),
        (b"\x89PNG" + bytes(MOST_BYTES), "take.size"),
    ],
)
def test_a_file_that_gives_no_hashes_is_answered_and_removed(
    tmp_path: Path, sent: bytes, told: str
) -> None:
    async def story(town: Town) -> None:
        await agreed(town)
        update = town.api.picture(ANN, sent)
        for size in update["message"]["photo"]:
            del size["file_size"]
        await town.hears(update)
        assert said(town, told) == 1
        assert pictures_in(town) == []
        assert await listed(town) == set()
        await town.hears(town.api.picture(ANN, PICTURE))
        assert await listed(town) == pdqs(PICTURE)

    tell(tmp_path, story)


def test_a_picture_that_says_it_is_too_large_is_not_fetched(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await agreed(town)
        await town.hears(town.api.picture(ANN, bytes(MOST_BYTES + 1)))
        assert untouched(town)
        assert said(town, "take.size") == 1

    tell(tmp_path, story)


@pytest.mark.parametrize(
    ("method", "trouble"),
    [
        ("getFile", "400"),
        ("getFile", "500"),
        ("getFile", "flood"),
        ("getFile", "not json"),
        ("download", "500"),
        ("download", "lost"),
        ("download", "hangs"),
    ],
)
def test_what_does_not_arrive_is_said_and_not_tried_again_by_itself(
    tmp_path: Path, method: str, trouble: Trouble
) -> None:
    async def story(town: Town) -> None:
        await agreed(town)
        if trouble == "hangs":
            object.__setattr__(town.worker.taking, "within", 0.2)
        # The HTTP client asks once more by itself when a kept line breaks.
        town.api.troubles[method] += [trouble] * (2 if trouble == "lost" else 1)
        await town.hears(town.api.picture(ANN, PICTURE))
        await town.works_later(minutes=5)
        assert said(town, "take.gone") == 1
        assert len(town.api.asked("getFile")) == 1
        assert await listed(town) == set()

    tell(tmp_path, story)


@pytest.mark.parametrize("fault", ["500", "cut after", "slow after", "rate"])
def test_what_line_does_not_hand_over_is_said(tmp_path: Path, fault: Fault) -> None:
    async def story(account: Account) -> None:
        account.takes = True
        account.restart(seconds=0.5 if fault == "slow after" else 5)
        await account.hears(account.event("follow"))
        await account.presses(*WAY)
        account.line.faults["/v2/bot/message/4711/content"] += [fault, fault]
        await account.hears(account.picture(PICTURE, "4711"))
        assert account.once("take.gone")

    play_line(tmp_path, story)


def test_of_line_no_more_is_read_than_a_picture_may_have(tmp_path: Path) -> None:
    async def story(account: Account) -> None:
        account.takes = True
        account.restart()
        await account.hears(account.event("follow"))
        await account.presses(*WAY)
        await account.hears(account.picture(bytes(MOST_BYTES + 1), "4711"))
        assert account.once("take.size")
        del account.line.contents["4711"]
        await account.hears(account.picture(PICTURE, "4712"))
        assert account.line.asked("/v2/bot/message/4712/content") == [200]

    play_line(tmp_path, story)


def test_without_a_working_jail_nothing_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def story(town: Town) -> None:
        await agreed(town)
        broken = Jail(prisoner=("-c", "exit(1)"), guard=())
        object.__setattr__(town.worker.taking, "hash", broken.hash)
        await town.hears(town.api.picture(ANN, PICTURE))
        assert said(town, "take.busy") == 1

    tell(tmp_path, story)
    assert "jail_broken" in capsys.readouterr().err


def test_a_full_case_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.store.ledger.MAX_IMAGES", 0)

    async def story(town: Town) -> None:
        await agreed(town)
        await town.hears(town.api.picture(ANN, PICTURE))
        assert said(town, "take.full") == 1

    tell(tmp_path, story)


# ---------------------------------------------------------------- once


async def begun(town: Town) -> tuple[Bundle, Fetch]:
    """A picture was stepped, and its fetch is planned."""
    await agreed(town)
    await town.post(town.api.picture(ANN, PICTURE, "the-file"))
    await town.worker.turns()
    conversation = town.conversation_of(key_of(ANN))
    state = await town.store.state(conversation)
    assert state
    awaited = decode_state(state).awaited
    assert awaited
    assert awaited.ref
    (bundle,) = await town.store.due(["telegram"], town.now, 1)
    return bundle, Fetch(awaited.ref, "the-file")


def test_taken_twice_after_a_crash_it_is_registered_once(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        bundle, fetch = await begun(town)
        taking, id = town.worker.taking, EffectId("the same effect")
        assert taking
        assert await taking.take(town.channel, bundle, id, fetch) is None
        assert await taking.take(town.channel, bundle, id, fetch) is None
        await town.worker.turns()
        assert await taking.take(town.channel, bundle, id, fetch) is None
        assert len(town.api.downloads) == 2, "not again once the case is known to the talk"
        await town.worker.drain()
        assert await listed(town) == pdqs(PICTURE)
        assert sum("Your case number" in text for text in town.texts_in()) == 1

    tell(tmp_path, story)


def test_taken_up_again_too_late_it_is_not_fetched(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await begun(town)
        town.now += timedelta(minutes=10) + GRACE
        await town.worker.drain()
        assert untouched(town)
        assert said(town, "take.gone") == 1

    tell(tmp_path, story)


def test_c16_a_lowered_conversation_registers_no_picture(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        bundle, fetch = await begun(town)
        await town.store.lower(bundle.conversation)
        assert town.worker.taking
        problem = await town.worker.taking.take(town.channel, bundle, EffectId("one"), fetch)
        assert problem == "busy"
        assert await listed(town) == set()

    tell(tmp_path, story)


def test_switched_off_after_it_was_planned_it_is_not_fetched(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await begun(town)
        town.worker.taking = town.worker.outbox.taking = None
        await town.worker.drain()
        assert untouched(town)

    tell(tmp_path, story)


def test_while_a_picture_is_taken_the_person_is_answered(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await agreed(town)
        answered = asyncio.Event()

        async def waits(picture: bytes):  # type: ignore[no-untyped-def]
            await answered.wait()
            return await Jail().hash(picture)

        object.__setattr__(town.worker.taking, "hash", waits)
        running = asyncio.create_task(town.hears(town.api.picture(ANN, PICTURE)))
        async with asyncio.timeout(10):
            while not town.api.downloads:
                await asyncio.sleep(0)
        await town.post(town.api.text(ANN, "i want to kill myself"))
        await town.worker.turns()
        await town.worker.outbox.start()
        async with asyncio.timeout(10):
            while not said(town, "alarm.self_harm"):
                await asyncio.sleep(0)
        answered.set()
        await running

    tell(tmp_path, story)


# ---------------------------------------------------------------- nothing is kept


def test_c16_no_byte_of_it_and_no_file_id_is_in_the_database_or_a_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    canary = b"canary-in-the-picture"
    kept = PICTURE + canary

    async def story(town: Town) -> None:
        await agreed(town)
        await town.hears(town.api.picture(ANN, kept, "canary-file-id"))
        town.api.troubles["getFile"] += ["not json"]
        await town.hears(town.api.picture(ANN, kept, "canary-file-id"))
        town.api.troubles["download"] += ["lost", "lost"]
        await town.hears(town.api.picture(ANN, kept, "canary-file-id"))
        await town.presses("app=chat", "ask.take=yes")
        await town.hears(town.api.picture(ANN, b"no picture" + canary, "canary-file-id"))
        await town.post(town.api.picture(ANN, kept, "canary-file-id"))

    with caplog.at_level(logging.DEBUG):
        tell(tmp_path, story)
    files = b"".join(one.read_bytes() for one in tmp_path.iterdir() if one.is_file())
    out, err = capfd.readouterr()
    logged = caplog.text + out + err
    for secret in (canary, b"canary-file-id", PICTURE[600:640]):
        assert secret not in files
        assert secret.decode("latin-1") not in logged
    assert "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDcanary" not in logged
