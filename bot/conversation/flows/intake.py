"""Who we are, your own phone, what is happening; then who, and the age in the image (C1–C5)."""

from bot.conversation.flows.safety import FIRST_AID
from bot.conversation.table import RESUME, ask, decide, do, plainly, tell

INTAKE = (
    tell("start", "hello", then="ask.phone"),
    ask(
        "ask.phone",
        slot="phone",
        options={"own": "phone.kind", "shared": "phone.kind"},
        says={"yes": "own", "no": "shared", "unsure": "shared"},
    ),
    decide("phone.kind", "phone", {"own": "ask.situation", "shared": "phone.shared"}),
    tell("phone.shared", then="ask.situation"),
    ask(
        "ask.situation",
        slot="situation",
        options={
            "money": "situation.kind",
            "more": "situation.kind",
            "posted": "situation.kind",
            "afraid": "situation.kind",
            "ai": "situation.kind",
            "other": "situation.kind",
            "danger": "situation.kind",
        },
    ),
    decide("situation.kind", "situation", {"danger": "danger", "else": "firstaid.kind"}),
    decide(
        "firstaid.kind",
        "helping",
        {"guardian": "who.guardian", "helper": "who.helper", "else": "firstaid"},
    ),
    tell("who.helper", *map(plainly, ("who.helper.1", "who.helper.2")), then="ask.who"),
    ask(
        "ask.who",
        slot="who",
        options={
            "self": "who.kind",
            "guardian": "who.kind",
            "friend": "who.kind",
            "other": "who.kind",
        },
        exact=True,
    ),
    ask(
        "ask.other",
        slot="who",
        options={
            "adult_friend": "who.kind",
            "helped": "who.kind",
            "proxy": "who.kind",
            "holder": "who.kind",
            "finder": "who.kind",
        },
    ),
    decide(
        "who.kind",
        "who",
        {
            "self": "self.kind",
            "helped": "ask.age",
            "guardian": "who.guardian",
            "friend": "ask.age",
            "other": "ask.other",
            "adult_friend": "ask.age",
            "proxy": "ask.age",
            "holder": "ask.holder",
            "finder": "route",
        },
    ),
    decide("self.kind", "mistaken", {"yes": "self.mistaken", "no": "ask.age"}),
    do("self.mistaken", "helped", then="self.firstaid"),
    tell("self.firstaid", *FIRST_AID, then="ask.age"),
    tell("who.guardian", "who.guardian.1", "who.guardian.2", then="ask.age"),
    ask(
        "ask.holder",
        options={"right": "holder.right", "forced": "holder.forced", "else": "route"},
    ),
    tell("holder.right", then="route"),
    tell("holder.forced", then="route"),
    ask(
        "ask.age",
        "ask.age.{voice}",
        slot="age",
        exact=True,
        options={"under18": "age.latch", "adult": "age.latch", "unsure": "age.latch"},
    ),
    decide("age.latch", "latched", {"yes": "age.latched", "no": "image.kind"}),
    tell("age.latched", then="image.kind"),
    ask(
        "ask.language",
        slot="language",
        aside=True,
        options={"th": RESUME, "en": RESUME, "es": RESUME},
        labels={"th": "language.th", "en": "language.en", "es": "language.es"},
    ),
    do("again", "again", then="ask.who"),
)
