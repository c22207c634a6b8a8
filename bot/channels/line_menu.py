"""Draws the menu below a LINE chat: six quiet tiles, a word each, in the chat page's colours."""

import re
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont, features

from bot.channels.line_faces import ACT, GROUND, INK, MENU_SIZE, OWN, TILES, tile
from bot.conversation.model import Language
from bot.text import Texts

PICTURE_MOST: Final = 1_000_000
"""Bytes of a rich menu's picture: LINE's own limit."""
FONTS: Final = (
    "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
    "/usr/share/fonts/truetype/noto/NotoSansThai-Regular.ttf",
    "/usr/share/fonts/truetype/noto/NotoLoopedThai-Regular.ttf",
    "/usr/share/fonts/truetype/tlwg/Loma.ttf",
    "/usr/share/fonts/truetype/tlwg/Garuda.ttf",
)
_GAP: Final = 12
_STACKED: Final = re.compile("[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]{2}")
"""Thai marks above one another, which collide without shaping."""
_LARGEST: Final = 56


class NoFont(LookupError):
    """Nothing here draws the words of a language right: no font, or no shaping of Thai marks."""


def find_font(texts: Texts, language: Language) -> Path:
    """A font of this machine that has every letter of the menu; NoFont when none has."""
    letters = "".join(texts.say(f"line.menu.{word}", language) for word in TILES)
    for place in FONTS:
        if Path(place).is_file() and _has(Path(place), letters):
            return Path(place)
    raise NoFont(language)


def rich_menu_image(texts: Texts, language: Language, font: Path) -> bytes:
    """The menu's picture as PNG, MENU_SIZE pixels, at most 1 MB."""
    picture = Image.new("RGB", MENU_SIZE, GROUND)
    draw = ImageDraw.Draw(picture)
    labels = [texts.say(f"line.menu.{word}", language) for word in TILES]
    letters = _font(font, draw, labels)
    for index, label in enumerate(labels):
        x, y, width, height = tile(index)
        box = (x + _GAP, y + _GAP, x + width - _GAP, y + height - _GAP)
        first = index == 0
        draw.rounded_rectangle(box, radius=28, fill=ACT if first else OWN)
        middle = (x + width / 2, y + height / 2)
        draw.text(middle, label, font=letters, fill=GROUND if first else INK, anchor="mm")
    kept = BytesIO()
    picture.quantize(64).save(kept, "PNG", optimize=True)
    return kept.getvalue()


def _font(path: Path, draw: ImageDraw.ImageDraw, labels: list[str]) -> ImageFont.FreeTypeFont:
    """As large as the longest label allows."""
    shapes = features.check("raqm")
    if not shapes and any(map(_STACKED.search, labels)):
        raise NoFont("Pillow finds no Raqm and FriBiDi (on Debian: apt-get install libfribidi0)")
    layout = ImageFont.Layout.RAQM if shapes else ImageFont.Layout.BASIC
    room = tile(0)[2] - 6 * _GAP
    for size in range(_LARGEST, 16, -2):
        font = ImageFont.truetype(path, size, layout_engine=layout)
        if all(draw.textlength(label, font=font) <= room for label in labels):
            return font
    raise NoFont("too long for a tile")


def _has(font: Path, letters: str) -> bool:
    """Whether each letter is drawn as something else than the font's sign for a missing one."""
    drawn = ImageFont.truetype(font, 24, layout_engine=ImageFont.Layout.BASIC)
    missing = bytes(drawn.getmask("\U0010fffe"))
    return all(bytes(drawn.getmask(one)) != missing for one in set(letters) if not one.isspace())
