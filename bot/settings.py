"""Settings, read once from the environment and .env; secrets typed as secrets.

A combination that would put people at risk does not start: `Unsafe` says the reason and the mend.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, cast, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DULL: Final = "https://www.google.com/search?q=weather"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


Transient = Literal["off", "adults"]


class SettingsError(ValueError):
    """A setting that cannot be used. SettingsError > Unsafe."""


class Unsafe(SettingsError):
    """Settings that together would put people at risk."""


@dataclass(frozen=True, slots=True)
class LineSettings:
    """A LINE Official Account; `liff` and `login_channel` belong to its LINE Login channel."""

    secret: str = field(repr=False)
    token: str = field(repr=False)
    liff: str = ""
    login_channel: str = ""
    api: str = ""


@dataclass(frozen=True, slots=True)
class TelegramSettings:
    """A Telegram bot, by webhook or by long polling.

    `by_signature`: who opens the mini-app is believed by Telegram's signature, not by the token's.
    """

    token: str = field(repr=False)
    polling: bool = False
    api: str = ""
    by_signature: bool = False

    @property
    def bot_id(self) -> int:
        """The bot's own number, which its token begins with."""
        return int(self.token.partition(":")[0])


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Somebody else's list, or look-up: the keys that an agreement gives, in the order of the
    settings. With any of them `missing` it is off."""

    keys: tuple[str, ...] = field(repr=False)
    address: str
    missing: tuple[str, ...] = ()


STOPNCII: Final = "https://api.stopncii.org/v1"
NCMEC: Final = "https://hashsharing.ncmec.org/npo"
SHIELD: Final = "https://shield.projectarachnid.com"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator decided. Every field is a line of .env.example."""

    host: str = "127.0.0.1"
    port: int = 8080
    data_dir: Path = Path("data")
    public_url: str = "http://127.0.0.1:8080"
    key_file: Path = Path("data/keys")
    own_keys: bool = False
    exit_url: str = DULL
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Bangkok"))
    operator: str = ""
    contact: str = ""
    legal_basis: str = ""
    impact_assessment: str = ""
    retention_months: int = 24
    late_seconds: int = 15
    """Who is not answered within these is shown the help card."""
    transient: Transient | None = None
    line: "LineSettings | None" = None
    telegram: "TelegramSettings | None" = None
    stopncii: ServiceSettings | None = None
    ncmec: ServiceSettings | None = None
    shield: ServiceSettings | None = None
    metrics_token: str = field(default="", repr=False)
    postgres: str = field(default="", repr=False)
    """The address of a PostgreSQL database, its password among it; empty for SQLite."""

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.data_dir / "sala.db"

    @property
    def takes(self) -> bool:
        """Whether a picture of an adult may be taken from a chat (C16).

        Where people can come in, by a public address or a real account that is polled, only when
        it is switched on; on this machine alone unless it is switched off.
        """
        if self.transient is not None:
            return self.transient == "adults"
        real = any(app is not None and not app.api for app in (self.line, self.telegram))
        return not self.public and not real

    @property
    def public(self) -> bool:
        """Whether others than this machine can reach Sala."""
        return urlsplit(self.public_url).hostname not in LOOPBACK


def read_settings(
    environ: Mapping[str, str] | None = None, env_file: Path = Path(".env")
) -> Settings:
    """Settings from the environment, over those of .env; SettingsError when they cannot be used."""
    given = dict(_read_env_file(env_file)) | dict(os.environ if environ is None else environ)
    said = {name: value for name, value in given.items() if value}
    settings = _settings(said)
    _refuse_unsafe(settings)
    return settings


def _settings(said: Mapping[str, str]) -> Settings:
    data_dir = Path(said.get("SALA_DATA_DIR", "data"))
    port = _number(said, "SALA_PORT", 8080, 0, 65535)
    postgres = said.get("DATABASE_URL", "")
    if postgres and not postgres.startswith(("postgresql://", "postgres://")):
        raise SettingsError(
            "DATABASE_URL is a postgresql:// address, or empty for the built-in SQLite."
        )
    return Settings(
        host=said.get("SALA_HOST", "127.0.0.1"),
        port=port,
        data_dir=data_dir,
        public_url=_address(said, "SALA_PUBLIC_URL", f"http://127.0.0.1:{port}"),
        key_file=Path(said.get("SALA_KEY_FILE", data_dir / "keys")),
        own_keys="SALA_KEY_FILE" in said,
        exit_url=said.get("SALA_EXIT_URL", DULL),
        zone=_zone(said.get("SALA_TIMEZONE", "Asia/Bangkok")),
        operator=said.get("SALA_OPERATOR", ""),
        contact=said.get("SALA_CONTACT", ""),
        legal_basis=said.get("SALA_LEGAL_BASIS", ""),
        impact_assessment=said.get("SALA_IMPACT_ASSESSMENT", ""),
        retention_months=_number(said, "SALA_RETENTION_MONTHS", 24, 1, 120),
        late_seconds=_number(said, "SALA_LATE_SECONDS", 15, 1, 120),
        line=_line(said),
        telegram=_telegram(said),
        metrics_token=_metrics_token(said),
        postgres=postgres,
        transient=_transient(said),
        stopncii=_service(
            said,
            "SALA_STOPNCII_URL",
            STOPNCII,
            "SALA_STOPNCII_SUBSCRIPTION_KEY",
            "SALA_STOPNCII_FETCH_KEY",
            "SALA_STOPNCII_SUBMIT_KEY",
        ),
        ncmec=_service(said, "SALA_NCMEC_URL", NCMEC, "SALA_NCMEC_USER", "SALA_NCMEC_PASSWORD"),
        shield=_service(
            said, "SALA_SHIELD_URL", SHIELD, "SALA_SHIELD_USER", "SALA_SHIELD_PASSWORD"
        ),
    )


def _transient(said: Mapping[str, str]) -> Transient | None:
    """There is no value that takes an image of someone under 18."""
    chosen = said.get("SALA_TRANSIENT")
    if chosen is None:
        return None
    if chosen not in get_args(Transient):
        raise SettingsError("SALA_TRANSIENT is off or adults.")
    return cast(Transient, chosen)


def _metrics_token(said: Mapping[str, str]) -> str:
    token = said.get("SALA_METRICS_TOKEN", "")
    if token and not re.fullmatch(r"[!-~]{32,200}", token):
        raise SettingsError(
            "SALA_METRICS_TOKEN is 32 characters or more, such as: openssl rand -hex 32"
        )
    return token


def _line(said: Mapping[str, str]) -> LineSettings | None:
    secret, token = said.get("SALA_LINE_SECRET", ""), said.get("SALA_LINE_TOKEN", "")
    if not secret and not token:
        return None
    if not (secret and token):
        raise SettingsError("LINE needs both SALA_LINE_SECRET and SALA_LINE_TOKEN.")
    liff, login = said.get("SALA_LINE_LIFF", ""), said.get("SALA_LINE_LOGIN_CHANNEL", "")
    if bool(liff) != bool(login):
        raise SettingsError("LIFF needs both SALA_LINE_LIFF and SALA_LINE_LOGIN_CHANNEL.")
    return LineSettings(secret, token, liff, login, _loopback(said, "SALA_LINE_API"))


def _telegram(said: Mapping[str, str]) -> TelegramSettings | None:
    way, token = said.get("SALA_TELEGRAM", "webhook"), said.get("SALA_TELEGRAM_TOKEN", "")
    if way not in {"webhook", "polling"}:
        raise SettingsError("SALA_TELEGRAM is webhook or polling.")
    proof = said.get("SALA_TELEGRAM_PROOF", "token")
    if proof not in {"token", "signature"}:
        raise SettingsError("SALA_TELEGRAM_PROOF is token or signature.")
    if not token:
        return None
    if proof == "signature" and not re.match("[0-9]{1,20}:", token):
        raise SettingsError("SALA_TELEGRAM_TOKEN does not begin with the bot's number and a colon.")
    api = _loopback(said, "SALA_TELEGRAM_API")
    return TelegramSettings(token, way == "polling", api, proof == "signature")


def _service(
    said: Mapping[str, str], url: str, default: str, *names: str
) -> ServiceSettings | None:
    """None with nothing set. Half of it stops nobody from being helped: `sala doctor` says so."""
    address = _address(said, url, default)
    if not address.startswith("https://") and urlsplit(address).hostname not in LOOPBACK:
        raise Unsafe(f"{url} must begin with https://.")
    keys = tuple(said.get(one, "") for one in names)
    missing = tuple(one for one in names if not said.get(one))
    return ServiceSettings(keys, address, missing) if any(keys) else None


def _address(said: Mapping[str, str], name: str, default: str = "") -> str:
    address = said.get(name, default).rstrip("/")
    try:
        urlsplit(address)
    except ValueError:
        raise SettingsError(f"{name} is no web address.") from None
    return address


def _loopback(said: Mapping[str, str], name: str) -> str:
    """Another base address for a platform's API, which may only be this machine."""
    address = _address(said, name)
    if address and urlsplit(address).hostname not in LOOPBACK:
        raise Unsafe(f"{name} is for tests on this machine: leave it empty for the real platform.")
    return address


def _refuse_unsafe(settings: Settings) -> None:
    if not settings.public:
        if settings.host not in LOOPBACK:
            raise Unsafe(
                "SALA_HOST opens Sala to the network but SALA_PUBLIC_URL is this machine's own "
                "address. Set SALA_PUBLIC_URL to the https address people use, or SALA_HOST to "
                "127.0.0.1."
            )
        return
    if not settings.public_url.startswith("https://"):
        raise Unsafe("SALA_PUBLIC_URL must begin with https:// on a public address.")
    if not settings.own_keys:
        raise Unsafe(
            "A public address needs keys of its own: run `sala keys FILE`, keep a copy offline, "
            "and set SALA_KEY_FILE to that file."
        )
    missing = [name for name, value in _records(settings).items() if not value]
    if missing:
        raise Unsafe(
            "Before people are let in, record who answers for their data: set "
            + ", ".join(missing)
            + "."
        )


def _records(settings: Settings) -> dict[str, str]:
    return {
        "SALA_OPERATOR": settings.operator,
        "SALA_CONTACT": settings.contact,
        "SALA_LEGAL_BASIS": settings.legal_basis,
        "SALA_IMPACT_ASSESSMENT": settings.impact_assessment,
    }


def _number(said: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    try:
        value = int(said.get(name, default))
    except ValueError:
        raise SettingsError(f"{name} must be a whole number.") from None
    if not low <= value <= high:
        raise SettingsError(f"{name} must be from {low} to {high}.")
    return value


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError("SALA_TIMEZONE is no known time zone, such as Asia/Bangkok.") from None


def _read_env_file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    lines = (line.strip() for line in path.read_text("utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}
