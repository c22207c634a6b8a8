"""Settings: the defaults, what refuses to start, and that all of them are written down."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from bot.settings import Settings, SettingsError, Unsafe, read_settings

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / ".env.example"
READS = re.compile(r"os\.environ|getenv")
NOWHERE = Path("no such file")
PUBLIC = {
    "SALA_PUBLIC_URL": "https://sala.example",
    "SALA_KEY_FILE": "/keys/sala",
    "SALA_OPERATOR": "A charity",
    "SALA_CONTACT": "help@sala.example",
    "SALA_LEGAL_BASIS": "consent",
    "SALA_IMPACT_ASSESSMENT": "cabinet 4",
}


def read(**said: str) -> Settings:
    return read_settings(said, NOWHERE)


def test_with_nothing_said_only_this_machine_is_served() -> None:
    settings = read()
    assert settings == Settings()
    assert not settings.public
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.database == Path("data/sala.db")
    assert settings.line is settings.telegram is None


def test_the_address_follows_the_port_and_the_keys_follow_the_folder() -> None:
    settings = read(SALA_PORT="9", SALA_DATA_DIR="/srv/sala")
    assert settings.public_url == "http://127.0.0.1:9"
    assert settings.key_file == Path("/srv/sala/keys")
    assert not settings.own_keys


def test_an_empty_setting_counts_as_unset() -> None:
    names = re.findall(r"^(\w+)=", EXAMPLE.read_text("utf-8"), re.MULTILINE)
    assert read(**dict.fromkeys(names, "")) == read()


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# a remark\n\nSALA_PORT = 9000\nSALA_OPERATOR='Ñandú & Co'\nnonsense\n", "utf-8"
    )
    assert read_settings({}, file).port == 9000
    assert read_settings({}, file).operator == "Ñandú & Co"
    assert read_settings({"SALA_PORT": "9001"}, file).port == 9001


def test_the_example_as_it_is_means_the_defaults() -> None:
    assert read_settings({}, EXAMPLE) == read()


def test_every_setting_is_a_line_of_the_example_and_every_line_a_setting() -> None:
    source = (ROOT / "bot" / "settings.py").read_text("utf-8")
    read_here = set(re.findall(r'"((?:SALA|DATABASE)(?:_[A-Z]+)+)"', source))
    lines = re.findall(r"^(\w+)=", EXAMPLE.read_text("utf-8"), re.MULTILINE)
    assert len(lines) == len({*lines})
    assert read_here == {*lines}


def test_every_line_of_the_example_is_explained_above_it() -> None:
    lines = EXAMPLE.read_text("utf-8").splitlines()
    above = [before for before, line in pairwise(lines) if "SALA_" in line[:5]]
    assert above
    assert all(before.startswith(("# ", "SALA_")) for before in above)


def test_nothing_else_reads_the_environment() -> None:
    reading = [p for p in (ROOT / "bot").rglob("*.py") if READS.search(p.read_text("utf-8"))]
    assert [path.name for path in reading] == ["settings.py"]


def test_secrets_are_not_in_what_is_printed() -> None:
    settings = read(SALA_LINE_SECRET="s3cret", SALA_LINE_TOKEN="t0ken", SALA_TELEGRAM_TOKEN="b0t",
                    SALA_METRICS_TOKEN="m" * 32)  # fmt: skip
    secrets = ("s3cret", "t0ken", "b0t", "mmm")
    assert not any(secret in repr(settings) for secret in secrets)


def test_c16_pictures_are_taken_on_this_machine_alone_unless_somebody_says_so() -> None:
    assert read().takes
    assert read(SALA_TRANSIENT="adults").takes
    assert not read(SALA_TRANSIENT="off").takes
    assert not read(**PUBLIC).takes
    assert not read(**PUBLIC, SALA_TRANSIENT="off").takes
    assert read(**PUBLIC, SALA_TRANSIENT="adults").takes


def test_c16_a_real_account_lets_people_in_without_a_public_address() -> None:
    real = {"SALA_TELEGRAM_TOKEN": "b", "SALA_TELEGRAM": "polling"}
    assert not read(**real).takes
    assert read(**real, SALA_TELEGRAM_API="http://127.0.0.1:9").takes
    assert read(**real, SALA_TRANSIENT="adults").takes
    assert not read(SALA_LINE_SECRET="s", SALA_LINE_TOKEN="t").takes


@pytest.mark.parametrize("value", ["minors", "both", "all", "on", "under18", "adults,minors"])
def test_c16_no_setting_takes_pictures_of_under_18s(value: str) -> None:
    with pytest.raises(SettingsError, match="SALA_TRANSIENT is off or adults"):
        read(SALA_TRANSIENT=value)


# ---------------------------------------------------------------- what is refused


def test_a_public_address_with_all_that_is_needed_starts() -> None:
    assert read(**PUBLIC).public


@pytest.mark.parametrize(
    ("change", "mend"),
    [
        ({"SALA_PUBLIC_URL": "http://sala.example"}, "https://"),
        ({"SALA_PUBLIC_URL": "sala.example"}, "https://"),
        ({"SALA_KEY_FILE": ""}, "sala keys FILE"),
        ({"SALA_OPERATOR": ""}, "set SALA_OPERATOR."),
        ({"SALA_CONTACT": ""}, "set SALA_CONTACT."),
        ({"SALA_LEGAL_BASIS": ""}, "set SALA_LEGAL_BASIS."),
        ({"SALA_IMPACT_ASSESSMENT": ""}, "set SALA_IMPACT_ASSESSMENT."),
        ({"SALA_LINE_API": "https://api.example"}, "leave it empty"),
        ({"SALA_TELEGRAM_API": "https://api.example"}, "leave it empty"),
    ],
)
def test_an_unsafe_combination_is_refused_with_its_mend(change: dict[str, str], mend: str) -> None:
    tokens = {"SALA_LINE_SECRET": "s", "SALA_LINE_TOKEN": "t", "SALA_TELEGRAM_TOKEN": "b"}
    with pytest.raises(Unsafe) as refused:
        read(**(PUBLIC | tokens | change))
    assert mend in str(refused.value)


def test_open_to_the_network_without_a_public_address_is_refused() -> None:
    with pytest.raises(Unsafe, match="Set SALA_PUBLIC_URL"):
        read(SALA_HOST="0.0.0.0")


def test_all_missing_records_are_named_at_once() -> None:
    bare = {name: PUBLIC[name] for name in ("SALA_PUBLIC_URL", "SALA_KEY_FILE")}
    with pytest.raises(Unsafe) as refused:
        read(**bare)
    assert all(name in str(refused.value) for name in PUBLIC.keys() - bare.keys())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("SALA_PORT", value) for value in ("x", "-1", "65536", "8080.5")],
        *[("SALA_RETENTION_MONTHS", value) for value in ("0", "121", "two")],
        *[("SALA_TIMEZONE", value) for value in ("Mars/Base", "../etc/passwd", "/etc", "Asia")],
        ("SALA_PUBLIC_URL", "https://[::1"),
        ("DATABASE_URL", "mysql://sala@db/sala"),
        *[("SALA_METRICS_TOKEN", value) for value in ("short", "a b" * 20, "é" * 40)],
        ("SALA_TELEGRAM", "carrier pigeon"),
        ("SALA_TELEGRAM_PROOF", "trust"),
        ("SALA_LINE_SECRET", "alone"),
        ("SALA_LINE_TOKEN", "alone"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read(**{name: value})


def test_telegrams_signature_is_checked_for_the_bot_that_the_token_names() -> None:
    signed = {"SALA_TELEGRAM_PROOF": "signature"}
    telegram = read(SALA_TELEGRAM_TOKEN="110201543:AAH", **signed).telegram
    assert telegram
    assert (telegram.by_signature, telegram.bot_id) == (True, 110201543)
    with pytest.raises(SettingsError, match="SALA_TELEGRAM_TOKEN"):
        read(SALA_TELEGRAM_TOKEN="b0t", **signed)


def test_half_a_mini_app_in_line_is_refused() -> None:
    with pytest.raises(SettingsError, match="SALA_LINE_LOGIN_CHANNEL"):
        read(SALA_LINE_SECRET="s", SALA_LINE_TOKEN="t", SALA_LINE_LIFF="1-a")
