"""What no page of ours would post, to the mini-app, the ways into it and the browser's chat: it is
refused, and the next good post is taken. `SALA_FUZZ=300` makes so many."""

import json
from base64 import urlsafe_b64encode
from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from bot.store import ConversationId, Ticket
from tests.fuzz.grammar import CANARY, NUMBERS, WORDS, bounded, changed, values, written
from tests.fuzz.site import HOME, Running, Site
from tests.test_telegram_init import signed

HASHES = [
    {"kind": "pdq", "variant": "512", "value": "5a" * 32, "quality": 90},
    {"kind": "pdq", "variant": "stored-640-mirror", "value": "a5" * 32, "quality": 50},
    {"kind": "md5", "variant": "file", "value": "0f" * 16},
    {"kind": "sha256", "variant": "file", "value": "f0" * 32},
]
FRAMES = [{**HASHES[0], "variant": f"frame-{n}"} for n in (1, 2, 60)]
ITEMS = [[{"media": "image", "hashes": HASHES}], [{"media": "video", "hashes": FRAMES}]]
OWN = {"origin": HOME, "sec_fetch_site": "same-origin"}


# ---------------------------------------------------------------- the mini-app


async def ticket(site: Site, number: str | None = None) -> str:
    """A token that opens the mini-app, of somebody new; or that shows this case's PIN."""
    one = site.number()
    token = f"en-{one:032x}"
    until, digest = site.sala.clock() + timedelta(hours=1), site.sala.ticket_digest(token)
    who = ConversationId(one.to_bytes(16))
    await site.sala.store.issue(
        Ticket(digest, who, "adults", until, number, "pin" if number else "hashes")
    )
    return token


async def is_registered(site: Site) -> None:
    """Somebody new."""
    posted = {"ticket": await ticket(site), "items": ITEMS[0]}
    answer = await site.ask("/app/hashes", json.dumps(posted).encode(), **OWN)
    assert answer.status_code == 200


TICKETS = "<ticket>"
"""In a sample: where a good one stands."""


@bounded(20)
@given(
    written(changed([{"ticket": TICKETS, "items": one} for one in ITEMS]))
    | written(values(["ticket", "items"]))
    | st.binary(),
    st.sampled_from(["/app/hashes", "/app/pin"]),
)
def test_what_the_mini_app_would_not_post_is_refused(site: Running, body: bytes, path: str) -> None:
    async def story() -> None:
        token = await ticket(site.site)
        good = body.replace(TICKETS.encode(), token.encode())
        answer = await site.site.ask(path, good, **OWN)
        assert answer.status_code in {200, 400, 410, 413}
        assert answer.status_code == 200 or set(answer.json()) == {"error"}
        await is_registered(site.site)
        site.site.log.is_empty()

    site.do(story())


# ---------------------------------------------------------------- who opens it

LIFF = [{"id_token": "<token>", "language": "th", "opens": "hashes"}]
HEADS = values(["alg", "typ", "kid"])


def id_token(head: bytes) -> str:
    return f"{urlsafe_b64encode(head).decode().rstrip('=')}.eyJ9.c2ln"


@bounded(15)
@given(written(changed(LIFF)), written(HEADS | changed([{"alg": "none"}])) | st.binary())
def test_no_token_of_any_form_opens_the_mini_app_in_line(
    site: Running, body: bytes, head: bytes
) -> None:
    async def story() -> None:
        shown = body.replace(b"<token>", id_token(head).encode())
        answer = await site.site.ask("/line/ticket", shown)
        assert answer.status_code in {400, 401, 413}
        site.site.log.is_empty()

    site.do(story())


INIT = {"user": '{"id":77,"first_name":"Mali"}', "auth_date": "1790000000", "query_id": "AAHd"}
SIGNED = st.fixed_dictionaries(
    {},
    optional={
        "user": written(changed([{"id": 77, "first_name": "Mali"}]) | values(["id"])).map(
            lambda body: body.decode("utf-8", "replace")
        ),
        "auth_date": WORDS | NUMBERS.map(str) | st.from_regex("[0-9]{1,12}", fullmatch=True),
        "signature": WORDS,
        "start_param": WORDS,
    },
).map(lambda more: {name: value.encode("utf-8", "replace") for name, value in more.items()})


@bounded(15)
@given(SIGNED, written(changed([{"init_data": "<shown>", "language": "th", "opens": "pin"}])))
def test_whatever_telegram_signed_opens_the_mini_app_for_nobody_who_has_no_ticket(
    site: Running, fields: dict[str, bytes], body: bytes
) -> None:
    async def story() -> None:
        at = site.site.sala.clock()
        shown = signed(at=at, **{name: value.decode() for name, value in fields.items()})
        for one in (shown, shown[:-1]):
            posted = body.replace(b"<shown>", one.encode())
            answer = await site.site.ask("/telegram/ticket", posted, **OWN)
            assert answer.status_code in {403, 404}
        site.site.log.is_empty()

    site.do(story())


@bounded(8)
@given(WORDS, WORDS)
def test_init_data_of_any_letters_is_refused(site: Running, shown: str, more: str) -> None:
    async def story() -> None:
        for init_data in (shown, f"{shown}={more}", f"user={shown}&auth_date=1&hash={more}"):
            posted = json.dumps({"init_data": init_data, "language": more}).encode()
            assert (await site.site.ask("/telegram/ticket", posted, **OWN)).status_code == 403

    site.do(story())


# ---------------------------------------------------------------- the browser's chat

SAID = [
    {"id": "<id>", "text": CANARY}, {"id": "<id>", "choice": "ask.phone=own"},
    {"id": "<id>", "language": "es"}, {"ids": ["<id>", "a" * 64]}, {},
]  # fmt: skip
PATHS = [f"/chat/{name}" for name in ("visit", "open", "say", "seen", "leave")]


async def visits(site: Site) -> dict[str, str]:
    """A new visit's cookie."""
    answer = await site.ask("/chat/visit", b"{}", **OWN)
    assert answer.status_code == 204
    site.http.cookies.clear()
    return {"cookie": answer.headers["set-cookie"].partition(";")[0]}


def post_id(site: Site) -> str:
    return str(UUID(int=site.number()))


async def is_heard(site: Site) -> None:
    """Somebody new."""
    posted = {"id": post_id(site), "choice": "ask.phone=own"}
    before, cookie = site.said(), await visits(site)
    said = await site.ask("/chat/say", json.dumps(posted).encode(), **OWN, **cookie)
    assert said.status_code == 204
    await site.works()
    assert site.said() > before


@bounded(20)
@given(written(changed(SAID) | values(["id", "text", "choice", "ids"])), st.sampled_from(PATHS))
def test_what_the_chat_page_would_not_post_is_refused(
    site: Running, body: bytes, path: str
) -> None:
    async def story() -> None:
        cookie = await visits(site.site)
        good = body.replace(b"<id>", post_id(site.site).encode())
        answer = await site.site.ask(path, good, **OWN, **cookie)
        site.site.http.cookies.clear()
        assert answer.status_code in {204, 400, 413}
        await is_heard(site.site)

    site.do(story())
