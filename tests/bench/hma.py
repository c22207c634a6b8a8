"""Meta's unmodified HMA beside PostgreSQL, fed by a `sala run` through `tx_sala.py`: not in CI,
because HMA is had from its repository alone. Run

    python -m tests.bench.hma PYTHON FOLDER

with the Python of an environment in which HMA's dependencies are installed (psycopg2, flask…) and
the `src` folder of hasher-matcher-actioner. PostgreSQL's `initdb` and `pg_ctl` must be found.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

from PIL import ImageOps

from tests.serving import clean_environment, free_port, served
from tests.test_exchange_tx import encoded, garden, registers, until_withdrawn
from tests.visiting import Visitor

CONFIG = """
import tx_sala
from OpenMediaMatch.storage.postgres.impl import DefaultOMMStore
from threatexchange.content_type.photo import PhotoContent
from threatexchange.signal_type.pdq.signal import PdqSignal
DATABASE_URI = "postgresql+psycopg2://postgres@/postgres?host={socket}&port={port}"
PRODUCTION = False
ROLE_HASHER = ROLE_MATCHER = ROLE_CURATOR = True
UI_ENABLED = TASK_FETCHER = TASK_INDEXER = TASK_INDEX_CACHE = False
STORAGE_IFACE_INSTANCE = DefaultOMMStore(
    signal_types=[PdqSignal, tx_sala.PdqTurnedSignal], content_types=[PhotoContent],
    exchange_types=[tx_sala.SalaSignalExchangeAPI],
)
"""
ASK = """
import json, sys
from OpenMediaMatch.app import create_app
client = create_app().test_client()
for verb, path, body in json.load(sys.stdin):
    answer = client.open(path, method=verb, json=body)
    print(json.dumps([answer.status_code, answer.get_json(silent=True)]))
"""


@contextmanager
def postgres(folder: Path) -> Iterator[int]:
    """A server of its own until the block ends; its port."""
    folder.chmod(0o777)
    data, port = folder / "pg", free_port()

    def run(*words: object) -> None:
        user = "postgres" if os.getuid() == 0 else None
        subprocess.run([*words], check=True, stdout=subprocess.DEVNULL, user=user)

    run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N")
    begin = f"-p {port} -k {folder} -c listen_addresses="
    run("pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", begin, "start")
    try:
        yield port
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")


class Hma:
    """HMA's own code, by its command line and its API."""

    def __init__(self, python: str, source: Path, folder: Path, port: int) -> None:
        self.python, self.source = python, source
        config = folder / "omm.py"
        config.write_text(CONFIG.format(socket=folder, port=port))
        self.environment = clean_environment(folder) | {
            "OMM_CONFIG": str(config), "PYTHONPATH": f"{folder}:{source}", "HOME": str(folder),
        }  # fmt: skip
        self.flask("db", "upgrade", "--directory", f"{source}/OpenMediaMatch/migrations",
                   MIGRATION_COMMAND="1")  # fmt: skip

    def flask(self, *words: str, **more: str) -> None:
        command = [self.python, "-m", "flask", "--app", "OpenMediaMatch.app", *words]
        done = subprocess.run(
            command, env=self.environment | more, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]

    def ask(self, *asked: tuple[str, str, object]) -> list[tuple[int, object]]:
        done = subprocess.run(
            [self.python, "-c", ASK], input=json.dumps(asked), env=self.environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return [tuple(json.loads(line)) for line in done.stdout.splitlines() if line[0] == "["]

    def matches(self, name: str, picture: bytes) -> dict[str, object]:
        """What a look-up of a picture finds, by signal type; hashed by HMA's own classes."""
        hashes = self.hashes(picture)
        asked = [
            ("GET", f"/m/raw_lookup?signal={quote(value)}&signal_type={kind}&include_distance=true",
             None) for kind, value in hashes.items()
        ]  # fmt: skip
        found = {kind: answer for kind, (_, answer) in zip(hashes, self.ask(*asked), strict=True)}
        print(f"  {name}: {found}")
        return {kind: one["matches"] for kind, one in found.items()}

    def hashes(self, picture: bytes) -> dict[str, str]:
        code = (
            "import sys, json, tx_sala; from threatexchange.signal_type.pdq.signal import PdqSignal"
            "; b = sys.stdin.buffer.read(); print(json.dumps({c.get_name(): c.hash_from_bytes(b)"
            " for c in (PdqSignal, tx_sala.PdqTurnedSignal)}))"
        )
        done = subprocess.run(
            [self.python, "-c", code], input=picture, env=self.environment, check=True,
            capture_output=True,
        )  # fmt: skip
        return json.loads(done.stdout)


def walk(python: str, source: Path, folder: Path) -> None:
    (folder / "sala").mkdir()
    with served(folder / "sala") as sala, postgres(folder) as port:
        keys = json.loads(sala.command("partner", "add", "Hma", "--list", "adults", "--json"))
        with urlopen(f"{sala.url}/exchange/tx_sala.py") as file:
            (folder / "tx_sala.py").write_bytes(file.read())
        url = f"{sala.url}/exchange/v1"
        hma = Hma(python, source, folder, port)
        names = ("fetch_key", "subscription_key", "feedback_key")
        line = ",".join([url, *(keys[name] for name in names)])
        print("set up:", hma.ask(
            ("POST", "/c/exchanges/api/sala", {"credential_json": {"keys": line}}),
            ("POST", "/c/exchanges", {"bank": "SALA", "api": "sala", "api_json": {"url": url}}),
        ))  # fmt: skip
        for seed in (5, 1):
            visitor = Visitor(sala.url)
            with visitor.page() as page:
                made = registers(visitor, page, encoded(garden(seed), "PNG"))
        hma.flask("fetch")
        hma.flask("build_indices")
        copy = encoded(garden(1).resize((640, 480)), quality=60)
        mirror = encoded(ImageOps.mirror(garden(1)), quality=80)
        assert hma.matches("a smaller copy", copy)["pdq"]
        found = hma.matches("a mirrored copy", mirror)
        assert found["pdq_turned"]
        assert not found["pdq"]
        assert not any(hma.matches("another picture", encoded(garden(2))).values())
        with visitor.page() as page:
            visitor.says("withdraw my case")
            page.until("PIN")
            visitor.says(f"{made['case']} {made['pin']}")
            page.until("withdrawn")
        until_withdrawn(sala, made["case"])
        hma.flask("fetch")
        hma.flask("build_indices")
        assert not any(hma.matches("the copy, after its withdrawal", copy).values())
        print("HMA fetched, matched, and let go.")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        walk(sys.argv[1], Path(sys.argv[2]).absolute(), Path(name))
