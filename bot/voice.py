"""A message by id becomes words: texts, help lines, the case's standing, the mini-app's link.

This happens when it is sent, so nothing readable waits in the outbox and a mended translation
reaches what is queued.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from bot.cases.eligibility import List
from bot.cases.status import Standing
from bot.channels import Choice, Link, Message
from bot.conversation.model import Country, Language, Send, Show
from bot.knowledge import LIKELY, HelpLine, Need, choose, emergency, official_page
from bot.store import ConversationId, EffectId, Registry, Ticket
from bot.text import Texts
from bot.vault import Vault

TICKET_LIVES: Final = timedelta(hours=1)


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


@dataclass(frozen=True, slots=True)
class Voice:
    """Puts effects into words. Reads the registry; issues the mini-app's tickets."""

    texts: Texts
    registry: Registry
    vault: Vault
    operator: Operator
    public_url: str

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
            language=send.language,
        )

    def say(self, asked: Asked, id: str, **values: str) -> str:
        """A text in the language of what is asked."""
        return self.texts.say(id, asked.language, **values)


# ---------------------------------------------------------------- the mini-app, the lists


def ticket_token(vault: Vault, effect: EffectId, language: Language) -> str:
    """The token of an effect's ticket: its language, then 128 bits that only the key can make."""
    return f"{language}-{vault.token('ticket', effect.encode())[:16].hex()}"


def ticket_digest(vault: Vault, token: str) -> bytes:
    """What is kept of a token."""
    return vault.digest("ticket", token.encode())


async def _app(voice: Voice, asked: Asked) -> Shown:
    token = ticket_token(voice.vault, asked.id, asked.language)
    ticket = Ticket(
        digest=ticket_digest(voice.vault, token),
        conversation=asked.conversation,
        list=_list(asked),
        expires_at=asked.now + TICKET_LIVES,
        number=asked.values.get("number"),
    )
    await voice.registry.issue(ticket)
    url = f"{voice.public_url}/app#{token}"
    return Shown(links=(Link(voice.say(asked, "show.app.link"), url, app=True),))


async def _readers(voice: Voice, asked: Asked) -> Shown:
    names = await voice.registry.readers(_list(asked))
    chats = voice.say(asked, "show.readers.chats")
    if names:
        return Shown((voice.say(asked, "show.readers.some", partners=", ".join(names)), chats))
    official = await _official(voice, asked)
    return Shown((voice.say(asked, "show.readers.none"), *official.lines, chats), official.links)


async def _readers_now(voice: Voice, asked: Asked) -> Shown:
    names = ", ".join(await voice.registry.readers(_list(asked)))
    some = names and voice.say(asked, "show.readers.some", partners=names)
    return Shown((some or voice.say(asked, "show.readers.none.now"),))


async def _official(voice: Voice, asked: Asked) -> Shown:
    name = _list(asked)
    link = Link(voice.say(asked, f"show.official.{name}"), official_page(name).url[asked.language])
    return Shown((voice.say(asked, f"show.official.text.{name}"),), (link,))


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
    return Shown(tuple(_status_lines(voice, asked, number, standing)))


def _status_lines(voice: Voice, asked: Asked, number: str, standing: Standing) -> list[str]:
    head = voice.say(asked, "show.status.head", number=number, images=str(standing.images))
    if standing.status in {"Withdrawn", "Deleted"}:
        return [head, voice.say(asked, "show.status.withdrawn")]
    told = [
        voice.say(asked, f"show.status.{one.outcome}", partner=one.partner) for one in standing.told
    ]
    leaving = [voice.say(asked, "show.status.leaving")] if standing.leaving else []
    support = voice.say(asked, "show.status.support")
    return [head, *leaving, *(told or [voice.say(asked, "show.status.none")]), support]


# ---------------------------------------------------------------- lines where people answer


def _today(asked: Asked) -> date:
    return asked.now.date()


def _dial(line: HelpLine) -> str:
    return " / ".join(
        way for way in (line.number, f"SMS {line.sms}" if line.sms else "", line.url) if way
    )


def _entry(voice: Voice, asked: Asked, line: HelpLine) -> str:
    return voice.say(asked, "show.line", name=line.name, number=_dial(line))


def emergency_card(texts: Texts, language: Language, today: date) -> list[str]:
    """One checked emergency number per country where this language is likely spoken (C8)."""

    def entry(country: Country, line: HelpLine) -> str:
        name = texts.say(f"country.{country}", language)
        return texts.say("show.line", language, name=name, number=_dial(line))

    found = [(country, emergency(country, today)) for country in LIKELY[language]]
    return [entry(country, line) for country, line in found if line]


def _lines(voice: Voice, asked: Asked, need: Need) -> list[str]:
    """The country's lines; emergency numbers of the likely countries while it is unknown."""
    country = asked.send.country
    if country is None:
        return emergency_card(voice.texts, asked.language, _today(asked))
    return _entries(voice, asked, country, need)


def _entries(voice: Voice, asked: Asked, country: Country, need: Need) -> list[str]:
    """A country's own lines; what serves everywhere stands in the directory below them."""
    found = () if country == "ZZ" else choose(country, need, _today(asked))
    return [_entry(voice, asked, line) for line in found]


def _directory(voice: Voice, asked: Asked, need: Need) -> list[str]:
    found = choose("ZZ", need, _today(asked))
    return [voice.say(asked, "show.directory", url=line.url) for line in found if line.url]


async def _crisis(voice: Voice, asked: Asked) -> Shown:
    lines = _lines(voice, asked, "crisis")
    fallback = [] if lines else [voice.say(asked, "show.phone_emergency")]
    near = voice.say(asked, "show.near")
    return Shown((near, "\n".join([*fallback, *lines, *_directory(voice, asked, "crisis")])))


async def _danger(voice: Voice, asked: Asked) -> Shown:
    lines = _lines(voice, asked, "danger")
    return Shown(("\n".join(lines or [voice.say(asked, "show.phone_emergency")]),))


async def _emergency_line(voice: Voice, asked: Asked) -> Shown:
    """The number alone, without a word beside it (C9)."""
    countries = [asked.send.country] if asked.send.country else LIKELY[asked.language]
    found = (emergency(country, _today(asked)) for country in countries)
    numbers = " · ".join(dict.fromkeys(line.number for line in found if line))
    return Shown((numbers,) if numbers else ())


async def _child_lines(voice: Voice, asked: Asked) -> Shown:
    return _people_who_answer(voice, asked, "child")


async def _people(voice: Voice, asked: Asked) -> Shown:
    return _people_who_answer(voice, asked, "people")


def _people_who_answer(voice: Voice, asked: Asked, need: Need) -> Shown:
    countries = [asked.send.country] if asked.send.country else LIKELY[asked.language]
    lines = [entry for country in countries for entry in _entries(voice, asked, country, need)]
    nothing = [] if lines else [voice.say(asked, "show.people.none")]
    return Shown(("\n".join([*nothing, *lines, *_directory(voice, asked, need)]),))


_SHOWS: Final[dict[Show, Callable[[Voice, Asked], Awaitable[Shown]]]] = {
    "app": _app,
    "readers": _readers,
    "readers_now": _readers_now,
    "official": _official,
    "operator": _operator,
    "status": _status,
    "crisis": _crisis,
    "danger": _danger,
    "emergency_line": _emergency_line,
    "child_lines": _child_lines,
    "people": _people,
}
