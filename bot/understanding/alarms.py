"""Hears danger. The rules are data/alarms.toml; this only applies them.

A guard (an idiom, a negation) is taken out of the text before the hard rules are asked again:
what still rings is hard, what rang only because of the idiom is soft, and nothing is dropped.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, cast, get_args

from bot.conversation.model import Alarm, AlarmSign
from bot.understanding.forms import Forms
from bot.understanding.tables import Patterns, table

Form = Literal["latin", "tight", "leet", "thai", "tone"]
HEARD: Final[tuple[Alarm, ...]] = ("self_harm", "immediate_danger", "abuser_present")
"""The alarms heard in words, most urgent first. under_13 comes from the age parser alone."""


@dataclass(frozen=True, slots=True)
class _Rule:
    alarm: Alarm
    form: Form
    hard: Patterns
    soft: Patterns


@dataclass(frozen=True, slots=True)
class _Guard:
    alarms: tuple[Alarm, ...]
    form: Form
    patterns: Patterns


def signs(message: Forms) -> tuple[AlarmSign, ...]:
    """Every sign of danger in a message: hard before soft, then the most urgent first."""
    heard = [sign for kind in HEARD if (sign := _sign(kind, message))]
    return tuple(sorted(heard, key=lambda sign: sign.tier != "hard"))


def _sign(kind: Alarm, message: Forms) -> AlarmSign | None:
    if _rings(kind, message, "hard"):
        guarded = _without_guarded(kind, message)
        still = guarded is message or _rings(kind, guarded, "hard")
        return AlarmSign(kind, "hard" if still else "soft")
    return AlarmSign(kind, "soft") if _rings(kind, message, "soft") else None


def _rings(kind: Alarm, message: Forms, tier: Literal["hard", "soft"]) -> bool:
    return any(
        pattern.search(text)
        for rule in _RULES
        if rule.alarm == kind and (text := getattr(message, rule.form))
        for pattern in (rule.hard if tier == "hard" else rule.soft)
    )


def _without_guarded(kind: Alarm, message: Forms) -> Forms:
    """The message with idioms and negations cut out; the derived forms are cut with them."""
    latin, thai = message.latin, message.thai
    for guard in _GUARDS:
        if kind in guard.alarms:
            for pattern in guard.patterns:
                latin = pattern.sub(" ~ ", latin) if guard.form == "latin" else latin
                thai = pattern.sub("~", thai) if guard.form == "thai" else thai
    if (latin, thai) == (message.latin, message.thai):
        return message
    changed = replace(message, latin=latin, thai=thai)
    return (
        replace(changed, tight="", leet="") if latin != message.latin else replace(changed, tone="")
    )


def _rules() -> tuple[_Rule, ...]:
    rules = tuple(
        _Rule(
            _alarm(row["alarm"]),
            _form(row["form"]),
            Patterns(row["hard"]),
            Patterns(row.get("soft", ())),
        )
        for row in _TABLE["rule"]
    )
    if {rule.alarm for rule in rules} != set(HEARD):
        raise ValueError("data/alarms.toml lacks an alarm")
    return rules


def _guards() -> tuple[_Guard, ...]:
    return tuple(
        _Guard(tuple(map(_alarm, row["alarms"])), _form(row["form"]), Patterns(row["patterns"]))
        for row in _TABLE["guard"]
    )


def _alarm(name: str) -> Alarm:
    for known in HEARD:
        if name == known:
            return known
    raise ValueError("data/alarms.toml names an unknown alarm")


def _form(name: str) -> Form:
    if name not in get_args(Form):
        raise ValueError("data/alarms.toml names an unknown form")
    return cast(Form, name)


_TABLE: Final = table("alarms")
_RULES: Final = _rules()
_GUARDS: Final = _guards()
