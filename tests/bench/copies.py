"""What happens to a picture on its way: the copies of the bench, each made by Pillow alone.

A copy is what somebody posts; a platform hashes all its pixels. Strengths are those of common apps,
and others than those of the set's own self-test (bot/hashing/mild.py).
"""

from collections.abc import Callable
from io import BytesIO
from typing import Final, Literal

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

Picture = Image.Image
Class = Literal["changed", "mirrored", "turned", "cut"]
SMOOTH: Final = Image.Resampling.LANCZOS


def encoded(picture: Picture, kind: str, quality: int) -> Picture:
    file = BytesIO()
    picture.save(file, kind, quality=quality)
    return Image.open(file).convert("RGB")


def smaller(picture: Picture, share: float) -> Picture:
    width, height = picture.size
    return picture.resize((round(width * share), round(height * share)), SMOOTH)


def longest(picture: Picture, side: int) -> Picture:
    return smaller(picture, min(1, side / max(picture.size)))


def toned(picture: Picture, *factors: float) -> Picture:
    bands = zip(picture.split(), factors, strict=True)
    return Image.merge("RGB", [one.point(lambda v, f=f: min(255, v * f)) for one, f in bands])


def grainy(picture: Picture) -> Picture:
    pixels = np.asarray(picture).astype(np.int16)
    grain = np.random.default_rng(4).normal(0, 12, pixels.shape)
    return Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))


def few_colours(picture: Picture) -> Picture:
    return picture.quantize(64).convert("RGB")


def in_part(picture: Picture, share: float, paint: Callable[[Picture], Picture]) -> Picture:
    """Something done to a box in the middle that covers this share of the picture."""
    width, height = picture.size
    w, h = round(width * share**0.5), round(height * share**0.5)
    left, top = (width - w) // 2, (height - h) // 2
    changed = picture.copy()
    changed.paste(paint(picture.crop((left, top, left + w, top + h))), (left, top))
    return changed


def blocks(picture: Picture) -> Picture:
    width, height = picture.size
    return smaller(picture, 1 / 24).resize((width, height), Image.Resampling.NEAREST)


def sticker(share: float) -> Callable[[Picture], Picture]:
    return lambda p: in_part(p, share, lambda part: Image.new("RGB", part.size, "#f5c518"))


def captioned(picture: Picture) -> Picture:
    width, height = picture.size
    written = picture.copy()
    draw = ImageDraw.Draw(written)
    size = height / 9
    draw.text((width * 0.08, height * 0.42), "look at this one", "white", font_size=size)
    return written


def framed(picture: Picture, share: float, colour: str) -> Picture:
    return ImageOps.expand(picture, round(min(picture.size) * share), colour)


def screen(picture: Picture, share: float, colour: str) -> Picture:
    """A telephone's screen, 9 by 20, with the picture over this share of its width."""
    width = 1080
    paper = Image.new("RGB", (width, width * 20 // 9), colour)
    inner = ImageOps.contain(picture, (round(width * share), paper.height - 500))
    paper.paste(inner, ((width - inner.width) // 2, (paper.height - inner.height) // 2))
    return paper


def chat(picture: Picture) -> Picture:
    paper = screen(picture, 0.7, "#e8eef2")
    draw = ImageDraw.Draw(paper)
    for top in (90, 260, 2050, 2200):
        draw.rounded_rectangle((60, top, 700, top + 120), 40, "#ffffff")
        draw.text((100, top + 30), "who is this?", "#333333", font_size=48)
    return paper


def cut(picture: Picture, share: float, left: float = 0.5, top: float = 0.5) -> Picture:
    """Without this share of each side's length."""
    width, height = picture.size
    w, h = round(width * (1 - share)), round(height * (1 - share))
    x, y = round((width - w) * left), round((height - h) * top)
    return picture.crop((x, y, x + w, y + h))


def tilted(picture: Picture, degrees: float) -> Picture:
    return cut(picture.rotate(degrees, Image.Resampling.BICUBIC), degrees / 45)


def of_a_screen(picture: Picture) -> Picture:
    """Taken by another telephone: askew, soft, with a glow and a pattern."""
    width, height = picture.size
    shift = (1.0, 0.02, -0.01 * width, 0.015, 1.0, -0.01 * height, 0.00002, 0.00001)
    askew = picture.transform(
        picture.size, Image.Transform.PERSPECTIVE, shift, Image.Resampling.BICUBIC
    )
    lines = np.asarray(askew.filter(ImageFilter.GaussianBlur(1.2))).astype(np.float32)
    lines *= 1 + 0.05 * np.sin(np.arange(height) * 1.7)[:, None, None]
    lines += 25 * np.linspace(1, 0, width)[None, :, None]
    return Image.fromarray(np.clip(lines, 0, 255).astype(np.uint8))


TURNS: Final = Image.Transpose
COPIES: Final[dict[str, tuple[Class, Callable[[Picture], Picture]]]] = {
    "saved again, JPEG 92": ("changed", lambda p: encoded(p, "JPEG", 92)),
    "JPEG 30": ("changed", lambda p: encoded(p, "JPEG", 30)),
    "JPEG 10": ("changed", lambda p: encoded(p, "JPEG", 10)),
    "WebP 60": ("changed", lambda p: encoded(p, "WEBP", 60)),
    "half the size": ("changed", lambda p: smaller(p, 0.5)),
    "a quarter of the size": ("changed", lambda p: smaller(p, 0.25)),
    "longest side 256": ("changed", lambda p: longest(p, 256)),
    "a messenger's copy (800, JPEG 70)": (
        "changed",
        lambda p: encoded(longest(p, 800), "JPEG", 70),
    ),
    "30 % brighter": ("changed", lambda p: ImageEnhance.Brightness(p).enhance(1.3)),
    "30 % darker": ("changed", lambda p: ImageEnhance.Brightness(p).enhance(0.7)),
    "40 % more contrast": ("changed", lambda p: ImageEnhance.Contrast(p).enhance(1.4)),
    "40 % less contrast": ("changed", lambda p: ImageEnhance.Contrast(p).enhance(0.6)),
    "grey": ("changed", lambda p: p.convert("L").convert("RGB")),
    "strong colours": ("changed", lambda p: ImageEnhance.Color(p).enhance(1.8)),
    "warmer": ("changed", lambda p: toned(p, 1.12, 1.0, 0.85)),
    "64 colours": ("changed", few_colours),
    "blurred a little": ("changed", lambda p: p.filter(ImageFilter.GaussianBlur(2))),
    "blurred": ("changed", lambda p: p.filter(ImageFilter.GaussianBlur(5))),
    "sharpened": ("changed", lambda p: p.filter(ImageFilter.UnsharpMask(3, 120))),
    "grain": ("changed", grainy),
    "mirrored": ("mirrored", ImageOps.mirror),
    "mirrored, half the size, JPEG 60": (
        "mirrored",
        lambda p: encoded(smaller(ImageOps.mirror(p), 0.5), "JPEG", 60),
    ),
    "turned by 90°": ("turned", lambda p: p.transpose(TURNS.ROTATE_270)),
    "turned by 180°": ("turned", lambda p: p.transpose(TURNS.ROTATE_180)),
    "turned by 270°, JPEG 60": (
        "turned",
        lambda p: encoded(p.transpose(TURNS.ROTATE_90), "JPEG", 60),
    ),
    "upside down and mirrored": ("turned", ImageOps.flip),
    "squares over 12 %": ("cut", lambda p: in_part(p, 0.12, blocks)),
    "words across": ("cut", captioned),
    "a sticker over 5 %": ("cut", sticker(0.05)),
    "a sticker over 15 %": ("cut", sticker(0.15)),
    "a white border of 5 %": ("cut", lambda p: framed(p, 0.05, "white")),
    "a black border of 10 %": ("cut", lambda p: framed(p, 0.1, "black")),
    "a full screen's screenshot": ("cut", lambda p: screen(p, 1, "black")),
    "a screenshot in a chat": ("cut", chat),
    "1 % cut off, from the middle": ("cut", lambda p: cut(p, 0.01)),
    "2 % cut off, at one corner": ("cut", lambda p: cut(p, 0.02, 0.0, 0.0)),
    "3 % cut off": ("cut", lambda p: cut(p, 0.03)),
    "5 % cut off": ("cut", lambda p: cut(p, 0.05, 0.3, 0.6)),
    "10 % cut off": ("cut", lambda p: cut(p, 0.1)),
    "20 % cut off": ("cut", lambda p: cut(p, 0.2, 0.2, 0.7)),
    "square from the middle": (
        "cut",
        lambda p: ImageOps.fit(p, (min(p.size), min(p.size))),
    ),
    "turned by 1°": ("cut", lambda p: tilted(p, 1)),
    "turned by 3°": ("cut", lambda p: tilted(p, 3)),
    "photographed off a screen": ("cut", of_a_screen),
}
