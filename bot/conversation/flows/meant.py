"""Did you mean this? What a message may have said, as buttons; each leads where its words would."""

from bot.conversation.needs import ANSWERS, FACTS, GUESSES, PLACES, SHOWN
from bot.conversation.table import RESUME, Line, Node, ask, do, tell


def _place(need: str) -> str:
    return next((place for known, place in PLACES.items() if known == need), f"meant.{need}")


def _nodes() -> list[Node]:
    """What follows a guess that was right: its facts are kept, then it is answered."""
    nodes: list[Node] = []
    for need in GUESSES:
        if need in PLACES:
            continue
        slots = dict(FACTS.get(need, ()))
        if need in FACTS:
            leads = {"situation": "firstaid.kind"}
            then = next((place for slot, place in leads.items() if slot in slots), f"say.{need}")
            nodes.append(do(f"meant.{need}", f"fact.{need}", then=then))
            if then != f"say.{need}":
                continue
        id = f"say.{need}" if need in FACTS else f"meant.{need}"
        said = Line(f"answer.{ANSWERS[need]}", show=SHOWN.get(need))
        nodes.append(tell(id, said, then=RESUME))
    return nodes


MEANT = (
    ask(
        "ask.meant",
        aside=True,
        options={need: _place(need) for need in GUESSES}
        | {"no": "ask.meant", "people": "people", "else": "meant.else"},
        when={need: f"maybe.{need}" for need in GUESSES} | {"no": "never"},
        says={"no": "else"},
        labels={"people": "home.people"},
    ),
    tell("meant.else", then=RESUME),
    *_nodes(),
)
