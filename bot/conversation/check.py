"""Model-checks the flow tables: what a table must be for nobody to get lost or stuck in it.

`problems()` lists in words every node out of reach or without a way out, every dangling name, and
every choice beyond LINE's and Telegram's limits; `message_ids()` is what the catalogs must hold.
"""

from collections.abc import Iterator
from itertools import product
from string import Formatter
from typing import Final, get_args

from bot.conversation import worried
from bot.conversation.flows import TABLE
from bot.conversation.model import Button, NodeId, Purpose, Worry
from bot.conversation.needs import ANSWERS, AT_ONCE, PLACES
from bot.conversation.picture import Problem
from bot.conversation.replies import PLAINER
from bot.conversation.rules import ACTS, CONDITIONS, RULES
from bot.conversation.table import REST, RESUME, Ask, Decide, Do, Node, Option, Table, Tell
from bot.conversation.walk import HOME, START

MAX_CHOICES: Final = 13
"""LINE: quick replies of one message."""
MAX_DATA: Final = 64
"""Telegram: bytes of callback data."""

ENTRANCES: Final = (
    START, HOME,
    *map(NodeId, (
        "firstaid", "help", "ask.delete", "ask.language", "people", "status", "withdraw", "tell",
        "self_harm", "self_harm.other", "danger", "bland", "bland.danger", "ask.talk_now",
        "ask.safe", "ask.how", "ask.meant", "news", "case.made", "case.wrong", "withdrawn",
        "erased", "ask.pin", "status.show", "take.late", "take.made", "take.made.quiet",
        "take.added", "take.already", "case.added",
    )),
)  # fmt: skip
"""Where the engine enters the table by itself, not by an option."""

SPOKEN: Final = (
    "media", "too_long", "case.wait", "stopped", "not_understood", "not_understood.again",
    "young.lines", "offer.language", "ack", "ack.helper", "here", "minor.noted",
    "feeling.distress", "feeling.what_now",
    "take.seen", "take.early", "take.one", *(f"take.{problem}" for problem in get_args(Problem)),
    *(f"worry.{worry}" for worry in get_args(Worry)),
    *(f"worry.{worry}.simple" for worry in worried.PLAINER),
    *(f"answer.{answer}.simple" for answer in PLAINER),
)  # fmt: skip
"""Texts the engine says outside the table."""

_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "situation": ("money", "more", "posted", "afraid", "ai", "other"),
    "harm": ("threat", "posted", "afraid", "ai", "other"),
    "list": ("minors", "adults"),
    "agreed": ("minors", "adults", "theirs"),
    "voice": ("self", "other"),
    "purpose": get_args(Purpose),
    "image": ("here", "none"),
}


def problems(table: Table = TABLE) -> list[str]:
    """What is wrong with a table, a sentence each; empty when nothing is."""
    found = [text for node in table.values() for text in _node(table, node)]
    found += [f"{id}: out of reach" for id in table.keys() - _reach(table, ENTRANCES)]
    found += [f"{id}: no way out" for id in table if not _escapes(table, id)]
    return sorted(found)


def message_ids(table: Table = TABLE) -> set[str]:
    """Every text id that the table and the engine may say."""
    lines = {id for node in table.values() for id in _texts(node)}
    return lines | set(SPOKEN) | {f"answer.{name}" for name in ANSWERS.values()}


def label_ids(table: Table = TABLE) -> set[str]:
    """Every label of a choice: at most 20 graphemes (LINE)."""
    asks = [node for node in table.values() if isinstance(node, Ask)]
    return {str(option.label) for node in asks for option in node.options}


def ways(node: Node) -> set[NodeId]:
    """Where a node may lead."""
    match node:
        case Ask():
            return {option.then for option in node.options}
        case Decide():
            return {then for _, then in node.to}
        case _:
            return {node.then}


def _node(table: Table, node: Node) -> Iterator[str]:
    for way in ways(node) - table.keys() - {REST, RESUME}:
        yield f"{node.id}: leads to {way}, which is nowhere"
    match node:
        case Decide() if node.rule not in RULES:
            yield f"{node.id}: unknown rule {node.rule}"
        case Do() if node.act not in ACTS:
            yield f"{node.id}: unknown act {node.act}"
        case Ask():
            yield from _choices(node)
        case _:
            pass


def _choices(node: Ask) -> Iterator[str]:
    most = sum(not _rarely(option) for option in node.options)
    if not most or most + min(AT_ONCE, len(node.options) - most) > MAX_CHOICES:
        yield f"{node.id}: {most} choices"
    if all(option.when for option in node.options):
        yield f"{node.id}: may have no choice at all"
    for option in node.options:
        if len(Button(option.label, node.id, option.value).data.encode()) > MAX_DATA:
            yield f"{node.id}: callback data of {option.value} is too long"
    for answer, value in node.says:
        if node.option(value) is None:
            yield f"{node.id}: {answer} means {value}, which is no choice"
    for option in node.options:
        if option.when and option.when not in CONDITIONS:
            yield f"{node.id}: unknown condition {option.when}"


def _rarely(option: Option) -> bool:
    """Offered for a guess, of which few are offered at once, or never."""
    return option.when is not None and option.when.startswith(("maybe.", "never"))


def _texts(node: Node) -> Iterator[str]:
    if not isinstance(node, Tell | Ask):
        return
    for line in node.lines:
        yield from _expanded(line.text)
        if line.simple:
            yield line.simple
    if isinstance(node, Ask):
        yield from (str(option.label) for option in node.options)


def _expanded(template: str) -> Iterator[str]:
    names = [name for _, name, _, _ in Formatter().parse(template) if name]
    for values in product(*(_FIELDS[name] for name in names)):
        yield template.format(**dict(zip(names, values, strict=True)))


def _reach(table: Table, starts: tuple[NodeId, ...]) -> set[NodeId]:
    seen: set[NodeId] = set()
    edge = [*starts, *PLACES.values()]
    while edge:
        id = edge.pop()
        if id in table and id not in seen:
            seen.add(id)
            edge += ways(table[id])
    return seen


def _escapes(table: Table, id: NodeId) -> bool:
    """Whether home, the open question, or rest can be reached from here."""
    seen: set[NodeId] = set()
    edge = [id]
    while edge:
        one = edge.pop()
        if one in {REST, RESUME, HOME}:
            return True
        if one in table and one not in seen:
            seen.add(one)
            edge += ways(table[one])
    return False
