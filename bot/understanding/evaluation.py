"""How well the ear hears messages it was not made with, in figures and as a list to read.

A set is a folder of `th.txt`, `en.txt`, `es.txt` in the form of utterances.py. Sections of the
alarms are signs of danger, `none` holds their look-alikes, all others are ordinary messages.
"""

import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from bot.conversation.model import LANGUAGES, Intent, Language, Meaning
from bot.conversation.needs import SURE, first_answer
from bot.understanding.utterances import ALARMS, NONE, Utterance, read_utterances

YEAR: Final = 2026
"""When the sets were written: years of birth in them are told from here."""
CONFUSED: Final = 40
"""Pairs of the confusion list, at most."""
SPOKEN: Final = 3
"""From so many words on a language must be told."""

Understand = Callable[[str], Meaning]


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of a set, what was understood, and the CPU seconds it took."""

    said: Utterance
    meaning: Meaning
    seconds: float

    @property
    def guesses(self) -> tuple[str, ...]:
        """The likeliest intent and the next."""
        more = tuple(intent for intent, _ in self.meaning.alternatives)
        return (self.meaning.intent or "", *more)[:3]

    @property
    def first(self) -> bool:
        """Whether the likeliest is right."""
        return self.guesses[0] in self.said.right

    @property
    def answered(self) -> bool:
        """Whether the first answer would be right: intents may share one."""
        return _answer(self.guesses[0]) in {_answer(label) for label in self.said.right}

    @property
    def direct(self) -> bool:
        """Whether it would be answered without asking."""
        return self.meaning.confidence >= SURE

    def rings(self, tier: str | None = None) -> bool:
        """Whether an alarm sounds, of this tier."""
        alarm = self.meaning.alarm
        return alarm is not None and tier in {None, alarm.tier}


def evaluate(folder: Path, understand: Understand) -> Iterator[str]:
    """The report on a set, line by line. OSError; BadUtterances."""
    heard = [
        _hear(one, understand)
        for language in LANGUAGES
        if (path := folder / f"{language}.txt").exists()
        for one in read_utterances(path, language)
    ]
    if not heard:
        raise FileNotFoundError(f"no th.txt, en.txt or es.txt in {folder.name}")
    yield from _intents(heard)
    yield from _alarms(heard)
    yield from _cost(heard)
    yield from _confusions(heard)


def _hear(said: Utterance, understand: Understand) -> Heard:
    began = time.process_time()
    meaning = understand(said.text)
    return Heard(said, meaning, time.process_time() - began)


def _answer(intent: str) -> str:
    return next((first_answer(one) for one in get_args(Intent) if one == intent), intent)


def _intents(heard: Sequence[Heard]) -> Iterator[str]:
    yield (
        "ordinary messages      n  top-1  top-3  macro-F1"
        "  right first answer  wrong directly  language"
    )
    for language, part in _by_language(heard):
        plain = [one for one in part if one.said.label not in {NONE, *ALARMS}]
        if not plain:
            continue
        wrong = [one.direct and not one.answered for one in plain]
        told = [one.meaning.language == language for one in part if _words(one) >= SPOKEN]
        yield (
            f"{language:<18}{len(plain):>6}  {_share(one.first for one in plain)}"
            f"  {_share(bool(one.said.right & {*one.guesses}) for one in plain)}"
            f"  {_macro_f1(plain):>8.3f}  {_share(one.answered for one in plain):>18}"
            f"  {_share(wrong):>14}  {_share(told):>8}"
        )


def _alarms(heard: Sequence[Heard]) -> Iterator[str]:
    yield ""
    yield "alarms                                  n  caught   hard"
    for language, part in _by_language(heard):
        for name, group in sorted({(one.said.label, one.said.group) for one in part}):
            if name in {*ALARMS, NONE}:
                own = [one for one in part if (one.said.label, one.said.group) == (name, group)]
                title = "look-alikes (should be quiet)" if name == NONE else f"{name} {group}"
                yield _alarm_line(language, title, own)
        plain = [one for one in part if one.said.label not in {NONE, *ALARMS}]
        yield _alarm_line(language, "ordinary (should be quiet)", plain)


def _alarm_line(language: Language, title: str, part: Sequence[Heard]) -> str:
    caught, hard = _share(one.rings() for one in part), _share(one.rings("hard") for one in part)
    return f"{language}  {title:<32}{len(part):>5}  {caught:>6}  {hard:>5}"


def _cost(heard: Sequence[Heard]) -> Iterator[str]:
    spent = sorted(one.seconds * 1000 for one in heard)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield ""
    yield (
        f"CPU a message: median {spent[len(spent) // 2]:.1f} ms,"
        f" p95 {spent[int(len(spent) * 0.95)]:.1f} ms; whole process at most {peak:.0f} MiB"
    )


def _confusions(heard: Sequence[Heard]) -> Iterator[str]:
    missed = Counter(
        (one.said.label, one.guesses[0])
        for one in heard
        if not one.first and one.said.label not in {NONE, *ALARMS}
    )
    yield ""
    yield "taken for another (times: what it was, what was heard)"
    yield from (
        f"{often:>4}: {was}, {taken}" for (was, taken), often in missed.most_common(CONFUSED)
    )


def _by_language(heard: Sequence[Heard]) -> Iterator[tuple[Language, list[Heard]]]:
    for language in LANGUAGES:
        if part := [one for one in heard if one.said.language == language]:
            yield language, part


def _share(found: Iterator[bool] | Sequence[bool]) -> str:
    told = list(found)
    return f"{sum(told) / len(told):.3f}" if told else "-"


def _macro_f1(part: Sequence[Heard]) -> float:
    labels = {one.said.label for one in part}
    scores = []
    for label in labels:
        right = sum(one.guesses[0] == label for one in part if label in one.said.right)
        given = sum(one.guesses[0] == label for one in part)
        wanted = sum(one.said.label == label for one in part)
        scores.append(2 * right / max(given + wanted, 1))
    return sum(scores) / len(scores)


def _words(one: Heard) -> int:
    """Words; in Thai letters, which have no spaces, about four letters make one."""
    text = one.said.text
    thai = sum("\u0e01" <= letter <= "\u0e5b" for letter in text)
    return max(len(text.split()), thai // 4)
