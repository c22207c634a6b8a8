"""The pure functions that the flow tables name: what decides, what is done, what is offered."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, cast

from bot.cases.eligibility import LIST_OF, Image, ImageAge, List, Route, Who, route
from bot.conversation.model import (
    CancelTimers,
    DropTickets,
    Effect,
    Follow,
    Hush,
    Intent,
    KeepCase,
    NodeId,
    Purpose,
    SetTimer,
    State,
    Withdraw,
)
from bot.conversation.needs import FACTS, GUESSES
from bot.conversation.picture import Awaited
from bot.conversation.shows import PLATFORMS, Age, Platform

AFTERCARE_AFTER: Final = timedelta(days=3)
AWAITED_FOR: Final = timedelta(minutes=10)
MOST_PICTURES: Final = 3
"""How long, and how many, pictures are awaited in the chat after the person agreed (C16)."""

Rule = Callable[[State], str]
Act = Callable[[State, datetime], tuple[State, tuple[Effect, ...]]]


# ---------------------------------------------------------------- what decides


def image_age(state: State) -> ImageAge:
    """The age that decides: under 18 for good once anything said so (C16)."""
    return "under18" if state.minor else cast(ImageAge, state.answer("age") or "unsure")


def route_of(state: State) -> Route:
    """The one way open for what was answered so far."""
    who = cast(Who, state.answer("who") or "self")
    return route(who, image_age(state), cast(Image, state.answer("image") or "none"))


def list_of(state: State) -> List:
    """The list that hashes of this conversation go to; the minors' list when unsure."""
    return LIST_OF.get(route_of(state), "minors" if image_age(state) != "adult" else "adults")


def may_hash(state: State) -> str:
    """`yes` when the route ends in hashing and the person agreed; `ask` when they did not yet."""
    if route_of(state) not in LIST_OF:
        return "no"
    return "yes" if state.answer("consent") == "yes" else "ask"


def image_question(state: State) -> str:
    """Which question about the image at hand fits, or `none` where no image may be hashed."""
    who, minor = state.answer("who"), image_age(state) != "adult"
    if who in {"self", "helped"}:
        return "self"
    return "guardian" if who == "guardian" and minor else "none"


def may_take(state: State) -> bool:
    """Whether a picture may be sent into this chat (C16): this door takes any, the mini-app failed
    here, and the person, alone on their own phone, shown and 18 or older in it, agreed to hashes.

    Anything less, and any sign of under 18, means the device path.
    """
    here = state.takes and not state.silent and not state.stopped
    own = state.troubled and state.answer("phone") == "own"
    return here and own and route_of(state) == "adults_list" and may_hash(state) == "yes"


def case_access(state: State) -> str:
    """`open` on the person's own phone; elsewhere number and PIN are asked for (C2)."""
    if state.number is None or state.answer("phone") != "own":
        return "keys"
    return "open"


def platform_of(state: State) -> Platform | None:
    """The app or site the talk is about; the question has other answers too."""
    named = state.answer("platform")
    return next((one for one in PLATFORMS if one == named), None)


def age_of(state: State) -> Age | None:
    """Of what age the help lines should be for; None where it cannot be told.

    Someone who was under 18 in the picture may be older today: their lines come first, no more.
    """
    if state.minor:
        return "under18"
    theirs = state.answer("who") in {None, "self", "helped"}
    return "adult" if theirs and image_age(state) == "adult" else None


def helping(state: State) -> str:
    """For whom the first words are: the young person's `guardian`, another `helper`, or who is in
    the picture (`else`), which holds until something else was said."""
    who = state.answer("who")
    if who == "guardian":
        return "guardian"
    asked = who is None and state.answer("helps") is not None
    return "helper" if asked or who in {"friend", "adult_friend", "other"} else "else"


def mistaken(state: State) -> str:
    """Whether the one in the picture was given a helper's first aid."""
    aided = state.answer("situation") not in {None, "danger"}
    return "yes" if aided and state.answer("helps") else "no"


RULES: Final[dict[str, Rule]] = {
    "phone": lambda state: state.answer("phone") or "shared",
    "situation": lambda state: "danger" if state.answer("situation") == "danger" else "else",
    "who": lambda state: state.answer("who") or "self",
    "young": lambda state: "yes" if state.young else "no",
    "near": lambda state: "no" if state.answer("near") == "no" else "close",
    "country": lambda state: "known" if state.answer("country") else "unknown",
    "updates": lambda state: "known" if state.answer("updates") else "unknown",
    "route": route_of,
    "image_question": image_question,
    "may_hash": may_hash,
    "helping": helping,
    "mistaken": mistaken,
    "latched": lambda state: "yes" if state.minor and state.answer("age") == "adult" else "no",
    "may_take": lambda state: "yes" if may_take(state) else "no",
    "more": lambda state: "yes" if state.awaited and state.awaited.left else "no",
    "keyless": lambda state: "yes" if state.keyless and not state.leaving else "no",
    "case_access": case_access,
    "has_case": lambda state: "yes" if state.number else "no",
    "purpose": lambda state: state.purpose or "status",
    "platform": lambda state: "known" if platform_of(state) else "unknown",
}
"""What `Decide` may name."""


def _maybe(need: Intent) -> Callable[[State], bool]:
    return lambda state: need in state.maybe


CONDITIONS: Final[dict[str, Callable[[State], bool]]] = {
    "has_case": lambda state: state.number is not None,
    "may_take": may_take,
    "leaving": lambda state: state.leaving,
    "told": lambda state: state.answer("situation") is not None,
    "resumable": lambda state: state.resume is not None,
    "never": lambda state: False,
    **{f"maybe.{need}": _maybe(need) for need in GUESSES},
}
"""What an `Option` may be offered on."""


# ---------------------------------------------------------------- what is done


def _follow(on: bool) -> Act:
    def act(state: State, at: datetime) -> tuple[State, tuple[Effect, ...]]:
        return state, (Follow(state.number, on),) if state.number else ()

    return act


def _aftercare(state: State, at: datetime) -> tuple[State, tuple[Effect, ...]]:
    return state, (SetTimer("aftercare", at + AFTERCARE_AFTER),)


def _another_app(state: State, at: datetime) -> tuple[State, tuple[Effect, ...]]:
    return state.without(("platform",)), ()


def _again(state: State, at: datetime) -> tuple[State, tuple[Effect, ...]]:
    return replace(state.without(("who", "age", "image", "consent", "helps")), trail=()), ()


def _anew(state: State, at: datetime) -> tuple[State, tuple[Effect, ...]]:
    state, _ = _again(state, at)
    return state.without(("situation", "near")), ()


def _helped(state: State, at: datetime) -> tuple[State, tuple[Effect, ...]]:
    return state.without(("helps",)), ()


def _clear(state: State, at: datetime) -> tuple[State, tuple[Effect, ...]]:
    """Forget this chat (C12): only the language and the latch to the minors' path stay."""
    fresh = State(
        node=NodeId("start"),
        language=state.language,
        chosen_language=state.chosen_language,
        minor=state.minor,
    )
    unfollow = (Follow(state.number, False),) if state.number else ()
    return fresh, (CancelTimers(), Hush(), DropTickets(), *unfollow)


def _purpose(purpose: Purpose) -> Act:
    def act(state: State, at: datetime) -> tuple[State, tuple[Effect, ...]]:
        return replace(state, purpose=purpose, checking=None), ()

    return act


def _withdraw_later(state: State, at: datetime) -> tuple[State, tuple[Effect, ...]]:
    if state.number is None:
        return state, ()
    erase = state.purpose == "erase"
    return replace(state, leaving=True), (Withdraw(state.number, at_once=False, erase=erase),)


def _keep(state: State, at: datetime) -> tuple[State, tuple[Effect, ...]]:
    return replace(state, leaving=False), (KeepCase(state.number),) if state.number else ()


def _read_news(state: State, at: datetime) -> tuple[State, tuple[Effect, ...]]:
    return replace(state, news=False), ()


def _silence(state: State, at: datetime) -> tuple[State, tuple[Effect, ...]]:
    """Nothing more until they write again (C9)."""
    return replace(state, silent=True, doubt=0), (CancelTimers(), Hush())


def _troubled(state: State, at: datetime) -> tuple[State, tuple[Effect, ...]]:
    return replace(state, troubled=True), ()


def _await(state: State, at: datetime) -> tuple[State, tuple[Effect, ...]]:
    return replace(state, awaited=Awaited(at, at + AWAITED_FOR, MOST_PICTURES)), ()


def _fact(need: Intent) -> Act:
    """What the need says is kept, where nothing else was answered before."""

    def act(state: State, at: datetime) -> tuple[State, tuple[Effect, ...]]:
        for slot, value in FACTS[need]:
            if state.answer(slot) in {None, "other"}:
                state = state.with_answer(slot, value)
        return state, ()

    return act


ACTS: Final[dict[str, Act]] = {
    "troubled": _troubled,
    "await": _await,
    "follow": _follow(True),
    "unfollow": _follow(False),
    "aftercare": _aftercare,
    "helped": _helped,
    "again": _again,
    "anew": _anew,
    "clear": _clear,
    "for_status": _purpose("status"),
    "for_withdraw": _purpose("withdraw"),
    "for_erase": _purpose("erase"),
    "withdraw_later": _withdraw_later,
    "keep": _keep,
    "read_news": _read_news,
    "silence": _silence,
    "another_app": _another_app,
    **{f"fact.{need}": _fact(need) for need in GUESSES if need in FACTS},
}
"""What `Do` may name."""
