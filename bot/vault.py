"""Keys: seals what is kept, names what is looked up, makes what is random.

Imports `cryptography`, alone. A stolen disk, dump or backup is protected; a running server is not.

VaultError > BadKeys (not a key file), OpenToOthers (others may read it), Unopened (not ours)
"""

import hmac
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import scrypt
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

_FORM: Final = b"\x01"
_ID: Final = 4
_NONCE: Final = 12
_DRAWN: Final = 256
"""Nonces drawn at once."""
_KEY: Final = 32
_HEAD: Final = len(_FORM) + _ID
_DOMAIN: Final = b"sala.v1|"
_TITLE: Final = "# Keys of Sala. Without them nothing kept can be read. First seals, all open.\n"


class VaultError(Exception):
    """The vault's error tree. Never carries what was sealed."""


class BadKeys(VaultError):
    """The text is not a key file."""


class OpenToOthers(VaultError):
    """The key file may be read by other users of the machine."""


class Unopened(VaultError):
    """Sealed with keys that are not here, for another place, or changed since."""


def signed_by(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the holder of this Ed25519 key (32 bytes, raw) signed these very bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


class Vault:
    """A ring of seal keys (the first seals, all open) and one pepper, which never changes."""

    def __init__(self, seals: Mapping[bytes, bytes], pepper: bytes) -> None:
        self._seals = dict(seals)
        self._pepper = pepper
        self._mac = hmac.new(pepper, digestmod="sha256")
        self._ciphers = {name: AESGCMSIV(key) for name, key in seals.items()}
        self._first = next(iter(seals))
        self._nonces: list[bytes] = []

    @classmethod
    def generate(cls) -> "Vault":
        """A vault of new random keys."""
        return cls({secrets.token_bytes(_ID): secrets.token_bytes(_KEY)}, secrets.token_bytes(_KEY))

    @classmethod
    def from_keys(cls, text: str) -> "Vault":
        """The vault whose `to_keys` this is; BadKeys, which quotes nothing, when it is not one."""
        seals: dict[bytes, bytes] = {}
        peppers: list[bytes] = []
        for line in text.splitlines():
            match line.partition("#")[0].split():
                case []:
                    continue
                case ["seal", name, key]:
                    seals[_raw(name, _ID)] = _raw(key, _KEY)
                case ["pepper", key]:
                    peppers.append(_raw(key, _KEY))
                case _:
                    raise BadKeys("A line is neither a seal nor a pepper.")
        if not seals or len(peppers) != 1:
            raise BadKeys("There must be at least one seal and exactly one pepper.")
        return cls(seals, peppers[0])

    def to_keys(self) -> str:
        """The keys as a file: `seal ID KEY` lines, the sealing one first, and one `pepper KEY`."""
        lines = [f"seal {_shown(name)} {_shown(key)}\n" for name, key in self._seals.items()]
        return "".join([_TITLE, *lines, f"pepper {_shown(self._pepper)}\n"])

    def seal(self, place: str, plain: bytes) -> bytes:
        """`plain` under AES-256-GCM-SIV, opened only for the same place (`table.column|row`)."""
        nonce = self._nonce()
        sealed = self._ciphers[self._first].encrypt(nonce, plain, _DOMAIN + place.encode())
        return _FORM + self._first + nonce + sealed

    def _nonce(self) -> bytes:
        """One of many drawn at once: each draw lets other threads in, and waits to come back."""
        try:
            return self._nonces.pop()
        except IndexError:
            many = secrets.token_bytes(_NONCE * _DRAWN)
            self._nonces += [many[at : at + _NONCE] for at in range(_NONCE, len(many), _NONCE)]
            return many[:_NONCE]

    def open(self, place: str, sealed: bytes) -> bytes:
        """What was sealed for this place; Unopened for anything else."""
        cipher = self._ciphers.get(sealed[len(_FORM) : _HEAD])
        if sealed[: len(_FORM)] != _FORM or cipher is None:
            raise Unopened("Sealed with a key that is not in the ring.")
        nonce, body = sealed[_HEAD : _HEAD + _NONCE], sealed[_HEAD + _NONCE :]
        try:
            return cipher.decrypt(nonce, body, _DOMAIN + place.encode())
        except (InvalidTag, ValueError):
            raise Unopened("Changed, or sealed for another place.") from None

    def digest(self, purpose: str, *parts: bytes) -> bytes:
        """16 bytes that name these parts for this purpose, to those who hold the pepper alone."""
        return self._keyed(b"digest", purpose, parts)[:16]

    def token(self, purpose: str, *parts: bytes) -> bytes:
        """32 bytes derived from these parts for this purpose; unrelated to their digest."""
        return self._keyed(b"token", purpose, parts)

    def _keyed(self, use: bytes, purpose: str, parts: tuple[bytes, ...]) -> bytes:
        framed = [len(part).to_bytes(8, "big") + part for part in (use, purpose.encode(), *parts)]
        mac = self._mac.copy()
        mac.update(b"".join(framed))
        return mac.digest()

    def randoms(self, n: int) -> bytes:
        """`n` random bytes."""
        return secrets.token_bytes(n)

    def stretch(self, secret: bytes, salt: bytes) -> bytes:
        """32 bytes of scrypt (n=2**14, r=8, p=1): some 40 ms and 16 MB, not for the event loop."""
        return scrypt(secret, salt=salt, n=2**14, r=8, p=1, dklen=32)

    def same(self, a: bytes, b: bytes) -> bool:
        """Whether they are equal, found out in constant time."""
        return hmac.compare_digest(a, b)


def load_or_make(path: Path) -> tuple[Vault, bool]:
    """The vault kept at `path`, and whether it was made just now (mode 0600, never in part)."""
    if not path.exists():
        vault = Vault.generate()
        if _write_new(path, vault.to_keys()):
            return vault, True
    if path.stat().st_mode & 0o077:
        raise OpenToOthers(f"{path} can be read by others. Mend it with: chmod 600 {path}")
    return Vault.from_keys(path.read_text("ascii", errors="replace")), False


def _write_new(path: Path, text: str) -> bool:
    """Whether this process was the one to make the file; linking never replaces another's."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
        _sync_folder(path.parent)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _shown(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode()


def _raw(shown: str, size: int) -> bytes:
    try:
        raw = urlsafe_b64decode(shown)
    except ValueError:
        raise BadKeys("A key is not base64.") from None
    if len(raw) != size:
        raise BadKeys("A key is not of the right length.")
    return raw
