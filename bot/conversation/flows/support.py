"""Help at any point, people who answer, whom to tell, and where every way ends (C5, C18)."""

from bot.conversation.table import RESUME, Line, ask, decide, tell

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
        },
        when={
            "go_on": "resumable",
            "status": "has_case",
            "undo": "leaving",
            "withdraw": "has_case",
        },
    ),
    decide("home.steps", "situation", {"danger": "danger", "else": "steps"}),
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
    tell("steps", "steps.1", "steps.2", then="home"),
    decide("tell", "near", {"no": "tell.someone", "close": "ask.near"}),
    ask(
        "ask.near",
        slot="near",
        aside=True,
        options={"no": "tell.someone", "yes": "tell.close", "unsure": "tell.close"},
    ),
    tell("tell.someone", "tell.someone.1", "tell.someone.2", then="home"),
    tell("tell.close", Line("tell.close", show="child_lines"), then="home"),
)
