"""Help at any point, people, whom to tell, apps and police; where every way ends (C5, C18)."""

from typing import get_args

from bot.conversation.model import Country
from bot.conversation.shows import PLATFORMS
from bot.conversation.table import RESUME, Line, ask, decide, do, plainly, tell

_COUNTRIES = get_args(Country)
_FIRST = PLATFORMS[:10]
"""The apps on the first page; the others are on the second, and all may be typed."""
_LABELS: dict[str, str] = {name: f"ask.platform.{name}" for name in PLATFORMS}

SUPPORT = (
    ask(
        "home",
        aside=True,
        options={
            "go_on": RESUME,
            "steps": "home.steps",
            "another": "again",
            "status": "status",
            "undo": "keep",
            "withdraw": "withdraw",
            "tell": "tell",
            "people": "people",
            "apps": "apps",
            "police": "police",
        },
        when={
            "go_on": "resumable",
            "status": "has_case",
            "undo": "leaving",
            "withdraw": "has_case",
        },
    ),
    decide("home.steps", "situation", {"danger": "danger", "else": "steps.kind"}),
    decide(
        "steps.kind",
        "helping",
        {"guardian": "steps.guardian", "helper": "steps.helper", "else": "steps"},
    ),
    tell("steps.guardian", "who.guardian.1", "who.guardian.2", then="home"),
    tell("steps.helper", *map(plainly, ("who.helper.1", "who.helper.2")), then="home"),
    ask(
        "help",
        Line("help", show="danger"),
        aside=True,
        options={
            "go_on": RESUME,
            "what": "help.what",
            "people": "people",
            "status": "status",
            "language": "ask.language",
            "delete": "ask.delete",
        },
    ),
    tell("help.what", "answer.what_is_this", "answer.commands", then=RESUME),
    tell("people", Line("people", show="people"), then="people.country"),
    decide("people.country", "country", {"known": "ask.alarm", "unknown": "ask.country"}),
    tell("steps", plainly("steps.1"), plainly("steps.2"), then="home"),
    decide("tell", "near", {"no": "tell.someone", "close": "ask.near"}),
    ask(
        "ask.near",
        plainly("ask.near"),
        slot="near",
        aside=True,
        options={"no": "tell.someone", "yes": "tell.close", "unsure": "tell.close"},
    ),
    tell("tell.someone", *map(plainly, ("tell.someone.1", "tell.someone.2")), then="home"),
    tell("tell.close", plainly("tell.close", show="child_lines"), then="home"),
    decide("apps", "platform", {"known": "platform.card", "unknown": "ask.platform"}),
    do("apps.another", "another_app", then="ask.platform"),
    ask(
        "ask.platform",
        slot="platform",
        aside=True,
        options={**dict.fromkeys(_FIRST, "platform.card"), "more": "ask.platform.more"},
        labels=_LABELS,
    ),
    ask(
        "ask.platform.more",
        "ask.platform",
        slot="platform",
        aside=True,
        options={
            **dict.fromkeys(PLATFORMS[10:], "platform.card"),
            "other": "platform.other",
            "first": "apps.another",
        },
        labels=_LABELS,
    ),
    ask(
        "platform.card",
        Line("platform.card", show="platform"),
        aside=True,
        options={"on": RESUME, "another": "apps.another", "itself": "platform.itself"},
    ),
    tell("platform.itself", Line("platform.itself", show="platform_facts"), then=RESUME),
    tell("platform.other", then=RESUME),
    decide("police", "young", {"yes": "police.young", "no": "police.where"}),
    tell("police.young", Line("police.simple", show="child_lines"), then=RESUME),
    decide("police.where", "country", {"known": "police.card", "unknown": "ask.where"}),
    ask(
        "ask.where",
        "ask.country",
        slot="country",
        aside=True,
        options=dict.fromkeys(_COUNTRIES, "police.card"),
        labels={code: f"country.{code}" for code in _COUNTRIES},
    ),
    tell("police.card", Line("police", show="police"), Line("law", show="law"), then=RESUME),
)
