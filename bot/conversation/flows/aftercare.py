"""One neutral question some days later, for those who wanted it."""

from bot.conversation.table import RESUME, ask, do, tell

AFTERCARE = (
    ask(
        "ask.how",
        aside=True,
        options={"ok": "how.ok", "talk": "people", "new": "ask.new"},
    ),
    tell("how.ok", then=RESUME),
    tell("ask.new", then="anew"),
    do("anew", "anew", then="ask.situation"),
)
