"""docs/deploy.md is typed as it stands: what it holds against the program is checked here."""

import asyncio
import re
import shlex
import subprocess
from configparser import ConfigParser
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bot import metrics, watching
from bot.app import open_sala
from bot.channels import line, telegram
from bot.cli import QUIET, main
from bot.exchange import stopncii
from bot.settings import Settings, Unsafe, read_settings
from bot.store.ended import Ended
from bot.watching import Watch

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(
    r"^```(\w*)\n(.*?)^```$", (ROOT / "docs/deploy.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
)


def block(mark: str) -> str:
    """The one block that holds this."""
    (found,) = [text for _, text in BLOCKS if mark in text]
    return found


def number(pattern: str, text: str) -> int:
    (found,) = re.findall(pattern, text)
    return int(found)


CADDY, UNIT = block("reverse_proxy "), block("ExecStart=/opt/sala/venv/bin/sala run")
FIREWALL, BACKUP = block("flush ruleset"), block("sala backup ")
SETTINGS = dict(row.split("=", 1) for row in block("SALA_PUBLIC_URL=").splitlines())
COMMANDS = sorted(
    {
        row.split("#")[0].strip()
        for language, text in BLOCKS
        for row in re.split(r"\n|;|&&", text)
        if language == "sh" and row.strip().startswith("sala ")
    }
)


def test_sala_starts_with_the_settings_of_the_page_and_not_with_one_less(tmp_path: Path) -> None:
    settings = read_settings(SETTINGS, tmp_path / "none")
    assert settings.public
    assert settings.takes is False
    for name in ("OPERATOR", "CONTACT", "LEGAL_BASIS", "IMPACT_ASSESSMENT", "KEY_FILE"):
        less = {key: value for key, value in SETTINGS.items() if key != f"SALA_{name}"}
        with pytest.raises(Unsafe):
            read_settings(less, tmp_path / "none")


@pytest.mark.parametrize("typed", COMMANDS)
def test_every_command_of_the_page_is_one(typed: str) -> None:
    words = shlex.split(typed)[1:]
    command: click.Command = main
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    known = {option for one in command.params for option in one.opts}
    assert {word for word in words if word.startswith("--")} <= known
    assert CliRunner().invoke(command, ["--help"]).exit_code == 0


def test_every_shell_block_can_be_read_by_a_shell() -> None:
    for text in (text for language, text in BLOCKS if language == "sh"):
        read = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False)
        assert read.returncode == 0, f"{read.stderr}\n{text}"


def test_caddy_and_the_page_agree_with_sala_on_where_it_listens() -> None:
    assert f"reverse_proxy {Settings().host}:{Settings().port} {{" in CADDY
    assert f"\n{SETTINGS['SALA_PUBLIC_URL'].removeprefix('https://')} {{" in CADDY


def test_caddy_ends_a_quiet_line_before_sala_does() -> None:
    assert number(r"\bkeepalive (\d+)s", CADDY) < QUIET


def test_caddy_lets_everything_through_that_a_door_takes() -> None:
    most = max(line.MOST, telegram.MOST, stopncii.MAX_BODY)
    assert number(r"max_size (\d+)MB", CADDY) * 1_000_000 >= most


def test_caddy_writes_down_nobody() -> None:
    _, site = CADDY.split("\nsala.example {")
    assert not re.search(r"^\s*log\b", site, re.MULTILINE)
    assert "exclude http.log.error http.handlers.reverse_proxy" in CADDY


def test_what_the_firewall_does_not_count_is_not_served() -> None:
    assert "protocols h1 h2\n" in CADDY
    assert "udp" not in FIREWALL


def test_every_number_that_the_page_names_is_told_and_every_number_is_named(
    tmp_path: Path,
) -> None:
    async def told() -> str:
        settings = read_settings({"SALA_DATA_DIR": str(tmp_path)}, tmp_path / "none")
        async with open_sala(settings) as sala:
            watch = Watch(
                sala.store, ["line"], lambda: True, list, lambda: True, lambda: True, sala.clock
            )
            state = await watch.state()
            return metrics.told(watching.gauges(watch, state)).decode()

    made = set(re.findall(r"^# TYPE (sala_\w+)", asyncio.run(told()), re.MULTILINE))
    page = (ROOT / "docs/deploy.md").read_text("utf-8")
    assert made == {*re.findall(r"\bsala_[a-z_]+", page)}


def test_the_unit_reads_the_settings_and_may_write_the_data_only() -> None:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.read_string(UNIT)
    service = unit["Service"]
    assert f"install -o root -g sala -m 640 .env.example {service['WorkingDirectory']}/.env" in (
        block("git clone")
    )
    assert f"/var/lib/{service['StateDirectory']}" == SETTINGS["SALA_DATA_DIR"]
    assert service["ProtectSystem"] == "strict"


def test_the_unit_lets_the_jail_lock_itself() -> None:
    """Debian 12's @system-service is without it: Sala with SALA_TRANSIENT=adults never started."""
    assert "\nSystemCallFilter=seccomp\n" in UNIT.partition("SystemCallFilter=~")[2]


def test_the_backup_of_the_page_holds_what_was_kept(tmp_path: Path) -> None:
    (row,) = [row for row in BACKUP.splitlines() if "sala backup" in row]
    environment = {"SALA_DATA_DIR": str(tmp_path / "data"), "DATABASE_URL": ""}
    assert CliRunner(env=environment).invoke(main, ["migrate"]).exit_code == 0
    words = shlex.split(row.replace("$copy", str(tmp_path / "copy")))
    assert words[0] == "/usr/local/bin/sala"
    assert CliRunner(env=environment).invoke(main, words[1:]).exit_code == 0
    Ended(tmp_path / "data/sala.db").add(datetime.now(UTC), bytes(16), 1, erased=True)
    assert list((tmp_path / "data").glob(re.findall(r"/var/lib/sala/(\S*ended\S*)", BACKUP)[0]))
    kept, copy = ((tmp_path / name).stat().st_size for name in ("data/sala.db", "copy"))
    assert kept == copy
