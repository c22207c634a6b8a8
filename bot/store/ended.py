"""What was erased or withdrawn, written down beside the database.

An older copy of the database that is put in its place forgets it again when it is opened.

A line names a case by its keyed digest, which says nothing without the keys. Months are files of
their own, and go when no copy can be so old any more. Beside PostgreSQL each machine writes its
own, in its data folder and with its name behind the month; all that lie there are read.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from bot.store.schema import micros

KEPT: Final = timedelta(days=93)
"""Longer than any backup may be kept (docs/deploy.md)."""
_UNNAMABLE: Final = re.compile("[^0-9A-Za-z-]")
_LINE: Final = re.compile("(erased|withdrawn) ([0-9a-f]{32}) ([0-9]+) ([0-9]+)")


@dataclass(frozen=True, slots=True)
class End:
    """One case that ended. `at`: microseconds; `change`: how far the feed was then."""

    erased: bool
    number: bytes
    at: int
    change: int


class Ended:
    """The lines about one database: `sala.ended-2026-11` and its like beside `sala.db`."""

    def __init__(self, database: Path, machine: str = "") -> None:
        self._database = database
        self._folder, self._name = database.parent, f"{database.stem}.ended-"
        self._machine = machine and f".{_UNNAMABLE.sub('-', machine)}"

    def add(self, now: datetime, number: bytes, change: int, *, erased: bool) -> None:
        """Write a line, durably. It begins anew, whatever a crash left before it."""
        what = "erased" if erased else "withdrawn"
        line = f"\n{what} {number.hex()} {micros(now)} {change}\n"
        how = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        file = self._folder / f"{self._name}{now:%Y-%m}{self._machine}"
        handle = os.open(file, how, 0o600)
        try:
            if os.getuid() == 0:  # as SQLite does: root's command must not shut Sala's user out
                beside = self._database if self._database.exists() else self._folder
                owner = beside.stat()
                os.fchown(handle, owner.st_uid, owner.st_gid)
            os.write(handle, line.encode())
            os.fsync(handle)
        finally:
            os.close(handle)

    def since(self, change: int) -> Iterator[End]:
        """Those that a database whose feed is at this change does not know of."""
        for file in self._months():
            for line in file.read_text("ascii", errors="replace").splitlines():
                if (read := _LINE.fullmatch(line)) and int(read[4]) > change:
                    yield End(
                        read[1] == "erased", bytes.fromhex(read[2]), int(read[3]), int(read[4])
                    )

    def drop_old(self, now: datetime) -> None:
        """Remove the months that nobody needs any more."""
        for file in self._months():
            if file.name < f"{self._name}{now - KEPT:%Y-%m}":
                file.unlink(missing_ok=True)

    def _months(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self._name}[0-9][0-9][0-9][0-9]-[0-9][0-9]*"))
