"""What a file is before it is opened: a video or not, by its first bytes, and its two digests."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bot.cases.hashes import FILE_VARIANT, Hash

_STILL_BRANDS: Final = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")
)
_MOVIE_ATOMS: Final = frozenset((b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"))
_MATROSKA: Final = b"\x1aE\xdf\xa3"
PROOF: Final = Path(__file__).with_name("proof.mp4")
"""By which the jail is proved: two seconds of a generated pattern (ffmpeg's `mandelbrot`)."""


def is_video(head: bytes) -> bool:
    """Whether a file's first 12 bytes are those of MP4, MOV, 3GP, WebM or Matroska."""
    if is_matroska(head):
        return True
    atom, brand = head[4:8], head[8:12]
    return atom in _MOVIE_ATOMS or (atom == b"ftyp" and brand not in _STILL_BRANDS)


def is_matroska(head: bytes) -> bool:
    """Whether they are those of WebM or Matroska."""
    return head.startswith(_MATROSKA)


def digests(pieces: Iterable[bytes]) -> tuple[Hash, ...]:
    """MD5 and SHA-256 of a file that comes in pieces."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    for piece in pieces:
        md5.update(piece)
        sha256.update(piece)
    return (
        Hash("md5", FILE_VARIANT, md5.hexdigest()),
        Hash("sha256", FILE_VARIANT, sha256.hexdigest()),
    )
