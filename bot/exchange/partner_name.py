"""A partner's name as people will read it: in a status, in a list, beside Sala's own."""

import unicodedata
from typing import Final

from bot.exchange.stopncii import OWN_NAME

LONGEST: Final = 60


def read_name(typed: str) -> str:
    """The name in one spelling (NFKC, no space around it), or ValueError that says what to mend."""
    name = unicodedata.normalize("NFKC", typed).strip()
    if not 0 < len(name) <= LONGEST:
        raise ValueError(f"A partner's name has 1 to {LONGEST} characters.")
    # isprintable() refuses the category Cf too: signs that turn or hide what stands beside them.
    if not name.isprintable():
        raise ValueError("A partner's name holds letters, digits, signs and spaces alone.")
    if name.casefold() == OWN_NAME:
        raise ValueError("That name is Sala's own.")
    return name
