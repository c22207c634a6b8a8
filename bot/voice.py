"""A message by id becomes words: texts, help lines, the case's standing, the mini-app's link.

This happens when it is sent, so nothing readable waits in the outbox and a mended translation
reaches what is queued.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from bot.cases.eligibility import List
from bot.channels import Choice, Link, Message
from bot.conversation.model import Language, Send
from bot.conversation.shows import Opens, Show
from bot.helplines import Card, HelpLines
from bot.knowledge import Need, official_page
from bot.shelf import Shelf
from bot.store import TICKET_LIVES, ConversationId, EffectId, Registry, Ticket
from bot.telling import tell_case
from bot.text import Texts
from bot.vault import Vault

ALONE: Final = "bland"
"""The line after which nothing of the talk should be left on the screen (C9)."""
URGENT: Final[frozenset[Show | None]] = frozenset({"crisis", "crisis_young", "danger"})
"""Cards for a life in danger (C8)."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Who runs this Sala, as shown before anyone agrees (C6)."""

    name: str
    contact: str
    months: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What goes under a text: more lines, and links."""

    lines: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    calls: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be said, to whom, when."""

    id: EffectId
    send: Send
    conversation: ConversationId
    now: datetime

    @property
    def values(self) -> dict[str, str]:
        """The values its text is filled with."""
        return dict(self.send.values)

    @property
    def language(self) -> Language:
        """The language it is said in."""
        return self.send.language

    @property
    def simple(self) -> str:
        """What the ids of words for under 13 end with, when it is said in those; else nothing."""
        return ".simple" if self.send.text.endswith(".simple") else ""


async def _to_nobody(list: List) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Voice:
    """Puts effects into words. Reads the registry; issues the mini-app's tickets."""

    texts: Texts
    registry: Registry
    vault: Vault
    operator: Operator
    public_url: str
    passed: Callable[[List], Awaitable[tuple[str, ...]]] = _to_nobody
    """The services that codes of a list are passed on to today."""

    async def message(self, asked: Asked) -> Message:
        """The message in the person's language, the same each time for the same effect id."""
        send = asked.send
        shown = await _SHOWS[send.show](self, asked) if send.show else Shown()
        text = self.texts.say(send.text, send.language, **asked.values)
        return Message(
            id=asked.id,
            text="\n\n".join((text, *shown.lines)),
            preview=self.texts.say("preview", send.language),
            choices=tuple(
                Choice(self.texts.say(button.label, send.language), button.data)
                for button in send.buttons
            ),
            links=shown.links,
            calls=shown.calls,
            alone=send.text == ALONE,
            urgent=send.show in URGENT,
            language=send.language,
        )

    def say(self, asked: Asked, id: str, **values: str) -> str:
        """A text in the language of what is asked."""
        return self.texts.say(id, asked.language, **values)


# ---------------------------------------------------------------- the mini-app, the lists


def token_of(language: Language, opens: Opens, secret: bytes) -> str:
    """A ticket's token: its language, what it opens, then 128 bits."""
    return f"{language}-{'pin-' if opens == 'pin' else ''}{secret[:16].hex()}"


def ticket_token(
    vault: Vault, effect: EffectId, language: Language, opens: Opens = "hashes"
) -> str:
    """The token of an effect's ticket, which only the key can make."""
    return token_of(language, opens, vault.token("ticket", effect.encode()))


def ticket_digest(vault: Vault, token: str) -> bytes:
    """What is kept of a token."""
    return vault.digest("ticket", token.encode())


async def _app(voice: Voice, asked: Asked) -> Shown:
    """Where the codes go stands above the link: a ticket is as old as what was told with it."""
    opened = await _page(voice, asked, "hashes")
    return replace(opened, lines=await _passed_on(voice, asked))


async def _passed(voice: Voice, asked: Asked) -> Shown:
    return Shown(await _passed_on(voice, asked))


async def _passed_on(voice: Voice, asked: Asked) -> tuple[str, ...]:
    services = await voice.passed(_list(asked))
    return tuple(voice.say(asked, "show.readers.passed", service=one) for one in services)


async def _pin(voice: Voice, asked: Asked) -> Shown:
    return await _page(voice, asked, "pin")


async def _page(voice: Voice, asked: Asked, opens: Opens) -> Shown:
    """A button to the page, with a ticket for what it opens."""
    token = ticket_token(voice.vault, asked.id, asked.language, opens)
    ticket = Ticket(
        digest=ticket_digest(voice.vault, token),
        conversation=asked.conversation,
        list=_list(asked),
        expires_at=asked.now + TICKET_LIVES,
        number=asked.values.get("number"),
        opens=opens,
    )
    await voice.registry.issue(ticket)
    url = f"{voice.public_url}/app#{token}"
    return Shown(links=(Link(voice.say(asked, "show.app.link"), url, app=True, opens=opens),))


async def _readers(voice: Voice, asked: Asked) -> Shown:
    some, chats = await _named(voice, asked), voice.say(asked, f"show.readers.chats{asked.simple}")
    if some:
        return Shown((*some, chats))
    official = await _official(voice, asked)
    return Shown(
        (voice.say(asked, f"show.readers.none{asked.simple}"), *official.lines, chats),
        official.links,
    )


async def _readers_now(voice: Voice, asked: Asked) -> Shown:
    some = await _named(voice, asked)
    if some:
        return Shown(some)
    official = await _official(voice, asked)
    none = voice.say(asked, f"show.readers.none.now{asked.simple}")
    return Shown((none,), official.links)


async def _named(voice: Voice, asked: Asked) -> tuple[str, ...]:
    """Who gets the codes of this list today, with whom they are passed on to; nothing if nobody."""
    names = (*await voice.registry.readers(_list(asked)), *await voice.passed(_list(asked)))
    if not names:
        return ()
    some = voice.say(asked, "show.readers.some", partners=", ".join(names))
    return (some, *await _passed_on(voice, asked))


async def _official(voice: Voice, asked: Asked) -> Shown:
    name = _list(asked)
    link = Link(voice.say(asked, f"show.official.{name}"), official_page(name).url[asked.language])
    simple = asked.simple if name == "minors" else ""
    return Shown((voice.say(asked, f"show.official.text.{name}{simple}"),), (link,))


async def _operator(voice: Voice, asked: Asked) -> Shown:
    who = voice.operator
    if not who.name:
        return Shown((voice.say(asked, "show.operator.none"),))
    line = voice.say(
        asked, "show.operator", operator=who.name, contact=who.contact, months=str(who.months)
    )
    return Shown((line,))


def _list(asked: Asked) -> List:
    return asked.send.list or "minors"


# ---------------------------------------------------------------- the case


async def _status(voice: Voice, asked: Asked) -> Shown:
    number = asked.values.get("number", "")
    standing = await voice.registry.standing(number) if number else None
    if standing is None:
        return Shown((voice.say(asked, "show.status.unknown"),))
    return _shown(tell_case(_shelf(voice, asked), number, standing))


# ---------------------------------------------------------------- lines where people answer


def _lines(voice: Voice, asked: Asked) -> HelpLines:
    send = asked.send
    return HelpLines(voice.texts, send.language, send.country, asked.now, send.age, send.written)


def _shelf(voice: Voice, asked: Asked) -> Shelf:
    return Shelf(_lines(voice, asked), asked.send.list)


async def _crisis(voice: Voice, asked: Asked) -> Shown:
    card = _lines(voice, asked).card("crisis")
    return _or_phone(voice, asked, card)


async def _crisis_young(voice: Voice, asked: Asked) -> Shown:
    """For someone under 18 the child line stands first, once the country is known."""
    lines = _lines(voice, asked)
    crisis = lines.card("crisis")
    child = lines.card("child") if asked.send.country else Card()
    both = Card((*child.lines, *crisis.lines), (*child.calls, *crisis.calls))
    return _or_phone(voice, asked, both)


async def _danger(voice: Voice, asked: Asked) -> Shown:
    return _or_phone(voice, asked, _lines(voice, asked).emergency_numbers())


def _or_phone(voice: Voice, asked: Asked, card: Card) -> Shown:
    """A card of numbers; without any, the phone's own emergency call, in words."""
    without = () if card.calls else (voice.say(asked, "show.phone_emergency"),)
    return Shown(("\n".join((*without, *card.lines)),), calls=card.calls)


async def _emergency_line(voice: Voice, asked: Asked) -> Shown:
    numbers = _lines(voice, asked).emergency_alone()
    return Shown((numbers,) if numbers else ())


async def _child_lines(voice: Voice, asked: Asked) -> Shown:
    return _people_who_answer(voice, asked, "child")


async def _people(voice: Voice, asked: Asked) -> Shown:
    return _people_who_answer(voice, asked, "people")


def _people_who_answer(voice: Voice, asked: Asked, need: Need) -> Shown:
    card = _lines(voice, asked).card(need)
    nothing = () if card.calls else (voice.say(asked, "show.people.none"),)
    return Shown(("\n".join((*nothing, *card.lines)),), calls=card.calls)


# ---------------------------------------------------------------- police, law, platforms


async def _police(voice: Voice, asked: Asked) -> Shown:
    return _shown(_shelf(voice, asked).police())


async def _law(voice: Voice, asked: Asked) -> Shown:
    return _shown(_shelf(voice, asked).law())


async def _platform(voice: Voice, asked: Asked) -> Shown:
    name = asked.send.platform
    return _shown(_shelf(voice, asked).platform(name)) if name else _any_app(voice, asked)


async def _platform_facts(voice: Voice, asked: Asked) -> Shown:
    name = asked.send.platform
    return _shown(_shelf(voice, asked).facts(name)) if name else _any_app(voice, asked)


def _any_app(voice: Voice, asked: Asked) -> Shown:
    """An old button, after the app was forgotten."""
    return Shown((voice.say(asked, "platform.other"),))


def _shown(card: Card) -> Shown:
    return Shown(card.lines, card.links, card.calls)


_SHOWS: Final[dict[Show, Callable[[Voice, Asked], Awaitable[Shown]]]] = {
    "app": _app,
    "passed": _passed,
    "pin": _pin,
    "readers": _readers,
    "readers_now": _readers_now,
    "official": _official,
    "operator": _operator,
    "status": _status,
    "crisis": _crisis,
    "crisis_young": _crisis_young,
    "danger": _danger,
    "emergency_line": _emergency_line,
    "child_lines": _child_lines,
    "people": _people,
    "police": _police,
    "law": _law,
    "platform": _platform,
    "platform_facts": _platform_facts,
}
