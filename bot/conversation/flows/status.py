"""How a case stands, withdrawing, and what "delete" may mean (C2, C11, C12, C15)."""

from bot.conversation.table import REST, RESUME, Line, ask, decide, do, tell

STATUS = (
    do("status", "for_status", then="status.access"),
    decide("status.access", "case_access", {"open": "status.show", "keys": "ask.keys"}),
    do("status.show", "read_news", then="status.tell"),
    tell("status.tell", Line("status.now", show="status"), then="home"),
    ask("ask.keys", "ask.keys.{purpose}", aside=True, options={"lost": "keys.lost", "no": RESUME}),
    ask("ask.pin", aside=True, options={"lost": "keys.lost", "no": RESUME}),
    decide(
        "keys.lost",
        "purpose",
        {"status": "keys.lost.status", "withdraw": "leave.later", "erase": "leave.later"},
    ),
    tell("keys.lost.status", then="home"),
    tell("case.wrong", then="ask.keys"),
    ask("news", aside=True, options={"show": "status", "later": RESUME}),
    do("withdraw", "for_withdraw", then="ask.keys"),
    do("erase", "for_erase", then="erase.known"),
    decide("erase.known", "has_case", {"yes": "ask.keys", "no": "erase.nothing"}),
    tell("erase.nothing", then="clear"),
    decide("leave.later", "has_case", {"yes": "leave.wait", "no": "leave.unknown"}),
    tell("leave.unknown", then="home"),
    do("leave.wait", "withdraw_later", then="leave.waiting"),
    ask("leave.waiting", aside=True, options={"undo": "keep", "ok": "home"}),
    do("keep", "keep", then="kept"),
    tell("kept", then="home"),
    tell("withdrawn", then="home"),
    tell("erased", then="clear"),
    ask(
        "ask.delete",
        aside=True,
        options={
            "pictures": "delete.pictures",
            "chat": "delete.chat",
            "case": "erase",
            "no": RESUME,
        },
    ),
    tell("delete.pictures", then="home"),
    tell("delete.chat", then="clear"),
    do("clear", "clear", then=REST),
)
