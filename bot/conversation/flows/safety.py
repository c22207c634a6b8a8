"""First aid, and the alarms: each has its own answer, before anything is asked (C3, C8–C10)."""

from bot.conversation.table import REST, RESUME, Line, ask, decide, do, tell

_COUNTRIES = ("TH", "ES", "MX", "CO", "AR", "CL", "PE", "US", "GB", "ZZ")

FIRST_AID = (
    Line("firstaid.{harm}.1", simple="firstaid.simple.1"),
    Line("firstaid.{situation}.2", simple="firstaid.simple.2"),
)

SAFETY = (
    tell("firstaid", *FIRST_AID, then="ask.who"),
    tell("self_harm", Line("alarm.self_harm", show="crisis"), then="alarm.country"),
    tell("self_harm.other", Line("alarm.self_harm.other", show="crisis"), then="alarm.country"),
    tell("danger", Line("alarm.danger", show="danger"), then="alarm.country"),
    tell(
        "unsafe",
        Line("alarm.unsafe.1", show="danger"),
        Line("alarm.unsafe.2", show="crisis"),
        then="alarm.country",
    ),
    decide("alarm.country", "country", {"known": "ask.alarm", "unknown": "ask.country"}),
    ask(
        "ask.country",
        slot="country",
        aside=True,
        options=dict.fromkeys(_COUNTRIES, "country.lines"),
        labels={code: f"country.{code}" for code in _COUNTRIES},
    ),
    tell("country.lines", Line("alarm.lines", show="crisis"), then="ask.alarm"),
    ask("ask.alarm", aside=True, options={"on": "alarm.resume", "people": "people"}),
    tell("alarm.resume", then=RESUME),
    ask(
        "ask.safe",
        aside=True,
        options={"ok": "safe.ok", "talk": "self_harm", "danger": "danger", "no": "unsafe"},
        when={"no": "never"},
        says={"yes": "ok"},
    ),
    tell("safe.ok", then=RESUME),
    tell("bland", then="silence"),
    tell("bland.danger", Line("bland", show="emergency_line"), then="silence"),
    do("silence", "silence", then=REST),
    ask("ask.talk_now", aside=True, options={"yes": RESUME, "no": "bland"}),
)
