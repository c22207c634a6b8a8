"""Walking the table: from a node to the next question, with what is said and done on the way."""

from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple, assert_never, cast

from bot.conversation.flows import TABLE
from bot.conversation.model import (
    Button,
    Country,
    Effect,
    Language,
    MessageId,
    NodeId,
    Send,
    Slot,
    State,
)
from bot.conversation.needs import HARMS
from bot.conversation.rules import ACTS, CONDITIONS, RULES, age_of, list_of, platform_of
from bot.conversation.shows import Show
from bot.conversation.table import REST, RESUME, Ask, Decide, Do, Line, Node, Option, Tell

START: Final = NodeId("start")
HOME: Final = NodeId("home")
TRAIL: Final = 20
_STANDS_ON: Final[dict[Slot, tuple[Slot, ...]]] = {
    "who": ("age", "image", "consent"),
    "age": ("consent",),
}
_NEEDS_LIST: Final = frozenset[Show]({"app", "readers", "readers_now", "official", "platform"})
_OF_PLATFORM: Final = frozenset[Show]({"platform", "platform_facts"})


class Step(NamedTuple):
    """What a step comes to."""

    state: State
    effects: tuple[Effect, ...] = ()


def enter(state: State, id: NodeId, at: datetime) -> Step:
    """Go to a node and on, over what is told, decided, done or answered already, to a question."""
    effects: list[Effect] = []
    while True:
        if id == REST:
            return Step(state, tuple(effects))
        if id == RESUME:
            id, state = resumed(state), replace(state, resume=None)
        node = TABLE[id]
        match node:
            case Tell():
                effects += [send(state, one) for one in node.lines]
                id = node.then
            case Decide():
                id = dict(node.to)[RULES[node.rule](state)]
            case Do():
                state, done = ACTS[node.act](state, at)
                effects += done
                id = node.then
            case Ask():
                known = answered(state, node)
                if known is None:
                    return Step(rest(state, node), (*effects, *question(state, node)))
                id = known.then
            case _:
                assert_never(node)


def answered(state: State, node: Ask) -> Option | None:
    """The option that an earlier answer picks, so that nothing is asked twice."""
    if node.slot is None or node.slot == "language":
        return None
    return node.option(state.answer(node.slot))


def rest(state: State, node: Ask) -> State:
    """Stand at this question; an aside remembers the question it interrupted."""
    resume = (open_question(state) or state.resume) if node.aside else None
    return replace(state, node=node.id, resume=resume)


def resumed(state: State) -> NodeId:
    """Where an aside leads back to."""
    if known := state.resume or open_question(state):
        return known
    return HOME if state.answer("phone") else START


def open_question(state: State) -> NodeId | None:
    """The question of the main way that waits for an answer, if one does."""
    node = TABLE.get(state.node)
    if isinstance(node, Ask) and not node.aside and answered(state, node) is None:
        return node.id
    return None


def take(state: State, node: Ask, option: Option) -> State:
    """Keep the answer, and the way back to the question."""
    if node.aside:
        state = replace(state, misses=0)
    else:
        trail = (*state.trail, node.id)[-TRAIL:]
        state = replace(state, misses=0, trail=trail, node=HOME, resume=None)
    if node.slot is None:
        return state
    return keep(state, node.slot, option.value)


def keep(state: State, slot: Slot, value: str) -> State:
    """Keep one answer, and forget those that stood on another one before it.

    Under 18 latches the minors' path for good (C16); "unsure" is not raised to 18 or older by an
    old button. Consent was given for one list, so it falls when the list may change (C6). With a
    case, a phone that others read stays one: whoever holds it could say that it is theirs (C2).
    """
    if slot == "phone" and guards_case(state):
        return state
    if slot == "language":
        return replace(state, language=cast(Language, value), chosen_language=True)
    if slot == "age" and value == "under18":
        state = latch(state)
    if slot == "age" and value == "adult" and state.answer("age") == "unsure":
        return state
    if slot == "consent" and value == "no":
        return state.without(("consent",))
    if state.answer(slot) not in {None, value}:
        state = state.without(_STANDS_ON.get(slot, ()))
    return state.with_answer(slot, value)


def guards_case(state: State) -> bool:
    """Whether a case stands behind number and PIN because others read this phone (C2)."""
    return state.number is not None and state.answer("phone") == "shared"


def forget(state: State, id: NodeId) -> State:
    """The state without the answer to this question, so that it is asked anew."""
    node = TABLE[id]
    slot = node.slot if isinstance(node, Ask) else None
    if slot is None or (slot == "phone" and guards_case(state)):
        return state
    return state.without((slot,))


def latch(state: State) -> State:
    """The minors' path from here on; what was agreed for the adults' list is asked anew."""
    return state if state.minor else replace(state.without(("consent",)), minor=True)


def question(state: State, node: Node) -> tuple[Send, ...]:
    """The lines of a question, the last with its buttons."""
    if not isinstance(node, Ask):
        return ()
    *before, last = node.lines
    return (*(send(state, one) for one in before), send(state, last, buttons(state, node)))


def ask_again(state: State) -> tuple[Send, ...]:
    """The open question once more: only its last line, and without an app's whole card."""
    node = TABLE.get(state.node)
    if not isinstance(node, Ask):
        return ()
    last = node.lines[-1]
    line = Line("ask.alarm") if last.show == "platform" else last
    return (send(state, line, buttons(state, node)),)


def buttons(state: State, node: Ask) -> tuple[Button, ...]:
    """The options that are offered now."""
    return tuple(
        Button(one.label, node.id, one.value)
        for one in node.options
        if one.when is None or CONDITIONS[one.when](state)
    )


def send(state: State, line: Line, choices: tuple[Button, ...] = ()) -> Send:
    """One message: which words, which buttons, and what is shown with it."""
    template = line.simple if line.simple and state.young else line.text
    return Send(
        MessageId(template.format(**fields(state)) if "{" in template else template),
        values=(*values(state), *line.values),
        buttons=choices,
        show="crisis_young" if line.show == "crisis" and state.minor else line.show,
        list=list_of(state) if line.show in _NEEDS_LIST else None,
        language=state.speaks,
        country=cast("Country | None", state.answer("country")),
        age=age_of(state) if line.show else None,
        platform=platform_of(state) if line.show in _OF_PLATFORM else None,
        written=line.show is not None and state.answer("writes") == "yes",
    )


def fields(state: State) -> dict[str, str]:
    """What a message id's template may be filled with."""
    situation = state.answer("situation") or "other"
    return {
        "situation": situation,
        "harm": HARMS.get(situation, situation),
        "list": list_of(state),
        "agreed": "theirs" if state.answer("who") == "guardian" else list_of(state),
        "voice": "self" if state.answer("who") in {None, "self", "helped"} else "other",
        "purpose": state.purpose or "status",
        "image": "here" if state.answer("image") == "here" else "none",
    }


def values(state: State) -> tuple[tuple[str, str], ...]:
    """What a message's text may be filled with."""
    if state.number is None:
        return ()
    return (("number", state.number), ("images", str(state.images)))
