"""The vocabulary of a conversation on one page: what is known, what happens, what is to be done."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal, NewType, get_args

from bot.cases.eligibility import List
from bot.conversation.picture import Awaited, Content, Fetch, NotTaken, PinShown
from bot.conversation.shows import Age, Platform, Show

NodeId = NewType("NodeId", str)
MessageId = NewType("MessageId", str)

Language = Literal["th", "en", "es"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)

Country = Literal["TH", "ES", "MX", "CO", "AR", "CL", "PE", "US", "GB", "ZZ"]

# ---------------------------------------------------------------- what is understood

Intent = Literal[
    "greeting", "what_is_this", "am_i_eligible", "is_it_free", "is_it_anonymous",
    "do_you_see_my_photo", "how_hashing_works", "threat_money", "threat_images", "already_paid",
    "already_sent_more", "image_already_posted", "ex_partner", "stranger_scammer", "ai_deepfake",
    "i_am_a_parent", "trusted_adult", "adult_image_of_adult", "adult_image_before_18",
    "no_longer_have_image", "video_instead", "which_platforms", "how_long", "case_status",
    "withdraw_case", "delete_my_data", "change_language", "talk_to_human", "report_to_police",
    "legal_rights", "block_and_report", "tell_parents_fear", "self_harm", "immediate_danger",
    "abuser_present", "under_13", "thanks", "goodbye", "off_topic", "perpetrator",
]  # fmt: skip
Alarm = Literal["self_harm", "immediate_danger", "abuser_present", "under_13"]
Worry = Literal["police", "permission", "operator", "duty", "phoneless", "proof", "seen"]
Command = Literal["start", "stop", "help", "back", "delete", "language", "person", "status"]


@dataclass(frozen=True, slots=True)
class AlarmSign:
    """A sign of danger; `hard` pauses the flow, `soft` adds one careful question."""

    kind: Alarm
    tier: Literal["hard", "soft"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a typed message was understood to say."""

    language: Language | None = None
    intent: Intent | None = None
    confidence: float = 0.0
    alternatives: tuple[tuple[Intent, float], ...] = ()
    alarm: AlarmSign | None = None
    also: tuple[Intent, ...] = ()
    command: Command | None = None
    answer: Literal["yes", "no", "unsure"] | None = None
    own_age: int | None = None
    """The writer's own age today, in years."""
    their_age: int | None = None
    """The age today of the young person the writer speaks of."""
    image_age: int | None = None
    """The age said to be the age in the image."""
    case: "CaseKeys | None" = None
    named_language: Language | None = None
    feeling: Literal["distress", "what_now"] | None = None
    """Distress without a question, or "what do I do now?"."""
    worry: Worry | None = None
    of_other: bool = False
    """The sign of self-harm is of someone the writer speaks of, not of the writer."""
    platform: Platform | None = None
    """The app or site that is named, the first of several."""


@dataclass(frozen=True, slots=True)
class CaseKeys:
    """A case number and, when it was typed too, its PIN."""

    number: str
    pin: str | None = field(default=None, repr=False)


# ---------------------------------------------------------------- what happens


@dataclass(frozen=True, slots=True)
class Typed:
    """Words as they came in; the worker turns them into `Said` before the step."""

    at: datetime
    text: str = field(repr=False)
    ref: str | None = field(default=None, repr=False)
    """The platform's id of the message, to obey an unsend."""


@dataclass(frozen=True, slots=True)
class Said:
    """Words, understood. `picked` is the choice that they name, of the open question or of `of`."""

    at: datetime
    meaning: Meaning
    picked: str | None = None
    of: NodeId | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """The door was opened: the page, or the account was added."""

    at: datetime
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class Chose:
    """A button was pressed, perhaps of an older question."""

    at: datetime
    node: NodeId
    value: str


@dataclass(frozen=True, slots=True)
class Media:
    """Something that is not text was sent into the chat. It was not fetched.

    `ref` is the platform's id of the message, to remove it; messages of one `album` are answered
    once.
    """

    at: datetime
    kind: Literal["image", "video", "file", "voice", "sticker", "location"]
    ref: str | None = field(default=None, repr=False)
    album: str | None = field(default=None, repr=False)
    content: Content | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Unsent:
    """The person took a message back, perhaps before it arrived here."""

    at: datetime
    ref: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TooLong:
    """A message past the limit was refused unread."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Hashed:
    """Hashes were registered and a case was opened (or grew) for them: posted by the mini-app, or
    (`here`) made of a picture sent into the chat."""

    at: datetime
    number: str
    images: int
    here: bool = False


@dataclass(frozen=True, slots=True)
class CaseChecked:
    """The answer to `CheckCase`. `wait` is seconds until the next try is read."""

    at: datetime
    purpose: "Purpose"
    number: str
    right: bool
    wait: int = 0
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class News:
    """Something changed for a case whose person wanted to know."""

    at: datetime
    number: str


@dataclass(frozen=True, slots=True)
class Due:
    """A timer of this conversation rang."""

    at: datetime
    timer: "Timer"


@dataclass(frozen=True, slots=True)
class Gone:
    """The person blocked or left: nothing more is sent. It withdraws nothing (C12)."""

    at: datetime


Event = (
    Said | Opened | Chose | Media | Unsent | TooLong | Hashed | NotTaken | PinShown | CaseChecked
    | News | Due | Gone
)  # fmt: skip
Inbound = Typed | Event

# ---------------------------------------------------------------- what is to be done

Purpose = Literal["status", "withdraw", "erase"]
Timer = Literal["aftercare"]


@dataclass(frozen=True, slots=True)
class Button:
    """A choice under a message: the label's message id, and what comes back when it is pressed."""

    label: MessageId
    node: NodeId
    value: str

    @property
    def data(self) -> str:
        """The callback data, at most 64 bytes (Telegram)."""
        return f"{self.node}={self.value}"


@dataclass(frozen=True, slots=True)
class Send:
    """One outgoing message, by id; words are put in when it is sent.

    `daytime`: a push nobody is waiting for, kept for 9 to 20 o'clock local time (C15).
    """

    text: MessageId
    values: tuple[tuple[str, str], ...] = ()
    buttons: tuple[Button, ...] = ()
    show: Show | None = None
    list: List | None = None
    language: Language = "en"
    country: Country | None = None
    daytime: bool = False
    age: Age | None = None
    platform: Platform | None = None
    written: bool = False


@dataclass(frozen=True, slots=True)
class CheckCase:
    """Compare a case number and PIN; the answer comes back as `CaseChecked`."""

    purpose: Purpose
    number: str
    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Withdraw this case's hashes: at once (the PIN was right) or after 48 hours (C12)."""

    number: str
    at_once: bool
    erase: bool = False


@dataclass(frozen=True, slots=True)
class KeepCase:
    """Undo a withdrawal that has not taken effect yet."""

    number: str


@dataclass(frozen=True, slots=True)
class Follow:
    """Turn updates about a case on or off for this conversation."""

    number: str
    on: bool


@dataclass(frozen=True, slots=True)
class Lower:
    """A sign of under 18: what this conversation registered moves to the minors' list (C16)."""


@dataclass(frozen=True, slots=True)
class DropTickets:
    """Links to the mini-app that were not used open nothing any more."""


@dataclass(frozen=True, slots=True)
class Remove:
    """Take a message of the person's out of the chat, where the platform allows it."""

    ref: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Speak:
    """The chat's menus and commands in this language, where the platform has any."""

    language: Language


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Ring once at a time."""

    timer: Timer
    at: datetime


@dataclass(frozen=True, slots=True)
class CancelTimers:
    """No timer of this conversation rings any more."""


@dataclass(frozen=True, slots=True)
class Hush:
    """Drop whatever of this conversation still waits to be sent (C9, stop)."""


Effect = (
    Send
    | CheckCase
    | Withdraw
    | KeepCase
    | Follow
    | Lower
    | DropTickets
    | Fetch
    | Remove
    | Speak
    | SetTimer
    | CancelTimers
    | Hush
)

# ---------------------------------------------------------------- what is known

Slot = Literal[
    "language", "country", "phone", "situation", "near", "who", "age", "image", "consent",
    "updates", "aftercare", "platform", "helps", "writes",
]  # fmt: skip
"""What is asked; `helps` (someone else) and `writes` (cannot phone) are only said. `language` has
its own field of the state."""


@dataclass(frozen=True, slots=True)
class State:
    """All that is kept: answers by slot, and where the talk stands. Nothing that was said."""

    node: NodeId = NodeId("start")
    language: Language | None = None
    chosen_language: bool = False
    answers: tuple[tuple[Slot, str], ...] = ()
    trail: tuple[NodeId, ...] = ()
    resume: NodeId | None = None
    silent: bool = False
    doubt: int = 0
    """Above 0, silent on a soft sign alone (moves.py)."""
    stopped: bool = False
    minor: bool = False
    young: bool = False
    misses: int = 0
    maybe: tuple[Intent, ...] = ()
    """What the last message may have meant too."""
    offered: Language | None = None
    """The other language that was offered last."""
    soft_asked: int = 0
    """For so many messages more the careful question is not asked again."""
    number: str | None = None
    images: int = 0
    keyless: bool = False
    """The case has shown no PIN: only this chat leads to it."""
    checking: CaseKeys | None = None
    purpose: Purpose | None = None
    leaving: bool = False
    news: bool = False
    unsent: tuple[str, ...] = ()
    album: str | None = None
    takes: bool = False
    """Whether this door may take a picture at all; the shell says so anew at every turn."""
    troubled: bool = False
    """The mini-app did not work on this phone."""
    awaited: Awaited | None = None

    @property
    def speaks(self) -> Language:
        """The language to answer in."""
        return self.language or "en"

    def answer(self, slot: Slot) -> str | None:
        """What was answered to a question, if it was."""
        return dict(self.answers).get(slot)

    def with_answer(self, slot: Slot, value: str) -> "State":
        """The same state, knowing one answer more."""
        return replace(self, answers=tuple(sorted({**dict(self.answers), slot: value}.items())))

    def without(self, slots: Iterable[Slot]) -> "State":
        """The same state, with some answers forgotten."""
        gone = set(slots)
        return replace(self, answers=tuple(one for one in self.answers if one[0] not in gone))
