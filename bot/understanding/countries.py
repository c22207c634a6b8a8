"""The names of all countries, as the locale data of the three languages has them."""

import re
from functools import cache

from babel import Locale

from bot.understanding.forms import clean, forms

LANGUAGES = ("en", "es", "th")


@cache
def names() -> dict[str, frozenset[str]]:
    """What countries and territories are called, in the normal forms `latin` and `thai`."""
    called = [
        one
        for language in LANGUAGES
        for code, name in Locale(language).territories.items()
        if len(code) == len("XX") and code.isalpha() and code != "ZZ"
        for one in re.split("[()]", name)
    ]
    read = [forms(clean(one)) for one in called if one.strip()]
    latin = frozenset(one.latin.strip() for one in read) - {""}
    return {"latin": latin, "thai": frozenset(one.thai.strip() for one in read) - {""}}
