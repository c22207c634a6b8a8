"""What `sala doctor` looks at, and says in plain words: what is wrong and how to mend it.

It makes and changes nothing, but for the test call that LINE is asked to make.
"""

import os
import shutil
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from bot import doctor_chat, outside
from bot.above import above_findings
from bot.app import now
from bot.cases.eligibility import List
from bot.channels.line_api import HOST
from bot.channels.telegram_http import API
from bot.conversation.model import LANGUAGES, Country
from bot.finding import Finding, good, note, or_good, wrong
from bot.hashing.jail import Broken, Jail
from bot.knowledge import NEVER_DROPPED, STALE, HelpLine, Kind, Record, help_lines, records
from bot.settings import LOOPBACK, Settings
from bot.store import StoreError
from bot.store.opening import look_at_postgres, open_store
from bot.store.schema import VERSION
from bot.store.whole import WholeStore
from bot.text import MissingText, Texts, load_texts
from bot.vault import Vault, VaultError, load_or_make

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3  # the SQLite that Sala uses

SQLITE: Final = "3.51.3"
"""The first without the bug that can ruin a file which two programs write."""
FREE: Final = 500_000_000
"""Bytes of disk below which it is time to act."""
_GAPS: Final[tuple[tuple[Kind, str], ...]] = (
    ("suicide", "suicide line"), ("child", "line for children"),
)  # fmt: skip
MEND_JAIL: Final = "On Debian: apt-get install libseccomp2; or set SALA_TRANSIENT=off."
MEND_LINES: Final = "Call each, then set `checked` in bot/knowledge/lines.toml to that day."


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class Place:
    """What the doctor stands on beside the settings. `free`: bytes free where a folder lies."""

    clock: Callable[[], datetime] = now
    free: Callable[[Path], int] = _free
    sqlite: str = sqlite3.sqlite_version
    texts: Callable[[], Texts] = load_texts
    lines: Sequence[HelpLine] = field(default_factory=help_lines)
    shelf: Sequence[Record] = field(default_factory=records)
    login_secret: str = field(default="", repr=False)


async def examine(settings: Settings, place: Place, page: str = "") -> AsyncIterator[Finding]:
    """Everything, one finding after the other; `page` is an address whose files are compared."""
    for one in (*combinations(settings), *disk(settings, place), *sqlite_version(place)):
        yield one
    vault, found = keys(settings)
    for one in (*found, *await database(settings, vault, place)):
        yield one
    today = place.clock().date()
    for one in (*catalogs(place), *knowledge(place.lines, today), *shelf(place.shelf, today)):
        yield one
    if settings.public:
        yield await outside.reachable(settings.public_url)
    for one in (*await _chat_apps(settings, place), *await pictures(settings)):
        yield one
    if page:
        for one in await outside.same_page(page, settings):
            yield one


async def _chat_apps(settings: Settings, place: Place) -> list[Finding]:
    found: list[Finding] = []
    if settings.line:
        base = settings.line.api or HOST
        found += await outside.clock("LINE", base, place.clock())
        found += await doctor_chat.line(settings, settings.line, place.login_secret)
    texts = _texts(place)
    if settings.telegram and texts:
        base, at = settings.telegram.api or API, place.clock()
        found += await outside.clock("Telegram", base, at)
        found += await doctor_chat.telegram(settings, settings.telegram, texts, at)
    return found


async def pictures(settings: Settings) -> list[Finding]:
    """Whether pictures of adults who agreed are taken from chats, and the jail works (C16)."""
    about = "Pictures"
    if not (settings.line or settings.telegram):
        return []
    if not settings.takes:
        return [good(about, "none are taken from chats")]
    try:
        await Jail().prove()
    except Broken as error:
        say = note if settings.transient is None else wrong
        return [say(about, f"none are taken from chats, for there is no jail: {error}.", MEND_JAIL)]
    words = "those of adults who agreed are taken from chats, in a jail that works."
    return [note(about, words) if settings.public else good(about, words)]


def _texts(place: Place) -> Texts | None:
    try:
        return place.texts()
    except MissingText:
        return None


# ---------------------------------------------------------------- settings, keys, disk


def combinations(settings: Settings) -> list[Finding]:
    """Settings that do not go together, beyond those that are refused at the start."""
    where = settings.public_url if settings.public else "this machine only"
    return or_good(_combinations(settings), "Settings", f"can be used; served: {where}")


def _combinations(settings: Settings) -> Iterator[Finding]:
    mend = "Set SALA_PUBLIC_URL to the https address people use"
    if settings.line and not settings.public:
        yield wrong("Settings", "LINE has no address to post to.", f"{mend}.")
    if settings.telegram and not settings.telegram.polling and not settings.public:
        words = "Telegram has no address to post to."
        yield wrong("Settings", words, f"{mend}, or SALA_TELEGRAM=polling.")
    if settings.public and settings.host not in LOOPBACK:
        words = f"port {settings.port} is open to the network beside the web server, without TLS."
        yield wrong("Settings", words, "Set SALA_HOST=127.0.0.1.")
    if settings.public and settings.key_file.absolute().is_relative_to(
        settings.data_dir.absolute()
    ):
        words = "the key file lies in the data folder: one stolen copy opens everything."
        yield wrong("Settings", words, "Move it elsewhere and set SALA_KEY_FILE.")


def keys(settings: Settings) -> tuple[Vault | None, list[Finding]]:
    """The vault, when there is one that can be used."""
    about, file = "Keys", settings.key_file
    if not file.exists():
        if settings.own_keys:
            mend = f"Make it: sala keys {file}. Then keep a copy offline."
            return None, [wrong(about, f"{file} is not there.", mend)]
        return None, [note(about, "none yet; `sala run` makes them.")]
    try:
        vault, _ = load_or_make(file)
    except (VaultError, OSError) as error:
        words = error.strerror if isinstance(error, OSError) else str(error)
        mend = f"chmod 600 {file}; if it was damaged, restore your offline copy."
        return None, [wrong(about, f"{file} cannot be used: {words}", mend)]
    return vault, [good(about, f"{file} can be used, and only by its owner")]


def disk(settings: Settings, place: Place) -> list[Finding]:
    """Whether there is room for what will be kept."""
    folder = settings.data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free = place.free(folder)
    megabytes = free // 1_000_000
    if free < FREE:
        words = f"{megabytes} MB are free where the data lies. When it is full nothing is kept."
        return [wrong("Disk", words, "Make room, or give it a larger disk.")]
    return [good("Disk", f"{megabytes} MB are free")]


def sqlite_version(place: Place) -> list[Finding]:
    """Whether this SQLite keeps files whole under two programs."""
    if _numbers(place.sqlite) < _numbers(SQLITE):
        words = f"{place.sqlite} can ruin the database when two programs write it (before {SQLITE})"
        mend = "Install again with the versions Sala names: pip install --upgrade pysqlite3."
        return [wrong("SQLite", f"{words}; the database is not opened now.", mend)]
    return [good("SQLite", place.sqlite)]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


# ---------------------------------------------------------------- the database


async def database(settings: Settings, vault: Vault | None, place: Place) -> list[Finding]:
    """The file, its schema, what was set aside, and who reads the lists."""
    if settings.postgres:
        return await _postgres(settings, vault)
    file = settings.database
    if not file.exists():
        none = note("Database", "none yet; `sala run` makes it.")
        return [none, *await above_findings(settings, None)]
    fault = _fault_of(file)
    if fault:
        return [fault]
    found = list(_mode(file))
    if vault is None or found or _numbers(place.sqlite) < _numbers(SQLITE):
        return [*found, *await above_findings(settings, None)]
    try:
        store = open_store(settings, vault)
    except (StoreError, OSError, sqlite3.Error) as error:
        words = str(error) if isinstance(error, StoreError) else type(error).__name__
        mend = "Use the key file that belongs to it (SALA_KEY_FILE), and the user Sala runs as."
        return [wrong("Database", f"cannot be opened: {words}", mend)]
    try:
        above = await above_findings(settings, store)
        return [*await _parked(store), *await _partners(store), *above]
    finally:
        await store.close()


async def _postgres(settings: Settings, vault: Vault | None) -> list[Finding]:
    about, mend = (
        "Database",
        "Check DATABASE_URL and the server; SALA_KEY_FILE must be its own.",
    )
    try:
        version, durable = look_at_postgres(settings.postgres)
        if version == 0:
            return [note(about, "PostgreSQL, no tables yet; `sala run` makes them.")]
        if fault := _version_fault(version):
            return [fault]
        found = [] if durable else [wrong(about, "PostgreSQL has fsync off.", "Set fsync = on.")]
        if vault is None:
            return found
        store = open_store(settings, vault)
    except StoreError as error:
        return [wrong(about, str(error), mend)]
    try:
        above = await above_findings(settings, store)
        return [*found, *await _parked(store), *await _partners(store), *above]
    finally:
        await store.close()


def _version_fault(version: int) -> Finding | None:
    about = "Database"
    if version > VERSION:
        return wrong(about, "was written by a newer Sala.", "Install that version again.")
    if version < VERSION:
        mend = "Stop Sala, copy the database, then run: sala migrate"
        return wrong(about, f"its tables are of version {version}, Sala needs {VERSION}.", mend)
    return None


def _fault_of(file: Path) -> Finding | None:
    """What is wrong with the file itself; it is only read."""
    about, mend = "Database", "Stop Sala, keep this file aside, and restore the newest backup."
    try:
        db = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        try:
            (version,) = db.execute("pragma user_version").fetchone()
            (whole,) = db.execute("pragma quick_check(1)").fetchone()
        finally:
            db.close()
    except sqlite3.Error as error:
        return wrong(about, f"{file} cannot be read ({type(error).__name__}).", mend)
    if whole != "ok":
        return wrong(about, f"{file} is damaged.", mend)
    return _version_fault(version)


def _mode(file: Path) -> Iterator[Finding]:
    if stat.S_IMODE(os.stat(file).st_mode) & 0o077:
        yield wrong("Database", f"{file} can be read by others.", f"chmod 600 {file}")


async def _parked(store: WholeStore) -> list[Finding]:
    parked = await store.parked()
    if not parked:
        return [good("Database", f"version {VERSION}, whole, nothing set aside")]
    words = f"{parked} messages could not be dealt with and were set aside: nobody answered them."
    mend = "Look for `turn_parked` in the log, and tell the developers what stands there."
    return [wrong("Database", words, mend)]


async def _partners(store: WholeStore) -> list[Finding]:
    return [_readers(list, await store.readers(list)) for list in get_args(List)]


def _readers(list: List, names: Sequence[str]) -> Finding:
    about = f"Partners ({list})"
    if names:
        return good(about, ", ".join(names))
    place = "Take It Down" if list == "minors" else "StopNCII.org"
    return note(
        about,
        f"no platform reads this list. Sala says so, and sends people to {place} first.",
        "sala partner add NAME --list …, once there is an agreement.",
    )


# ---------------------------------------------------------------- words and numbers


def catalogs(place: Place) -> list[Finding]:
    """Whether every text is there in every language."""
    try:
        by_language = place.texts().by_language
    except MissingText as error:
        return [wrong("Texts", f"{error}.", "make catalogs")]
    ids = {id for texts in by_language.values() for id in texts}
    found = []
    for language in LANGUAGES:
        missing = sorted(id for id in ids if not by_language.get(language, {}).get(id, "").strip())
        if missing:
            words = f"{len(missing)} are missing in [{language}], the first is {missing[0]}."
            mend = f"Complete locales/{language}, then: make catalogs"
            found.append(wrong("Texts", words, mend))
    return or_good(found, "Texts", f"{len(ids)}, complete in {', '.join(LANGUAGES)}")


def knowledge(lines: Sequence[HelpLine], today: date) -> list[Finding]:
    """Whether the help lines can be relied on (C8)."""
    countries = [one for one in get_args(Country) if one != "ZZ"]
    found = [*_old(lines, today), *_unsure(lines, countries)]
    if not any(one.grade == "wrong" for one in found):
        found.insert(0, good("Help lines", "every country has a checked emergency number"))
    return found


def _old(lines: Sequence[HelpLine], today: date) -> Iterator[Finding]:
    aging = [one for one in lines if one.sure and one.aging(today)]
    crisis = [one for one in aging if one.kind in NEVER_DROPPED]
    if crisis:
        words = "emergency and crisis numbers not checked for half a year (still shown): "
        yield wrong("Help lines", words + _named(crisis), MEND_LINES)
    others = [one for one in aging if one not in crisis]
    if shown := [one for one in others if one.shown(today)]:
        words = "not checked for half a year, shown until it is a year: "
        yield note("Help lines", words + _named(shown), MEND_LINES)
    if gone := [one for one in others if not one.shown(today)]:
        words = "not checked for a year and so no longer shown: "
        yield note("Help lines", words + _named(gone), MEND_LINES)


def shelf(entries: Sequence[Record], today: date) -> list[Finding]:
    """What else on the shelf is to be checked again: pages, platforms, laws, facts."""
    about, mend = "Shelf", "Check each against its sources; `sala knowledge` lists all."
    others = [one for one in entries if not isinstance(one.papers, HelpLine) and one.papers.sure]
    aging = [one.name for one in others if one.papers.aging(today)]
    gone = [one.name for one in others if today - one.papers.checked > STALE]
    if not aging:
        return [good(about, f"{len(others)} pages, platforms and laws, all checked lately")]
    words = f"not checked for half a year: {', '.join(aging)}."
    if gone:
        words += f" {len(gone)} of them for a year and so no longer shown."
    return [note(about, words, mend)]


def _unsure(lines: Sequence[HelpLine], countries: Sequence[Country]) -> Iterator[Finding]:
    without = _without(lines, countries, "emergency")
    if without:
        mend = "Find and check it: without it, nobody in danger there is told whom to call."
        yield wrong("Help lines", f"no sure emergency number in {without}.", mend)
    for kind, name in _GAPS:
        without = _without(lines, countries, kind)
        if without:
            others = "The emergency number and the other lines are named instead."
            yield note("Help lines", f"no sure {name} in {without}. {others}")


def _without(lines: Sequence[HelpLine], countries: Sequence[Country], kind: Kind) -> str:
    sure = {one.country for one in lines if one.sure and one.kind == kind}
    return ", ".join(one for one in countries if one not in sure)


def _named(lines: Sequence[HelpLine]) -> str:
    return ", ".join(f"{one.country} {one.number or one.url or one.name}" for one in lines)
