"""Reads ages: the writer's own today, the young person's spoken of, and the one in the image.

A classifier does not see numbers, and a wrong age sends a child the wrong way; so this is rules
(data/ages.toml), and what is not plainly an age is none.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from bot.understanding.forms import Forms
from bot.understanding.tables import Patterns, table

Whose = Literal["own", "their", "image"]
Script = Literal["latin", "thai"]
Order = tuple[tuple[str, Whose], ...]
READ: Final = 4_000
"""Characters of a form in which ages are looked for."""
ADULT: Final = 18
_YOUNGEST, _OLDEST = 4, 99


@dataclass(frozen=True, slots=True)
class Ages:
    """Ages in years, where they were said. `bare`: the message is nothing but a number."""

    own: int | None = None
    their: int | None = None
    image: int | None = None
    bare: bool = False


@dataclass(frozen=True, slots=True)
class _School:
    patterns: Patterns
    base: int
    top: int
    plain: int | None


def ages(message: Forms, year: int | None = None) -> Ages:
    """The ages said in a message.

    School years give the typical age. Years of birth (Buddhist ones too) are read only when the
    current `year` is given; where the birthday decides about 13 or 18, the younger age is taken.
    """
    if bare := _BARE.fullmatch(message.plain):
        return Ages(own=_in_range(int(bare[1])), bare=True)
    found: dict[Whose, int] = {}
    for script, text in (("latin", _punctuated(message.plain)), ("thai", message.thai[:READ])):
        if text:
            _read(text, "thai" if script == "thai" else "latin", year, found)
    return Ages(found.get("own"), found.get("their"), found.get("image"))


def asked_age(message: Forms) -> int | None:
    """The age a message gives where the age in the image is asked; the youngest of several.

    None when it says anything more than a number, or "a minor" (17: the upper bound).
    """
    text = message.thai.split("\n")[0] or message.latin.split("\n")[0].strip()
    if _ASKED["minor"].search(text):
        return ADULT - 1
    if re.sub(r"[\s,]+", "", _ASKED["around"].sub("", _ANY.sub("", text))):
        return None
    said = [int(one) if one.isdigit() else _NUMBERS[one] for one in _ANY.findall(text)]
    age = min(said, default=0) - int(bool(_ASKED["less"].search(text)))
    return None if age >= ADULT and _ASKED["today"].search(text) else _in_range(age)


def _read(text: str, script: Script, year: int | None, found: dict[Whose, int]) -> None:
    """Adds what `text` says; what one rule has read is cut out for the next."""
    schooled: dict[Whose, int] = {}
    text = _births(text, script, year, found)
    text = _sections(_FIRST, text, script, found)
    text = _schools(text, script, schooled)
    for pattern in _NEVER[script]:
        text = pattern.sub(" , ", text)
    text = _sections(_ORDER, text, script, found)
    for whose, age in schooled.items():
        found.setdefault(whose, age)
    _sections(_BOUNDS, text, script, found)


def _sections(order: Order, text: str, script: Script, found: dict[Whose, int]) -> str:
    for section, whose in order:
        for pattern in _SAID[script][section]:
            text = _take(pattern, text, whose, int(section not in _AS_SAID), found)
    return text


def _take(
    pattern: re.Pattern[str], text: str, whose: Whose, less: int, found: dict[Whose, int]
) -> str:
    def take(match: re.Match[str]) -> str:
        age = _in_range(_number(match) - less)
        if age is not None:
            found.setdefault(whose, age)
        return " , "

    return pattern.sub(take, text)


def _births(text: str, script: Script, year: int | None, found: dict[Whose, int]) -> str:
    for pattern in _BIRTH[script]:
        for match in pattern.finditer(text):
            age = None if year is None else _since(int(match["y"]), year)
            if age is not None:
                found.setdefault("their" if _kin_before(text, match, script) else "own", age)
        text = pattern.sub(" , ", text)
    return text


def _since(born: int, year: int) -> int | None:
    """The age, from a year of birth in either era."""
    if born < 100:
        born += 2500
    age = year - (born - 543 if born >= 2400 else born)
    return _in_range(age - 1 if age in (13, 18) else age)


def _schools(text: str, script: Script, found: dict[Whose, int]) -> str:
    for school in _SCHOOLS[script]:
        for pattern in school.patterns:
            for match in pattern.finditer(text):
                age = _school_age(school, match)
                whose = _school_whose(text, match, script)
                if age is not None and whose is not None:
                    found.setdefault(whose, age)
            text = pattern.sub(" , ", text)
    return text


def _school_age(school: _School, match: re.Match[str]) -> int | None:
    said = match.groupdict().get("g")
    if said is None:
        return school.plain
    number = int(said) if said.isdigit() else _ORDINALS[said]
    return min(school.base + number, school.top) if 1 <= number <= 13 else None


def _school_whose(text: str, match: re.Match[str], script: Script) -> Whose | None:
    before = text[max(0, match.start() - 40) : match.start()]
    if _WHO["past"][script].search(before[-18:]):
        return "image"
    if _WHO["class"][script].search(before + match[0] + text[match.end() :][:30]):
        return "own"
    if _WHO["not_own"][script].search(text):
        return "their" if _WHO["pupil"][script].search(text) else None
    if named := [*_WHO["subject"][script].finditer(before)]:
        return "own" if named[-1]["self"] else "their"
    return "own" if _WHO["self"][script].search(before) or not before.strip(" ,") else None


def _kin_before(text: str, match: re.Match[str], script: Script) -> bool:
    return bool(_KIN[script].search(text[max(0, match.start() - 30) : match.start()]))


def _number(match: re.Match[str]) -> int:
    """The number said; of words that only say "under age", the age of majority."""
    groups = match.groupdict()
    said = groups.get("n") or groups.get("over") or str(ADULT)
    return int(said) if said.isdigit() else _NUMBERS[said]


def _in_range(age: int) -> int | None:
    return age if _YOUNGEST <= age <= _OLDEST else None


def _punctuated(plain: str) -> str:
    """Latin letters, digits and what money and hours are written with; other marks are a comma."""
    text = re.sub(r"(?<=[a-z0-9])-(?=[a-z])", " ", plain[:READ])
    text = re.sub(r"[^a-z0-9$€£฿%:./\s-]+", " , ", text)
    text = re.sub(r"(?<!\d)[.:/-]|[.:/-](?!\d)", " , ", text)
    text = re.sub(r"\s+", " ", text)
    for typed, meant in _TYPOS:
        text = typed.sub(meant, text)
    return text if re.search("[a-z]", text) else ""


def _whole(word: str) -> str:
    """Thai has no spaces: five begins "forbid" and "fifty", nine begins "chair"."""
    return f"{word}(?!{_GOES_ON[word]})" if word in _GOES_ON else word


def _spelt(source: str, script: Script) -> str:
    """A pattern with N, M, G, Y and KIN filled in."""
    words = sorted(_NUMBERS, key=len, reverse=True)
    spelt = "|".join(_whole(word) for word in words)
    grades = "|".join(_whole(word) for word in sorted(_ORDINALS, key=len, reverse=True))
    source = source.replace("KIN", _TABLE["who"][script])
    source = source.replace("M", rf"(?:(?<!\d)\d{{1,2}}(?!\d)|{spelt})")
    source = source.replace("N", rf"(?P<n>(?<!\d)\d{{1,2}}(?!\d)|{spelt})")
    source = source.replace("G", rf"(?P<g>(?<!\d)\d{{1,2}}|{grades})")
    return source.replace("Y", r"(?P<y>(?:19|20)\d\d|25\d\d|(?<=ปี)[3-6]\d)(?!\d)")


def _compiled(section: str, script: Script) -> Patterns:
    return Patterns(_spelt(source, script) for source in _TABLE[section].get(script, ()))


def _school_rows(script: Script) -> tuple[_School, ...]:
    return tuple(
        _School(
            Patterns(_spelt(source, script) for source in row[script]),
            row["base"],
            row["top"],
            row.get("plain"),
        )
        for row in _TABLE["school"]
        if script in row
    )


_TABLE: Final = table("ages")
_NUMBERS: Final[dict[str, int]] = {
    word: value for words in _TABLE["numbers"].values() for word, value in words.items()
}
_GOES_ON: Final = {
    **dict.fromkeys(("สี่", "หก", "เจ็ด", "แปด"), "สิบ"),
    **{"ห้า": "ม|สิบ", "เก้า": "อี้|สิบ", "สิบห้า": "ม"},
}
_ORDINALS: Final[dict[str, int]] = _TABLE["ordinals"]
_SCRIPTS: Final[tuple[Script, Script]] = ("latin", "thai")
_FIRST: Final[Order] = (("below_image", "image"), ("below_their", "their"), ("below", "own"))
_ORDER: Final[Order] = (
    ("shown", "their"),
    ("self", "own"),
    ("image", "image"),
    ("their", "their"),
    ("soon", "own"),
    ("own", "own"),
)
_BOUNDS: Final[Order] = (("minor_image", "image"), ("minor_their", "their"), ("minor", "own"))
"""Words that only say "under age": read last, for a school year tells more."""
_AS_SAID: Final = frozenset({"shown", "self", "image", "their", "own"})
"""In the other sections the age is one year less."""
_SAID: Final = {
    script: {section: _compiled(section, script) for section, _ in (*_FIRST, *_ORDER, *_BOUNDS)}
    for script in _SCRIPTS
}
_NEVER: Final = {script: _compiled("never", script) for script in _SCRIPTS}
_BIRTH: Final = {script: _compiled("birth", script) for script in _SCRIPTS}
_SCHOOLS: Final = {script: _school_rows(script) for script in _SCRIPTS}
_KIN: Final = {script: re.compile(_TABLE["who"][script]) for script in _SCRIPTS}
_WHO: Final = {
    name: {
        script: re.compile(_spelt(_TABLE["who"][f"{name}_{script}"], script)) for script in _SCRIPTS
    }
    for name in ("past", "class", "not_own", "pupil", "subject", "self")
}
"""Before a school year: when it was, and whose it is."""
_TYPOS: Final = tuple((re.compile(typed), meant) for typed, meant in _TABLE["typos"].items())
_BARE: Final = re.compile(r"\s*(\d{1,2})\s*[.!]?\s*")
_ASKED: Final = {name: re.compile(source) for name, source in _TABLE["asked"].items()}
_ANY: Final = re.compile(
    r"(?<!\d)\d{1,2}(?!\d)|"
    + "|".join(
        rf"\b{word}\b" if word.isascii() else _whole(word)
        for word in sorted(_NUMBERS, key=len, reverse=True)
    )
)
