"""Words: global ones first, alarms next, then what they change in the flow."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Final

from bot.conversation.flows import TABLE
from bot.conversation.hearing import leads_to, learn, sign_of_minor
from bot.conversation.model import (
    Alarm,
    Button,
    CancelTimers,
    CaseKeys,
    CheckCase,
    Command,
    Follow,
    Hush,
    Intent,
    Language,
    Meaning,
    MessageId,
    NodeId,
    Said,
    Send,
    State,
)
from bot.conversation.moves import awake, pick, repeat, talk_now
from bot.conversation.needs import (
    ANSWERS,
    BESIDE,
    CARDS,
    FACTS,
    GREETINGS,
    PLACES,
    SHOWN,
    guesses,
    needs,
)
from bot.conversation.rules import may_take
from bot.conversation.sent import AWAITING, TAKING, in_chat
from bot.conversation.table import Ask, Line, Option
from bot.conversation.walk import HOME, START, Step, enter, keep, send

MISSES: Final = 2
SOFT_REST: Final = 6
"""Messages after which a soft sign is asked about again."""
MOST_BUTTONS: Final = 13

_ALWAYS: Final = frozenset[Command]({"delete", "language", "person", "status"})
_COMMANDS: Final[dict[Command, NodeId]] = {
    "help": NodeId("help"),
    "delete": NodeId("ask.delete"),
    "language": NodeId("ask.language"),
    "person": NodeId("people"),
    "status": NodeId("status"),
}
_APPS: Final = frozenset(map(NodeId, ("ask.platform", "ask.platform.more", "platform.card")))
"""Where the name of an app is an answer."""
_REPORTS: Final = frozenset[Intent]({"which_platforms", "block_and_report"})
_PEOPLE: Final = Button(MessageId("home.people"), NodeId("home"), "people")
_NOT_MEANT: Final = Button(MessageId("ask.meant.no"), NodeId("ask.meant"), "no")
_HELLO: Final = "what_is_this"
"""What the first words of a talk say already."""
_AFTER_FIRST_AID: Final = frozenset({"already_paid", "already_sent_more"})


def said(state: State, event: Said) -> Step:
    """The turn that words make."""
    meaning = event.meaning
    before = state
    state = sign_of_minor(_hear_language(awake(state), meaning), meaning)
    state = replace(state, soft_asked=max(0, state.soft_asked - 1))
    if meaning.command == "stop":
        return _stop(state)
    if alarm := _hard(meaning):
        return _alarm(state, alarm, meaning, event.at)
    if state.silent:
        return _unsilence(state, event)
    if meaning.command and (state.node != START or meaning.command in _ALWAYS):
        return _command(state, meaning.command, event.at)
    if meaning.alarm and (soft := _soft(state, meaning, event.at)):
        return soft
    done = _greet(state, event) if state.node == START else _flow(before, state, event)
    return _or_else(_beside(before, done, meaning), event)


def _hear_language(state: State, meaning: Meaning) -> State:
    """The first words decide the language; later ones only by name."""
    if meaning.named_language:
        return replace(state, language=meaning.named_language, chosen_language=True)
    if meaning.language and not state.chosen_language:
        return replace(state, language=meaning.language, chosen_language=True)
    return state


def _hard(meaning: Meaning) -> Alarm | None:
    """The alarm that pauses the flow; someone who reads along goes before danger (C9)."""
    sign = meaning.alarm
    if sign is None or sign.kind == "under_13" or sign.tier == "soft":
        return None
    if sign.kind == "immediate_danger" and "abuser_present" in meaning.also:
        return "abuser_present"
    return sign.kind


def _soft(state: State, meaning: Meaning, at: datetime) -> Step | None:
    """A soft sign: what was asked is answered, then one careful question stands alone."""
    sign = meaning.alarm
    if sign is None or sign.kind == "under_13":
        return None
    if sign.kind == "abuser_present":
        return talk_now(replace(state, silent=True), at)
    if state.soft_asked:
        return None
    fresh = state.node == START
    state = replace(learn(state, meaning), soft_asked=SOFT_REST)
    said = (send(state, Line("hello")),) if fresh else ()
    place = replace(state, resume=NodeId("ask.phone")) if fresh else state
    done = enter(place, NodeId("ask.safe"), at)
    return Step(done.state, (*said, *_answers(state, meaning), *done.effects))


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
        return talk_now(state, event.at)
    return pick(replace(state, silent=False), node, option, event.at)


def _greet(state: State, event: Said) -> Step:
    """A first message: who we are, and the answers it holds are used, not lost."""
    state = learn(state, event.meaning)
    if state.language is None:
        return enter(state, NodeId("ask.language"), event.at)
    replies = _heard(state, event.meaning)
    state, effects = enter(state, START, event.at)
    return Step(state, (effects[0], *replies, *effects[1:]))


def _heard(state: State, meaning: Meaning) -> tuple[Send, ...]:
    """Before the first question is answered, a cry for help gets a warm line (C3)."""
    replies = _answers(state, meaning, but={_HELLO})
    hurt = meaning.feeling or any(need in FACTS for need in needs(meaning))
    return (send(state, Line("ack")), *replies) if hurt else replies


def _command(state: State, command: Command, at: datetime) -> Step:
    if command == "back":
        return _back(state, at)
    if command == "start":
        return enter(state, HOME if state.answer("situation") else START, at)
    return enter(state, _COMMANDS[command], at)


def _stop(state: State) -> Step:
    """End messages only (C12): updates and timers go, hashes stay."""
    unfollow = (Follow(state.number, False),) if state.number else ()
    stopped = replace(state.without(("updates",)), stopped=True, silent=False)
    return Step(stopped, (CancelTimers(), Hush(), *unfollow, send(state, Line("stopped"))))


def _back(state: State, at: datetime) -> Step:
    if not state.trail:
        return repeat(state, at)
    *trail, last = state.trail
    node = TABLE[last]
    forget = (node.slot,) if isinstance(node, Ask) and node.slot else ()
    return enter(replace(state.without(forget), trail=tuple(trail), resume=None), last, at)


# ---------------------------------------------------------------- words inside the flow


def _flow(before: State, state: State, event: Said) -> Step:
    meaning, at = event.meaning, event.at
    if step := _keys(state, meaning, at):
        return step
    node = TABLE[state.node]
    option = _named(node, event) if isinstance(node, Ask) else None
    if isinstance(node, Ask) and option:
        return pick(learn(state, meaning), node, option, at)
    return _app(state, meaning, at) or _need(before, state, meaning, at)


def _app(state: State, meaning: Meaning, at: datetime) -> Step | None:
    """An app named where one is asked for, with the wish to report, or alone: its card.

    First aid goes first where the message also tells what is happening.
    """
    wished = {*needs(meaning)}
    alone = not (wished or meaning.feeling or state.node in AWAITING)
    asked = alone or state.node in _APPS or _REPORTS & wished
    if meaning.platform is None or not asked:
        return None
    learned = keep(learn(state, meaning), "platform", meaning.platform)
    if learned.answer("situation") != state.answer("situation"):
        return None
    return enter(learned, NodeId("platform.card"), at)


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


def _need(before: State, state: State, meaning: Meaning, at: datetime) -> Step:
    learned = learn(state, meaning)
    if meaning.named_language:
        return repeat(learned, at)
    if place := next((PLACES[need] for need in needs(meaning) if need in PLACES), None):
        warm = _comfort(learned, meaning) if meaning.feeling == "distress" else ()
        done = enter(learned, place, at)
        return Step(done.state, (*warm, *done.effects))
    replies = _answers(learned, meaning)
    if (learned.answers, learned.minor) != (before.answers, before.minor):
        return _go_on(learned, before, replies, at)
    if place := leads_to(learned, meaning):
        done = enter(replace(learned, misses=0), place, at)
        return Step(done.state, (*_answers(learned, meaning, led=True), *done.effects))
    replies = (*replies, *_comfort(learned, meaning))
    if replies or needs(meaning)[:1] == ("greeting",):
        return repeat(replace(learned, misses=0), at, *replies)
    return _missed(learned, meaning, at)


def _comfort(state: State, meaning: Meaning) -> tuple[Send, ...]:
    """Distress is met as such, and "what now?" with the steps, never with "not understood"."""
    again = any(need in FACTS for need in needs(meaning))
    match "what_now" if again else meaning.feeling:
        case "what_now" if state.answer("situation"):
            return send(state, Line("steps.1")), send(state, Line("steps.2"))
        case None:
            return ()
        case feeling:
            return (send(state, Line(f"feeling.{feeling}")),)


def _go_on(learned: State, before: State, replies: tuple[Send, ...], at: datetime) -> Step:
    """New answers: first aid when what is happening is new, else on from the open question."""
    unknown = {None, "other"}
    new = before.answer("situation") in unknown and learned.answer("situation") not in unknown
    known = learned.answer("phone")
    place = NodeId("firstaid.kind") if new and known else _way(learned)
    done, effects = enter(replace(learned, misses=0), place, at)
    warm = () if known else (send(learned, Line("ack")),)
    if place != "firstaid.kind":
        return Step(done, (*warm, *replies, *effects))
    later = [one for one in replies if one.text.removeprefix("answer.") in _AFTER_FIRST_AID]
    sooner = [one for one in replies if one not in later]
    return Step(done, (*warm, *sooner, *effects[:-1], *later, *effects[-1:]))


def _way(state: State) -> NodeId:
    node = TABLE[state.node]
    aside = isinstance(node, Ask) and node.aside
    place = state.resume if aside and state.resume else state.node
    closed = place in TAKING and not may_take(state)
    return NodeId("may_hash") if place == "app" or closed else place


def _answers(
    state: State,
    meaning: Meaning,
    *,
    led: bool = False,
    but: Collection[str] = frozenset[str](),
) -> tuple[Send, ...]:
    """What answers the needs in words, each answer once, two at most; `led`: a card follows, so
    no way to it is needed."""
    found: dict[str, Intent] = {}
    for need in needs(meaning):
        if need in ANSWERS and ANSWERS[need] not in but and not _said_by_the_flow(state, need):
            found.setdefault(ANSWERS[need], need)
    return tuple(_answer(state, need, led and need in CARDS) for need in [*found.values()][:2])


def _said_by_the_flow(state: State, need: Intent) -> bool:
    """An age under 18 is met by its own line, a parent by the steps once it is known what for."""
    if ANSWERS[need] == "am_i_eligible":
        return state.minor
    return need == "i_am_a_parent" and state.answer("situation") is not None


def _answer(state: State, need: Intent, led: bool) -> Send:
    """With the police, emergency numbers go out before the country is asked (C8)."""
    unknown = need == "report_to_police" and state.answer("country") is None
    shown = SHOWN.get(need) if unknown or not led else None
    button = BESIDE.get(need) if not led else None
    line = Line(in_chat(state, f"answer.{ANSWERS[need]}"), show=shown)
    return send(state, line, (button,) if button else ())


def _missed(state: State, meaning: Meaning, at: datetime) -> Step:
    """Not sure: the likeliest meanings as buttons; without one the question again, and from the
    second time on people who answer (C18)."""
    if state.node in AWAITING:
        return repeat(state, at)
    state = replace(state, misses=state.misses + 1, maybe=guesses(meaning))
    if state.maybe:
        return enter(state, NodeId("ask.meant"), at)
    if state.misses < MISSES:
        return repeat(state, at, send(state, Line("not_understood")))
    return repeat(state, at, send(state, Line("not_understood.again"), (_PEOPLE,)))


def _or_else(done: Step, event: Said) -> Step:
    """What was answered straight away can be told to be not what was meant."""
    heard = needs(event.meaning)
    if event.picked or event.meaning.command or not heard or heard[0] in GREETINGS:
        return done
    if done.state.node == "ask.meant":
        return done
    *first, last = done.effects or (None,)
    if not isinstance(last, Send) or not last.buttons or len(last.buttons) >= MOST_BUTTONS:
        return done
    state = replace(done.state, maybe=guesses(event.meaning, heard))
    asked = replace(last, buttons=(*last.buttons, _NOT_MEANT))
    return Step(state, (*(one for one in first if one), asked))


# ---------------------------------------------------------------- said beside the answer


def _beside(before: State, done: Step, meaning: Meaning) -> Step:
    """Cards before the question that waits: the child line, what under 18 means."""
    state, cards = done.state, list[Send]()
    said_age = meaning.own_age is not None or meaning.image_age is not None
    if state.young and not before.young:
        cards.append(send(state, Line("young.lines", show="child_lines")))
    elif said_age and state.minor and not before.minor:
        cards.append(send(state, Line("minor.noted")))
    *first, last = done.effects or (None,)
    effects = (*first, *cards, last) if last else tuple(cards)
    if before.chosen_language and meaning.language not in {None, state.speaks}:
        effects = (*effects, _offer_language(meaning.language or "en"))
    return Step(state, tuple(one for one in effects if one))


def _offer_language(language: Language) -> Send:
    button = Button(MessageId(f"language.{language}"), NodeId("ask.language"), language)
    return Send(MessageId("offer.language"), buttons=(button,), language=language)
