"""What docs/deploy.md and docs/scale.md have typed for PostgreSQL, typed line by line on the tests'
own server, by a role that is no superuser. The places are the test's, and `systemctl`, `pip` and
`age` are stood in for."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from bot.cli import main
from bot.store import pg_engine
from bot.store.whole import WholeStore
from tests import databases
from tests.databases import ran
from tests.operated import with_store
from tests.test_deploy import ROOT, block
from tests.test_moving import lived_in
from tests.turns_kept import event

MADE, MOVED = block("createuser "), block("sala import ")
RESTORED, TURNED = block("pg_restore "), block("sala rotate --running")
PAGE = (ROOT / "docs/deploy.md").read_text("utf-8")
SCALE = (ROOT / "docs/scale.md").read_text("utf-8")
(EMPTIED,) = re.findall(r"`(vacuumdb [^`]+)`", PAGE)
QUOTE = "'"
PUT = ["Database: PostgreSQL has fsync", "Database: 1 messages could not"]
OWNER = "deployed"
"""Who is called sala on the page: here that is the superuser's name."""
STANDS_IN = {"systemctl": "exit 0", "pip": "exit 0", "age": 'cat "$4"'}


@dataclass
class Operator:
    """Who types; `said` is what `sala` answered, line by line."""

    folder: Path
    host: str
    said: list[str] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        for name in ("bin", "data", "shm", "backups", "stick"):
            (self.folder / name).mkdir()
        for name, does in STANDS_IN.items():
            program = self.folder / "bin" / name
            program.write_text(f"#!/bin/sh\n{does}\n")
            program.chmod(0o755)

    def types(self, text: str) -> None:
        """A block of the page."""
        for line in self.here(text).splitlines():
            words, _, remark = line.partition("#")
            if "DATABASE_URL=" in remark:
                self.url = remark.partition("DATABASE_URL=")[2].replace(
                    self.host, quote(self.host, "")
                )
            elif words.startswith("sala "):
                self.said.append(self.sala(*words.split()[1:]))
            else:
                self.shell(words)

    def heard(self) -> list[str]:
        """What `sala` said since this was asked last."""
        said, self.said = self.said, []
        return said

    def here(self, text: str) -> str:
        """With the places and names of the test."""
        places = {
            "/opt/sala/venv/bin/": f"{self.folder}/bin/", "/var/lib/sala": f"{self.folder}/data",
            "/var/backups/sala": f"{self.folder}/backups", "/dev/shm": f"{self.folder}/shm",
            "/media/stick": f"{self.folder}/stick", "HOST": self.host,
            "//sala:": f"//{OWNER}:", "/sala?": f"/{OWNER}?",
        }  # fmt: skip
        for there, here in places.items():
            text = text.replace(there, here)
        return re.sub(r"(?<= )sala(?=\s|$)", OWNER, text, flags=re.MULTILINE)

    def shell(self, line: str) -> None:
        programs = Path(databases.program("createdb")).parent
        path = f"{self.folder / 'bin'}:{programs}:{os.environ['PATH']}"
        more = {
            "PATH": path,
            "PGHOST": self.host,
            "PGUSER": databases.OURS,
            "PGDATABASE": "postgres",
        }
        subprocess.run(
            ["sh", "-euc", line], check=True, env={**os.environ, **more}, input="word\nword\n",
            text=True, start_new_session=True, capture_output=True,
        )  # fmt: skip

    def sala(self, *words: str) -> str:
        settings = {"SALA_DATA_DIR": str(self.folder / "data"), "DATABASE_URL": self.url}
        return CliRunner(env=settings).invoke(main, words).output


@pytest.fixture
def operator(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pg_engine, "PATIENCE", "60s")
    yield Operator(tmp_path, postgres.partition("host=")[2])
    databases.Chosen.address = databases.Chosen.path = None
    ran(postgres, f"drop database if exists {OWNER} with (force)")
    ran(postgres, f"drop role if exists {OWNER}")


def test_what_is_typed_moves_all_to_postgresql_and_brings_a_backup_back(operator: Operator) -> None:
    """Then the keys change. The doctor finds nothing wrong but what the test put there."""
    with_store(operator.folder / "data", full)
    operator.types(MADE)
    operator.types(MOVED)
    out, into, doctor = operator.heard()
    assert out == into
    assert wrong(doctor) == PUT

    day = operator.folder / "backups" / "DAY.db.age"
    assert operator.sala("backup", str(day)) == ""
    databases.Chosen.address, databases.Chosen.path = operator.url, operator.folder / "data/sala.db"
    with_store(operator.folder / "data", one_more)
    operator.types(RESTORED)
    _, doctor = operator.heard()
    assert wrong(doctor) == PUT
    assert operator.sala("export", str(operator.folder / "again")) == out
    assert not list((operator.folder / "shm").iterdir())

    operator.types(EMPTIED)
    operator.types(TURNED)
    first, last = operator.heard()
    assert "stays in the file" in first or "is gone" in first
    assert "is gone from the file" in last
    assert operator.sala("export", str(operator.folder / "sealed anew")) != ""


async def full(store: WholeStore) -> None:
    await lived_in(store)


async def one_more(store: WholeStore) -> None:
    assert await store.receive(event("after the backup"))


def wrong(doctor: str) -> list[str]:
    return re.findall(r"^WRONG (.{,30})", doctor, re.MULTILINE)


def test_the_settings_of_the_server_are_such_as_it_takes(postgres: str) -> None:
    [said] = [
        text for text in re.findall(r"```\n(.*?)```", SCALE, re.DOTALL) if "max_wal_size" in text
    ]
    folder = Path(postgres.partition("host=")[2])
    rows = [row.partition("#")[0].partition(" = ") for row in said.splitlines()]
    words = tuple(f"{name}={value.strip().strip(QUOTE)}" for name, _, value in rows)
    asked = subprocess.run(
        [*databases.starting(folder, words), "-C", "max_wal_size"], cwd="/", capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert asked.stdout == "4096\n"
