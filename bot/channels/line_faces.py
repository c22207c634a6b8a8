"""Messages in LINE's own form: one Flex bubble each, its buttons, and the menus below the chat.

A bubble shows nothing of itself in notifications and chat lists but its `altText`, which is
neutral (C14). Colours are those of the chat page. Limits:
https://developers.line.biz/en/reference/messaging-api/
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from bot.channels import Choice, Link, Message
from bot.conversation.model import Language
from bot.knowledge import help_lines
from bot.text import Texts

BUTTON_LABEL: Final = 40
QUICK_LABEL: Final = 20
QUICK_MOST: Final = 13
URI_MOST: Final = 1_000

GROUND: Final = "#FFFDF8"
INK: Final = "#2B2923"
ACT: Final = "#2C5E50"
OWN: Final = "#DCEBE1"

TILES: Final = ("help", "status", "person", "language", "start", "stop")
"""The menu's areas: each says one of the global words for the person."""
MENU_SIZE: Final = (1_200, 600)
_COLUMNS: Final = 3
_URL: Final = re.compile(r"https://[^\s<>\"]+[^\s<>\".,;:!?)»”]")
_DIAL: Final = re.compile(r".+: (?P<number>[0-9+][0-9 -]*[0-9])(?: / .*)?")

Face = dict[str, Any]


def render(message: Message, texts: Texts, liff: str = "") -> Face:
    """A message as a Flex message. With a LIFF id the mini-app opens inside LINE first."""
    outside = texts.say("line.browser", message.language)
    buttons = [
        button for link in message.links for button in _links(link, outside, message.language, liff)
    ]
    buttons += [_button(choice) for choice in message.choices]
    bubble: Face = {"type": "bubble", "size": "mega", "body": _body(message.text)}
    if buttons:
        bubble["footer"] = _box(buttons, "sm")
    bubble["styles"] = {part: {"backgroundColor": GROUND} for part in ("body", "footer")}
    face: Face = {"type": "flex", "altText": message.preview, "contents": bubble}
    if message.choices:
        face["quickReply"] = {"items": [_quick(one) for one in message.choices[:QUICK_MOST]]}
    return face


def graphemes(text: str) -> Iterator[str]:
    """What a reader counts as one letter: a base with its marks, an emoji with its parts."""
    letter = ""
    for one in text:
        if letter and not (_joins(one) or letter.endswith("\u200d")):
            yield letter
            letter = ""
        letter += one
    if letter:
        yield letter


def cut(label: str, most: int) -> str:
    """A label of at most so many letters."""
    if len(label) <= most:  # a letter is at least one code point
        return label
    letters = list(graphemes(label))
    return label if len(letters) <= most else "".join(letters[: most - 1]) + "…"


# ---------------------------------------------------------------- the bubble


def _body(text: str) -> Face:
    paragraphs = [_box([_line(line) for line in _lines(one)], "xs") for one in text.split("\n\n")]
    return _box(paragraphs, "lg")


def _lines(paragraph: str) -> Iterator[str]:
    """Words that stay together; a line that can be tapped stands alone."""
    together: list[str] = []
    for line in paragraph.split("\n"):
        if not _target(line):
            together.append(line)
            continue
        if together:
            yield "\n".join(together)
        together = []
        yield line
    if together:
        yield "\n".join(together)


def _line(text: str) -> Face:
    # An empty text component is refused.
    face: Face = {"type": "text", "text": text or " ", "wrap": True, "color": INK, "scaling": True}
    target = _target(text)
    if target:
        action = {"type": "uri", "label": cut(text, BUTTON_LABEL), "uri": target}
        face |= {"action": action, "color": ACT, "decoration": "underline"}
    return face


def _target(line: str) -> str | None:
    """What a tap on a line opens: a help line's number, else an address in it.

    Text in a bubble is not made tappable by LINE itself.
    """
    dial = _DIAL.fullmatch(line)
    if dial and dial["number"] in _numbers():
        return "tel:" + re.sub(r"[^0-9+*]", "", dial["number"])
    url = _URL.search(line)
    return url[0] if url and len(url[0]) <= URI_MOST else None


@cache
def _numbers() -> frozenset[str]:
    return frozenset(line.number for line in help_lines() if line.number)


def _links(link: Link, outside: str, language: Language, liff: str) -> Iterator[Face]:
    """LIFF opens in LINE and knows who asks; the one-time link opens in the phone's browser."""
    if not link.app:
        yield _uri(link.label, link.url, "primary")
        return
    browser = link.url.replace("/app#", "/app?openExternalBrowser=1#", 1)
    if not liff:
        yield _uri(link.label, browser, "primary")
        return
    what = f"?lang={language}" + ("&opens=pin" if link.opens == "pin" else "")
    yield _uri(link.label, f"https://liff.line.me/{liff}{what}", "primary")
    yield _uri(outside, browser, "link")


def _uri(label: str, url: str, style: str) -> Face:
    action = {"type": "uri", "label": cut(label, BUTTON_LABEL), "uri": url}
    face: Face = {"type": "button", "style": style, "action": action, "scaling": True}
    return face | {"color": ACT, "height": "sm", "adjustMode": "shrink-to-fit"}


def _button(choice: Choice) -> Face:
    face: Face = {"type": "button", "style": "secondary", "color": OWN, "height": "sm"}
    shown = {"scaling": True, "adjustMode": "shrink-to-fit"}
    return face | shown | {"action": _postback(choice, BUTTON_LABEL)}


def _quick(choice: Choice) -> Face:
    return {"type": "action", "action": _postback(choice, QUICK_LABEL)}


def _postback(choice: Choice, most: int) -> Face:
    label = cut(choice.label, most)
    return {"type": "postback", "label": label, "data": choice.data, "displayText": choice.label}


def _box(contents: list[Face], spacing: str) -> Face:
    return {"type": "box", "layout": "vertical", "spacing": spacing, "contents": contents}


def _joins(letter: str) -> bool:
    """Marks, Thai sara am, joiners and skin tones belong to the letter before."""
    if letter in "\u200d\u0e33" or "\U0001f3fb" <= letter <= "\U0001f3ff":
        return True
    return unicodedata.category(letter) in {"Mn", "Mc", "Me"}


# ---------------------------------------------------------------- the menu below the chat


def tile(index: int) -> tuple[int, int, int, int]:
    """Where an area lies: x, y, width, height."""
    width, height = MENU_SIZE[0] // _COLUMNS, MENU_SIZE[1] // (len(TILES) // _COLUMNS)
    return index % _COLUMNS * width, index // _COLUMNS * height, width, height


def rich_menu(texts: Texts, language: Language, name: str) -> Face:
    """The menu of a language: six areas that say a global word for the person."""
    return {
        "size": dict(zip(("width", "height"), MENU_SIZE, strict=True)),
        "selected": False,
        "name": name,
        "chatBarText": texts.say("line.menu.bar", language),
        "areas": [_area(texts, language, *one) for one in enumerate(TILES)],
    }


def _area(texts: Texts, language: Language, index: int, word: str) -> Face:
    bounds = dict(zip(("x", "y", "width", "height"), tile(index), strict=True))
    label = texts.say(f"line.menu.{word}", language)
    said = texts.say(f"line.word.{word}", language)
    return {"bounds": bounds, "action": {"type": "message", "label": label, "text": said}}
