"""What a flow is made of: nodes that tell, ask, decide or do, joined into one table.

Only `Decide` and `Do` name a function, both pure (rules.py). Ids in a line may hold one field in
braces (`firstaid.{situation}.1`), filled from the state; check.py expands them all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from bot.conversation.model import MessageId, NodeId, Slot
from bot.conversation.shows import Show

RESUME: Final = NodeId("resume")
"""Where an aside ends: the question that was open before it."""
REST: Final = NodeId("rest")
"""Nothing more is said or asked; the next message is met where the state stands."""


@dataclass(frozen=True, slots=True)
class Line:
    """One message: its id (or template), what is shown with it, and its words for under 13."""

    text: str
    show: Show | None = None
    simple: str | None = None
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to a question. `when` names a rule that must hold for it to be offered."""

    value: str
    label: MessageId
    then: NodeId
    when: str | None = None


@dataclass(frozen=True, slots=True)
class Tell:
    """Say these, go on."""

    id: NodeId
    lines: tuple[Line, ...]
    then: NodeId


@dataclass(frozen=True, slots=True)
class Ask:
    """Say these, the last with the options as buttons, and wait.

    An answer is kept in `slot`; a question whose slot is answered already is passed over. An
    `aside` does not become the place to come back to. `says` maps a plain yes, no or unsure to
    the option it means, where that is not the option of this name.
    """

    id: NodeId
    lines: tuple[Line, ...]
    options: tuple[Option, ...]
    slot: Slot | None = None
    aside: bool = False
    says: tuple[tuple[str, str], ...] = ()
    exact: bool = False
    """Only the label itself, its number, or a plain yes or no answers: nothing is read into it."""

    def option(self, value: str | None) -> Option | None:
        """The option of this value, if there is one."""
        return next((one for one in self.options if one.value == value), None)

    def meant(self, answer: str | None) -> Option | None:
        """The option that a yes, no or unsure means here."""
        return self.option(dict(self.says).get(answer or "", answer))


@dataclass(frozen=True, slots=True)
class Decide:
    """Go where the rule's answer leads."""

    id: NodeId
    rule: str
    to: tuple[tuple[str, NodeId], ...]


@dataclass(frozen=True, slots=True)
class Do:
    """Change the state or plan effects other than messages, go on."""

    id: NodeId
    act: str
    then: NodeId


Node = Tell | Ask | Decide | Do
Table = Mapping[NodeId, Node]


def line(text: str | Line) -> Line:
    """A line that shows nothing with it."""
    return text if isinstance(text, Line) else Line(text)


def plainly(text: str, show: Show | None = None) -> Line:
    """A line with words of its own for under 13, under the same id with `.simple` behind it."""
    return Line(text, show, f"{text}.simple")


def tell(id: str, *lines: str | Line, then: str) -> Tell:
    """A Tell; without lines it says the text of its own id."""
    return Tell(NodeId(id), tuple(line(one) for one in lines or (id,)), NodeId(then))


def ask(  # the fields of a question, each named at the call
    id: str,
    *lines: str | Line,
    options: Mapping[str, str],
    slot: Slot | None = None,
    aside: bool = False,
    when: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    says: Mapping[str, str] | None = None,
    exact: bool = False,
) -> Ask:
    """An Ask; `options` maps a value to the node it leads to, its label's id is `<id>.<value>`."""
    made = tuple(
        Option(
            value,
            MessageId((labels or {}).get(value, f"{id}.{value}")),
            NodeId(then),
            (when or {}).get(value),
        )
        for value, then in options.items()
    )
    said = tuple((says or {}).items())
    return Ask(
        NodeId(id), tuple(line(one) for one in lines or (id,)), made, slot, aside, said, exact
    )


def decide(id: str, rule: str, to: Mapping[str, str]) -> Decide:
    """A Decide."""
    return Decide(NodeId(id), rule, tuple((key, NodeId(then)) for key, then in to.items()))


def do(id: str, act: str, then: str) -> Do:
    """A Do."""
    return Do(NodeId(id), act, NodeId(then))


def joined(*flows: Iterable[Node]) -> Table:
    """One table of several flows; ValueError when two nodes share an id."""
    table: dict[NodeId, Node] = {}
    for flow in flows:
        for node in flow:
            if node.id in table:
                raise ValueError(f"two nodes are called {node.id}")
            table[node.id] = node
    return table
