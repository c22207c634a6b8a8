"""The transient path: what it means, the agreement to it, the picture awaited in the chat (C16).

Every way in goes through `may_take`, since a button may be older than what is known now.
"""

from bot.conversation.table import Line, ask, decide, do, tell

TAKE = (
    decide("take", "may_take", {"yes": "ask.take", "no": "may_hash"}),
    ask(
        "ask.take",
        "take.means",
        Line("ask.take", show="operator"),
        options={"yes": "take.agreed", "no": "app"},
        labels={"yes": "ask.consent.yes", "no": "ask.consent.no"},
        exact=True,
    ),
    decide("take.agreed", "may_take", {"yes": "take.await", "no": "may_hash"}),
    do("take.await", "await", then="take.wait"),
    ask(
        "take.wait",
        Line("take.wait", show="passed"),
        options={"page": "may_hash", "later": "home"},
        labels={"later": "app.later"},
    ),
    tell("take.late", then="take"),
    tell(
        "take.made",
        Line("take.made", show="pin"),
        Line("case.made.2", show="readers_now"),
        then="take.made.rest",
    ),
    tell(
        "take.made.quiet",
        "take.made.quiet",
        Line("case.made.2", show="readers_now"),
        then="take.made.rest",
    ),
    tell("take.already", then="take.made.rest"),
    tell("take.added", then="take.made.rest"),
    tell("case.added", "take.added", then="case.first"),
    tell("take.made.rest", "take.delete", then="take.more"),
    decide("take.more", "more", {"yes": "take.next", "no": "case.first"}),
    ask("take.next", options={"done": "case.first"}),
)
