"""The shelf: facts as reviewed data, each with its sources and the day it was checked.

Only entries marked sure are ever shown. After half a year the operator is told to check them again;
after a year answers do without them, except for emergency and crisis numbers, which are never
dropped for age (rule C8).
"""

from bot.knowledge.checked import AGING, STALE, Checked
from bot.knowledge.laws import Fact, Law, all_facts, all_laws, facts, laws
from bot.knowledge.lines import (
    LIKELY,
    NEVER_DROPPED,
    HelpLine,
    Kind,
    Need,
    choose,
    emergency,
    help_lines,
)
from bot.knowledge.pages import OfficialPage, official_page, official_pages
from bot.knowledge.platforms import Card, Form, platform, platforms
from bot.knowledge.records import Record, records

__all__ = [
    "AGING",
    "LIKELY",
    "NEVER_DROPPED",
    "STALE",
    "Card",
    "Checked",
    "Fact",
    "Form",
    "HelpLine",
    "Kind",
    "Law",
    "Need",
    "OfficialPage",
    "Record",
    "all_facts",
    "all_laws",
    "choose",
    "emergency",
    "facts",
    "help_lines",
    "laws",
    "official_page",
    "official_pages",
    "platform",
    "platforms",
    "records",
]
