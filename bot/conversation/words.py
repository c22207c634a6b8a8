"""Words: global ones first, alarms next, then what they change in the flow."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from bot.conversation.alarmed import alarmed, hard, named, waking
from bot.conversation.flows import TABLE
from bot.conversation.hearing import leads_to, learn, sign_of_minor
from bot.conversation.languages import hear_language, offer_answered, offer_language
from bot.conversation.model import (
    Button,
    CancelTimers,
    CaseKeys,
    CheckCase,
    Command,
    Follow,
    Hush,
    Intent,
    Meaning,
    MessageId,
    NodeId,
    Said,
    Send,
    State,
)
from bot.conversation.moves import agreed, awake, behind, perhaps_watched, pick, repeat, speaking
from bot.conversation.needs import (
    ANSWERS,
    FACTS,
    FAREWELLS,
    GREETINGS,
    PLACES,
    guesses,
    needs,
)
from bot.conversation.replies import answers
from bot.conversation.rules import helping, may_take
from bot.conversation.sent import AWAITING, TAKING
from bot.conversation.table import Ask, Line, plainly
from bot.conversation.walk import HOME, START, Step, enter, forget, keep, open_question, send
from bot.conversation.worried import FEARS, PEOPLE, worried

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
_MEANT: Final = NodeId("ask.meant")
_NOT_MEANT: Final = Button(MessageId("ask.meant.no"), _MEANT, "no")
_STEPS: Final = {"else": "steps", "guardian": "who.guardian", "helper": "who.helper"}
"""What helps now, for the one who writes."""
_HELLO: Final = "what_is_this"
"""What the first words of a talk say already."""
_QUESTIONS: Final = frozenset[Intent](
    {"is_it_free", "is_it_anonymous", "do_you_see_my_photo", "how_hashing_works", "how_long"}
)
"""What may be asked beside a choice, and is answered with it."""
_AFTER_FIRST_AID: Final = frozenset({"already_paid", "already_sent_more"})


def said(state: State, event: Said) -> Step:
    """The turn that words make."""
    meaning = event.meaning
    if meaning.worry == "phoneless":
        state = keep(state, "writes", "yes")  # answers nothing that is asked
    before = state
    state = sign_of_minor(hear_language(awake(state), meaning), meaning)
    state = replace(state, soft_asked=max(0, state.soft_asked - 1))
    if meaning.command == "stop":
        return _stop(state)
    if alarm := hard(meaning):
        return alarmed(state, alarm, meaning, event.at)
    if state.silent:
        woken = waking(state, event)
        if isinstance(woken, Step):
            return woken
        state = woken
    if meaning.command and (state.node != START or meaning.command in _ALWAYS):
        return _command(state, meaning.command, event.at)
    if meaning.alarm and (soft := _soft(state, meaning, event.at)):
        return soft
    if before.offered and (taken := offer_answered(before, state, event)):
        return taken
    done = _greet(state, event) if state.node == START else _flow(before, state, event)
    return _or_else(_beside(before, done, meaning), event)


def _soft(state: State, meaning: Meaning, at: datetime) -> Step | None:
    """A soft sign: what was asked is answered, then one careful question stands alone."""
    if (sign := meaning.alarm) is None or sign.kind == "under_13":
        return None
    if sign.kind == "abuser_present":
        waits = open_question(state) or state.resume
        return perhaps_watched(replace(_told(state, meaning), resume=waits), at)
    if state.soft_asked:
        return None
    fresh, new = state.node == START, state.answer("situation") is None
    waits = open_question(state) or state.resume  # which these very words may answer
    state = replace(learn(state, meaning), soft_asked=SOFT_REST)
    warm = (_warm(state),) if new and _hurt(meaning) else _soothed(state, meaning)
    said = (send(state, Line("hello")),) if fresh else ()
    resume = NodeId("ask.phone") if fresh else waits
    done = enter(replace(state, resume=resume), NodeId("ask.safe"), at)
    replies = (*said, *warm, *worried(state, meaning), *answers(state, meaning))
    return Step(done.state, (*replies, *done.effects))


def _soothed(state: State, meaning: Meaning) -> tuple[Send, ...]:
    """What sounds like despair is met with warmth before anything is asked."""
    despair = meaning.alarm and meaning.alarm.kind == "self_harm" and not needs(meaning)
    if meaning.worry or not (despair or meaning.feeling == "distress"):
        return ()
    helps = helping(state) != "else"
    return (_warm(state) if helps else send(state, Line("feeling.distress")),)


def _told(state: State, meaning: Meaning) -> State:
    """With what is happening, if these words say it; who is meant by "my father" is left open."""
    situation = learn(state, meaning).answer("situation")
    return keep(state, "situation", situation) if situation else state


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
    replies = (*worried(state, meaning), *answers(state, meaning, but={_HELLO}))
    return (_warm(state), *replies) if _hurt(meaning) else replies


def _hurt(meaning: Meaning) -> bool:
    """Whether the message tells of harm, and not of a fear that has words of its own."""
    told = meaning.feeling or any(need in FACTS for need in needs(meaning))
    return bool(told) and meaning.worry not in FEARS


def _warm(state: State) -> Send:
    """One warm line; who writes for someone else is not told that it is not their fault (C3)."""
    return send(state, Line("ack" if helping(state) == "else" else "ack.helper"))


def _command(state: State, command: Command, at: datetime) -> Step:
    if command == "back":
        return _back(state, at)
    if command == "start":
        return enter(state, HOME if state.answer("situation") else START, at)
    return enter(state, _COMMANDS[command], at)


def _stop(state: State) -> Step:
    """End messages only (C12): updates and timers go, hashes stay."""
    unfollow = (Follow(state.number, False),) if state.number else ()
    stopped = replace(speaking(state.without(("updates",))), stopped=True)
    return Step(stopped, (CancelTimers(), Hush(), *unfollow, send(state, Line("stopped"))))


def _back(state: State, at: datetime) -> Step:
    if not state.trail:
        return repeat(state, at)
    *trail, last = state.trail
    return enter(replace(forget(state, last), trail=tuple(trail), resume=None), last, at)


# ---------------------------------------------------------------- words inside the flow


def _flow(before: State, state: State, event: Said) -> Step:
    meaning, at = event.meaning, event.at
    if step := _keys(state, meaning, at):
        return step
    node = TABLE[event.of or state.node]
    option = named(node, event) if isinstance(node, Ask) else None
    if isinstance(node, Ask) and option:
        done = pick(learn(state, meaning), node, option, at)
        return Step(done.state, (*_asked_too(done, meaning), *done.effects))
    if isinstance(node, Ask) and node.slot == "country" and meaning.answer in {"unsure", "no"}:
        return enter(state, node.options[0].then, at)  # the likely countries' lines stay (C8)
    if isinstance(node, Ask) and node.id == _MEANT and meaning.answer == "yes":
        return agreed(state, node, at)
    state = behind(state, _MEANT)
    return _app(state, meaning, at) or _need(before, state, meaning, at)


def _asked_too(done: Step, meaning: Meaning) -> tuple[Send, ...]:
    """What was asked beside a choice, but for what the choice itself is answered."""
    asked = _QUESTIONS & {*needs(meaning)}
    said = {one.text for one in done.effects if isinstance(one, Send)}
    replies = answers(done.state, meaning) if asked else ()
    return tuple(one for one in replies if one.text not in said)


def _app(state: State, meaning: Meaning, at: datetime) -> Step | None:
    """An app named where one is asked for, with the wish to report, or alone: its card.

    First aid goes first where the message also tells what is happening.
    """
    wished = {*needs(meaning)}
    known = state.answer("phone") is not None
    told = wished or meaning.feeling or meaning.worry
    alone = known and not (told or state.node in AWAITING)
    asked = alone or state.node in _APPS or _REPORTS & wished
    if meaning.platform is None or not asked:
        return None
    learned = keep(learn(state, meaning), "platform", meaning.platform)
    if learned.answer("situation") != state.answer("situation"):
        return None
    return enter(learned, NodeId("platform.card"), at)


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
        return Step(done.state, (*(worried(learned, meaning) or warm), *done.effects))
    if _parts(learned, meaning):
        return _farewell(learned)
    replies = (*worried(learned, meaning), *answers(learned, meaning))
    if (learned.answers, learned.minor) != (before.answers, before.minor):
        return _go_on(learned, before, replies, at)
    if place := leads_to(learned, meaning):
        done = enter(replace(learned, misses=0), place, at)
        return Step(done.state, (*answers(learned, meaning, led=True), *done.effects))
    replies = (*replies, *(() if meaning.worry else _comfort(learned, meaning)))
    if not replies and needs(meaning)[:1] == ("greeting",):
        replies = (send(learned, Line("here")),)
    if replies or _tells_an_age(meaning):
        return repeat(replace(learned, misses=0), at, *replies)
    return _missed(learned, meaning, at)


def _parts(state: State, meaning: Meaning) -> bool:
    """Whether the words say thanks or goodbye and no more; whether one is safe is still asked."""
    said = {*needs(meaning)}
    return bool(said & FAREWELLS) and said <= GREETINGS and state.node != "ask.safe"


def _farewell(state: State) -> Step:
    """Thanks and goodbye are answered, and nothing is asked: an "ok" after it agrees to nothing.
    One button leads back to a question that was open."""
    waits = open_question(state) or state.resume
    back = (Button(MessageId("home.go_on"), HOME, "go_on"),) if waits else ()
    state = replace(state, misses=0, node=HOME, resume=waits)
    return Step(state, (send(state, Line("answer.thanks"), back),))


def _tells_an_age(meaning: Meaning) -> bool:
    """An age told is no question, and nothing else is guessed into it."""
    ages = (meaning.own_age, meaning.image_age, meaning.their_age)
    told = any(age is not None for age in ages)
    return told and all(ANSWERS.get(need) in {None, "am_i_eligible"} for need in needs(meaning))


def _comfort(state: State, meaning: Meaning) -> tuple[Send, ...]:
    """Distress is met as such, and "what now?" with the steps, never with "not understood"."""
    again = any(need in FACTS for need in needs(meaning))
    match "what_now" if again else meaning.feeling:
        case "what_now" if state.answer("situation") or helping(state) != "else":
            words = _STEPS[helping(state)]
            line = Line if words == "who.guardian" else plainly
            return send(state, line(f"{words}.1")), send(state, line(f"{words}.2"))
        case None:
            return ()
        case feeling:
            return (send(state, Line(f"feeling.{feeling}")),)


def _go_on(learned: State, before: State, replies: tuple[Send, ...], at: datetime) -> Step:
    """New answers: first aid when what is happening is new, else on from the open question."""
    unknown = {None, "other"}
    new = before.answer("situation") in unknown and learned.answer("situation") not in unknown
    known = learned.answer("phone")
    place = NodeId("firstaid.kind") if new and known else _way(learned, before)
    done, effects = enter(replace(learned, misses=0), place, at)
    warm = () if known else (_warm(learned),)
    if place != "firstaid.kind":
        return Step(done, (*warm, *replies, *effects))
    later = [one for one in replies if one.text.removeprefix("answer.") in _AFTER_FIRST_AID]
    sooner = [one for one in replies if one not in later]
    return Step(done, (*warm, *sooner, *effects[:-1], *later, *effects[-1:]))


def _way(state: State, before: State) -> NodeId:
    node = TABLE[state.node]
    aside = isinstance(node, Ask) and node.aside
    place = state.resume if aside and state.resume else state.node
    closed = place in TAKING and not may_take(state)
    other = place == "ask.consent" and state.minor and not before.minor
    if other:  # the list that was shown is not the one that is asked about any more (C6, C7)
        return NodeId("readers")
    return NodeId("may_hash") if place == "app" or closed else place


def _missed(state: State, meaning: Meaning, at: datetime) -> Step:
    """Not sure: the likeliest meanings as buttons; without one the question again, and from the
    second time on people who answer (C18)."""
    if state.node in AWAITING:
        return repeat(state, at)
    state = replace(state, misses=state.misses + 1, maybe=guesses(meaning))
    if state.maybe:
        return enter(state, _MEANT, at)
    if state.misses < MISSES:
        return repeat(state, at, send(state, Line("not_understood")))
    return repeat(state, at, send(state, Line("not_understood.again"), (PEOPLE,)))


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
    again = any(isinstance(one, Send) and one.show == "readers" for one in first)
    effects = (*cards, *done.effects) if again or not last else (*first, *cards, last)
    if before.chosen_language and meaning.language not in {None, state.speaks}:
        state, offer = offer_language(state, meaning.language or "en")
        effects = (*effects, offer)
    return Step(state, tuple(one for one in effects if one))
