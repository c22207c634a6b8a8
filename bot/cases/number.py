"""The name of a case: a short parcel-like code and a PIN, both random.

The code never starts with a digit, so that no phone offers to dial it; its last character checks
the rest (Luhn mod 32 over Crockford's alphabet, which has no I, L, O, U).
"""

import re
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LETTERS: Final = ALPHABET[10:]
BODY: Final = 8
PIN_DIGITS: Final = 6

_LOOKALIKES: Final = str.maketrans({"I": "1", "L": "1", "O": "0"})
_SHAPE: Final = re.compile(r"\b[A-Za-z][0-9A-Za-z]{2}[- ]?[0-9A-Za-z]{3}[- ]?[0-9A-Za-z]{3}\b")
_WORD: Final = re.compile(r"(?<![-\w])[a-z]{9}(?![-\w])")
_CODED: Final = re.compile(r"[0-9-]")
_PIN: Final = re.compile(r"(?<![0-9])[0-9]{6}(?![0-9])")


def make_number(randoms: bytes) -> str:
    """A case number such as `K7Q-2XH-DPM` from at least 8 random bytes."""
    first = LETTERS[randoms[0] % len(LETTERS)]
    rest = "".join(ALPHABET[value % 32] for value in randoms[1:BODY])
    body = first + rest
    return _grouped(body + _check(body))


def read_number(typed: str) -> str | None:
    """The case number in the way it is stored, or None when it is not one.

    Case, spaces, hyphens and look-alikes (I, L, O) do not matter; the check character does.
    """
    plain = re.sub(r"[\s-]", "", typed).upper().translate(_LOOKALIKES)
    if len(plain) != BODY + 1 or any(letter not in ALPHABET for letter in plain):
        return None
    if plain[0] not in LETTERS or _check(plain[:-1]) != plain[-1]:
        return None
    return _grouped(plain)


def find_number(text: str) -> str | None:
    """The first valid case number inside a sentence.

    One word in 32 would pass the check, so what has no digit, hyphen or capitals is no number
    unless it stands alone.
    """
    words = _WORD.sub(" ", text) if _WORD.fullmatch(text.strip()) is None else text
    for shaped in _SHAPE.finditer(words):
        typed = shaped.group()
        number = read_number(typed)
        if number and (_CODED.search(typed) or typed.isupper() or typed == text.strip()):
            return number
    return None


def find_pin(text: str) -> str | None:
    """The first run of exactly six digits that is not part of a case number."""
    found = _PIN.search(_SHAPE.sub(_but_numbers, text))
    return found.group() if found else None


def without_keys(text: str) -> str:
    """The words beside case number and PIN, whose letters mean nothing."""
    return _PIN.sub(" ", _SHAPE.sub(_but_numbers, text))


def _but_numbers(shaped: re.Match[str]) -> str:
    return " " if read_number(shaped.group()) else shaped.group()


def make_pin(randoms: bytes) -> str:
    """A PIN of six digits from at least 8 random bytes; the bias is below one in 10^13."""
    return f"{int.from_bytes(randoms[:8], 'big') % 10**PIN_DIGITS:0{PIN_DIGITS}d}"


def _check(body: str) -> str:
    total = 0
    for position, letter in enumerate(reversed(body)):
        value = ALPHABET.index(letter) * (2 if position % 2 == 0 else 1)
        total += value // 32 + value % 32
    return ALPHABET[-total % 32]


def _grouped(plain: str) -> str:
    return "-".join((plain[:3], plain[3:6], plain[6:]))
