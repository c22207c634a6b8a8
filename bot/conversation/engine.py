"""The step: one event, one turn. Global words first, alarms next, then the flow table.

`step(state, event) -> Step(state, effects)` is pure: time comes in with the event, and the same
state and event give the same effects.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final, assert_never

from bot.conversation.flows import TABLE
from bot.conversation.hearing import ANSWERS, PLACES, SHOWN, learn, needs
from bot.conversation.model import (
    Alarm,
    Button,
    CancelTimers,
    CaseChecked,
    CaseKeys,
    CheckCase,
    Chose,
    Command,
    Due,
    Effect,
    Event,
    Follow,
    Gone,
    Hashed,
    Hush,
    Language,
    Meaning,
    Media,
    MessageId,
    News,
    NodeId,
    Opened,
    Remove,
    Said,
    Send,
    Speak,
    State,
    TooLong,
    Unsent,
    Withdraw,
)
from bot.conversation.table import Ask, Line, Option
from bot.conversation.walk import HOME, START, Step, ask_again, enter, question, send, take

MISSES: Final = 2
UNSENT: Final = 8
"""How many messages taken back are remembered, for those that arrive late."""

_ALWAYS: Final = frozenset[Command]({"stop", "delete", "language", "person", "status"})
_COMMANDS: Final[dict[Command, NodeId]] = {
    "help": NodeId("help"),
    "delete": NodeId("ask.delete"),
    "language": NodeId("ask.language"),
    "person": NodeId("people"),
    "status": NodeId("status"),
}
_PEOPLE: Final = Button(MessageId("home.people"), NodeId("home"), "people")


def step(state: State, event: Event) -> Step:
    """The turn that this event makes."""
    done = _step(state, event)
    if done.state.language and done.state.language != state.language:
        return Step(done.state, (*done.effects, Speak(done.state.language)))
    return done


def _step(state: State, event: Event) -> Step:  # noqa: PLR0911  # one line an event
    match event:
        case Said():
            return _said(state, event)
        case Chose():
            return _chose(_awake(state), event)
        case Opened():
            return _opened(state, event)
        case Media():
            return _media(_awake(state), event)
        case Unsent():
            return Step(replace(state, unsent=(*state.unsent, event.ref)[-UNSENT:]))
        case TooLong():
            return _refused(_awake(state), "too_long", event.at)
        case Hashed():
            return _hashed(state, event)
        case CaseChecked():
            return _checked(state, event)
        case News():
            return _news(state)
        case Due():
            return _due(state)
        case Gone():
            return Step(replace(state, stopped=True), (CancelTimers(), Hush()))
        case _:
            assert_never(event)


def _awake(state: State) -> State:
    return replace(state, stopped=False)


def _repeat(state: State, at: datetime, *said: Send) -> Step:
    """Say something, then put the open question once more; a talk not begun yet begins."""
    if state.node == START:
        state, effects = enter(state, START, at)
        return Step(state, (*said, *effects))
    return Step(state, (*said, *ask_again(state)))


# ---------------------------------------------------------------- opened, chose, sent


def _opened(state: State, event: Opened) -> Step:
    if state.node == START:
        state = replace(state, language=state.language or event.language)
    return _talk_now(state, event.at) if state.silent else _repeat(state, event.at)


def _chose(state: State, event: Chose) -> Step:
    node = TABLE.get(event.node)
    option = node.option(event.value) if isinstance(node, Ask) else None
    if not isinstance(node, Ask) or option is None:
        return _repeat(state, event.at)
    if state.silent and node.id != "ask.talk_now":
        return _talk_now(state, event.at)
    return _pick(replace(state, silent=False), node, option, event.at)


def _pick(state: State, node: Ask, option: Option, at: datetime) -> Step:
    return enter(take(state, node, option), option.then, at)


def _talk_now(state: State, at: datetime) -> Step:
    return enter(state, NodeId("ask.talk_now"), at)


def _media(state: State, event: Media) -> Step:
    """Never fetched: removed where that is possible, and answered once an album."""
    remove = (Remove(event.ref),) if event.ref else ()
    if event.album and event.album == state.album:
        return Step(state, remove)
    done = _refused(replace(state, album=event.album), "media", event.at)
    return Step(done.state, (*remove, *done.effects))


def _refused(state: State, words: str, at: datetime) -> Step:
    return _talk_now(state, at) if state.silent else _repeat(state, at, send(state, Line(words)))


# ---------------------------------------------------------------- the case speaks


def _hashed(state: State, event: Hashed) -> Step:
    state = replace(state, number=event.number, images=event.images, node=HOME, resume=None)
    return enter(_awake(state), NodeId("case.made"), event.at)


def _checked(state: State, event: CaseChecked) -> Step:
    if not event.right:
        waiting = Line("case.wait", values=(("minutes", str(-(-event.wait // 60))),))
        if event.wait:
            return Step(state, (send(state, waiting),))
        return enter(state, NodeId("case.wrong"), event.at)
    state = replace(state, number=event.number, checking=None)
    if event.purpose == "status":
        return enter(state, NodeId("status.show"), event.at)
    erase = event.purpose == "erase"
    done = enter(state, NodeId("erased" if erase else "withdrawn"), event.at)
    return Step(done.state, (Withdraw(event.number, at_once=True, erase=erase), *done.effects))


def _news(state: State) -> Step:
    """One neutral line, once until it is read; nothing to a phone that others read (C2, C15)."""
    if state.news or not _may_push(state):
        return Step(state)
    return Step(replace(state, news=True), _push(state, "news"))


def _due(state: State) -> Step:
    return Step(state, _push(state, "ask.how") if _may_push(state) else ())


def _may_push(state: State) -> bool:
    return state.answer("phone") == "own" and not state.silent and not state.stopped


def _push(state: State, id: str) -> tuple[Send, ...]:
    node = TABLE[NodeId(id)]
    return tuple(replace(one, daytime=True) for one in question(state, node))


# ---------------------------------------------------------------- said


def _said(state: State, event: Said) -> Step:
    meaning = event.meaning
    before, state = state, _hear_language(_awake(state), meaning)
    if meaning.command and (state.node != START or meaning.command in _ALWAYS):
        return _command(state, meaning.command, event.at)
    if alarm := _hard(meaning):
        return _alarm(learn(state, meaning), alarm, meaning, event.at)
    if state.silent:
        return _unsilence(state, event)
    done = _greet(state, event) if state.node == START else _flow(state, event)
    return _beside(before, done, meaning)


def _hear_language(state: State, meaning: Meaning) -> State:
    """The first words decide the language; later ones only by name."""
    if meaning.named_language:
        return replace(state, language=meaning.named_language, chosen_language=True)
    if meaning.language and not state.chosen_language:
        return replace(state, language=meaning.language, chosen_language=True)
    return state


def _hard(meaning: Meaning) -> Alarm | None:
    """The alarm that pauses the flow. A soft sign of being watched counts as hard (C9)."""
    sign = meaning.alarm
    if sign is None or sign.kind == "under_13":
        return None
    if sign.kind == "immediate_danger" and "abuser_present" in meaning.also:
        return "abuser_present"
    return sign.kind if sign.tier == "hard" or sign.kind == "abuser_present" else None


def _alarm(state: State, alarm: Alarm, meaning: Meaning, at: datetime) -> Step:
    if alarm == "abuser_present":
        named = {meaning.alarm and meaning.alarm.kind, meaning.intent, *meaning.also}
        danger = "immediate_danger" in named
        return enter(state, NodeId("bland.danger" if danger else "bland"), at)
    place = NodeId("danger" if alarm == "immediate_danger" else "self_harm")
    return enter(replace(state, silent=False), place, at)


def _unsilence(state: State, event: Said) -> Step:
    node = TABLE[NodeId("ask.talk_now")]
    asked = state.node == node.id
    option = _named(node, event) if asked and isinstance(node, Ask) else None
    if option is None or not isinstance(node, Ask):
        return _talk_now(state, event.at)
    return _pick(replace(state, silent=False), node, option, event.at)


def _greet(state: State, event: Said) -> Step:
    """A first message: who we are, and the answers it holds are used, not lost."""
    state = learn(state, event.meaning)
    if state.language is None:
        return enter(state, NodeId("ask.language"), event.at)
    replies = _answers(state, event.meaning)
    state, effects = enter(state, START, event.at)
    return Step(state, (effects[0], *replies, *effects[1:]))


def _command(state: State, command: Command, at: datetime) -> Step:
    if command == "stop":
        return _stop(state)
    if command == "back":
        return _back(state, at)
    if command == "start":
        return enter(state, HOME if state.answer("situation") else START, at)
    return enter(replace(state, silent=False), _COMMANDS[command], at)


def _stop(state: State) -> Step:
    """End messages only (C12): updates and timers go, hashes stay."""
    unfollow = (Follow(state.number, False),) if state.number else ()
    stopped = replace(state.without(("updates",)), stopped=True, silent=False)
    return Step(stopped, (CancelTimers(), Hush(), *unfollow, send(state, Line("stopped"))))


def _back(state: State, at: datetime) -> Step:
    if not state.trail:
        return _repeat(state, at)
    *trail, last = state.trail
    node = TABLE[last]
    forget = (node.slot,) if isinstance(node, Ask) and node.slot else ()
    return enter(replace(state.without(forget), trail=tuple(trail), resume=None), last, at)


# ---------------------------------------------------------------- words inside the flow


def _flow(state: State, event: Said) -> Step:
    meaning, at = event.meaning, event.at
    if step := _keys(state, meaning, at):
        return step
    node = TABLE[state.node]
    option = _named(node, event) if isinstance(node, Ask) else None
    if isinstance(node, Ask) and option:
        return _pick(learn(state, meaning), node, option, at)
    return _need(state, meaning, at)


def _named(node: Ask, event: Said) -> Option | None:
    return node.option(event.picked) or node.meant(event.meaning.answer)


def _keys(state: State, meaning: Meaning, at: datetime) -> Step | None:
    """A case number, a PIN, or both, where they are asked for or offered."""
    typed = meaning.case
    if typed is None:
        return None
    waiting = state.checking.number if state.checking else state.number
    number = typed.number or waiting
    if number is None:
        return None
    if typed.pin is None:
        checking = CaseKeys(number)
        return enter(replace(state, checking=checking), NodeId("ask.pin"), at)
    check = CheckCase(state.purpose or "status", number, typed.pin)
    return Step(replace(state, checking=None), (check,))


def _need(state: State, meaning: Meaning, at: datetime) -> Step:
    learned = learn(state, meaning)
    if meaning.named_language:
        return _repeat(learned, at)
    if place := next((PLACES[need] for need in needs(meaning) if need in PLACES), None):
        return enter(learned, place, at)
    replies = _answers(learned, meaning)
    if learned.answers != state.answers:
        return _go_on(learned, state, replies, at)
    if replies or meaning.intent == "greeting":
        return _repeat(replace(learned, misses=0), at, *replies)
    return _missed(learned, at)


def _go_on(learned: State, before: State, replies: tuple[Send, ...], at: datetime) -> Step:
    """New answers: first aid when what is happening is new, else on from the open question."""
    unknown = {None, "other"}
    new = before.answer("situation") in unknown and learned.answer("situation") not in unknown
    place = NodeId("firstaid") if new and learned.answer("phone") else _way(learned)
    done, effects = enter(replace(learned, misses=0), place, at)
    return Step(done, (*replies, *effects))


def _way(state: State) -> NodeId:
    node = TABLE[state.node]
    aside = isinstance(node, Ask) and node.aside
    return state.resume if aside and state.resume else state.node


def _answers(state: State, meaning: Meaning) -> tuple[Send, ...]:
    said = [need for need in needs(meaning) if need in ANSWERS]
    return tuple(send(state, Line(f"answer.{need}", show=SHOWN.get(need))) for need in said[:2])


def _missed(state: State, at: datetime) -> Step:
    """Not understood: the question again; from the second time on, people who answer (C18)."""
    state = replace(state, misses=state.misses + 1)
    if state.misses < MISSES:
        return _repeat(state, at, send(state, Line("not_understood")))
    return _repeat(state, at, send(state, Line("not_understood.again"), (_PEOPLE,)))


# ---------------------------------------------------------------- said beside the answer


def _beside(before: State, done: Step, meaning: Meaning) -> Step:
    """Cards beside the answer: are you safe, the child line, another language."""
    state, cards = done.state, list[Effect]()
    if meaning.alarm and meaning.alarm.kind != "under_13" and not state.soft_asked:
        state = replace(state, soft_asked=True)
        cards += question(state, TABLE[NodeId("ask.safe")])
    if state.young and not before.young:
        cards.append(send(state, Line("young.lines", show="child_lines")))
    if before.chosen_language and meaning.language not in {None, state.speaks}:
        cards.append(_offer_language(meaning.language or "en"))
    return Step(state, (*done.effects, *cards))


def _offer_language(language: Language) -> Send:
    button = Button(MessageId(f"language.{language}"), NodeId("ask.language"), language)
    return Send(MessageId("offer.language"), buttons=(button,), language=language)
