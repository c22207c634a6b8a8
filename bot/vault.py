"""Keys: seals what is kept, names what is looked up, makes what is random.

Imports `cryptography`, alone. A stolen disk, dump or backup is protected; a running server is not.

VaultError > BadKeys (not a key file), OpenToOthers (others may read it), Unopened (not ours)
"""

import hmac
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
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
    """A ring of seal keys (the first seals, all open) and one pepper, which never changes.

    With a key file, `file` is looked at again when something was sealed with a key that is not in
    the ring: `sala rotate` may have put one there since.
    """

    def __init__(
        self, seals: Mapping[bytes, bytes], pepper: bytes, file: Path | None = None
    ) -> None:
        self._file = file
        self._pepper = pepper
        self._mac = hmac.new(pepper, digestmod="sha256")
        self._nonces: list[bytes] = []
        self._take(seals)

    def _take(self, seals: Mapping[bytes, bytes]) -> None:
        """Others seal and open meanwhile: a key is there before it is first."""
        self._ciphers = {name: AESGCMSIV(key) for name, key in seals.items()}
        self._first = next(iter(seals))
        self._seals = dict(seals)

    @classmethod
    def generate(cls) -> "Vault":
        """A vault of new random keys."""
        return cls({secrets.token_bytes(_ID): secrets.token_bytes(_KEY)}, secrets.token_bytes(_KEY))

    @classmethod
    def from_keys(cls, text: str, file: Path | None = None) -> "Vault":
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
        return cls(seals, peppers[0], file)

    def to_keys(self) -> str:
        """The keys as a file: `seal ID KEY` lines, the sealing one first, and one `pepper KEY`."""
        lines = [f"seal {_shown(name)} {_shown(key)}\n" for name, key in self._seals.items()]
        return "".join([_TITLE, *lines, f"pepper {_shown(self._pepper)}\n"])

    @property
    def former(self) -> bool:
        """Whether there are keys that open and do not seal."""
        return len(self._seals) > 1

    @property
    def head(self) -> bytes:
        """What everything begins with that is sealed now."""
        return _FORM + self._first

    def with_new_key(self) -> "Vault":
        """The ring with a new random key first."""
        new = {secrets.token_bytes(_ID): secrets.token_bytes(_KEY)}
        return Vault(new | self._seals, self._pepper)

    def without_former(self) -> "Vault":
        """The ring of the first key alone."""
        return Vault({self._first: self._seals[self._first]}, self._pepper)

    def seal(self, place: str, plain: bytes) -> bytes:
        """`plain` under AES-256-GCM-SIV, opened only for the same place (`table.column|row`)."""
        nonce, first = self._nonce(), self._first  # read once: another may become first meanwhile
        sealed = self._ciphers[first].encrypt(nonce, plain, _DOMAIN + place.encode())
        return _FORM + first + nonce + sealed

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
        name = sealed[len(_FORM) : _HEAD]
        cipher = self._ciphers.get(name) or self._cipher_since(name)
        if sealed[: len(_FORM)] != _FORM or cipher is None:
            raise Unopened("Sealed with a key that is not in the ring.")
        nonce, body = sealed[_HEAD : _HEAD + _NONCE], sealed[_HEAD + _NONCE :]
        try:
            return cipher.decrypt(nonce, body, _DOMAIN + place.encode())
        except (InvalidTag, ValueError):
            raise Unopened("Changed, or sealed for another place.") from None

    def _cipher_since(self, name: bytes) -> AESGCMSIV | None:
        """Of a key that came into the key file since; from then on its first key seals here."""
        try:
            there = Vault.from_keys(self._file.read_text("ascii")) if self._file else self
        except (BadKeys, OSError, UnicodeDecodeError):
            return None
        if name not in there._seals or there._pepper != self._pepper:
            return None
        self._take(there._seals | self._seals)
        return self._ciphers.get(name)

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
        text = Vault.generate().to_keys()
        if _write_new(path, text):
            return Vault.from_keys(text, path), True
    if path.stat().st_mode & 0o077:
        raise OpenToOthers(f"{path} can be read by others. Mend it with: chmod 600 {path}")
    return Vault.from_keys(path.read_text("ascii", errors="replace"), path), False


@contextmanager
def turning(path: Path) -> Iterator[Path]:
    """The key file itself, while nobody else changes it; BadKeys when somebody does."""
    path = path.resolve()
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        try:
            flock(handle, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise BadKeys("The key file is being changed by another command.") from None
        yield path
    finally:
        os.close(handle)


def replace_keys(path: Path, vault: Vault) -> None:
    """Put this ring into the key file, durably and whole or not at all; its owner stays."""
    owner = path.stat()
    draft = _draft(path)
    try:
        _write(draft, vault.to_keys())
        if owner.st_uid != draft.stat().st_uid:
            os.chown(draft, owner.st_uid, owner.st_gid)
        draft.replace(path)
        sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _write_new(path: Path, text: str) -> bool:
    """Whether this process was the one to make the file; linking never replaces another's."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = _draft(path)
    try:
        _write(draft, text)
        os.link(draft, path)
        sync(path.parent)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def _write(draft: Path, text: str) -> None:
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Have what a file or folder holds on the disk before going on."""
    handle = os.open(path, os.O_RDONLY)
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
