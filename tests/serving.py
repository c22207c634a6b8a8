"""A real `sala run` in a process of its own, on a free port and a folder of its own."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from threatexchange.exchanges.clients.stopncii.api import StopNCIIAPI, StopNCIIEndpoint

SALA = (sys.executable, "-m", "bot")


def clean_environment(folder: Path, **more: str) -> dict[str, str]:
    """This environment without settings and proxies, with Sala's data in a folder."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SALA_", "COV_")) and not name.lower().endswith("_proxy")
    }
    return kept | {"SALA_DATA_DIR": str(folder), "PYTHONUTF8": "1"} | more


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as line:
        return int(line.getsockname()[1])


@dataclass
class Served:
    """A Sala that is open."""

    process: "subprocess.Popen[str]"
    url: str
    environment: dict[str, str]
    printed: list[str]

    def command(self, *words: str) -> str:
        """What `sala …` prints beside the running server."""
        done = subprocess.run(
            [*SALA, *words], env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    def partner(self, name: str, lists: str) -> StopNCIIAPI:
        """The unmodified client of a new partner."""
        keys = json.loads(self.command("partner", "add", name, "--list", lists, "--json"))
        return StopNCIIAPI(
            subscription_key=keys["subscription_key"],
            fetch_function_key=keys["fetch_key"],
            additional_function_keys={StopNCIIEndpoint.SubmitFeedback: keys["feedback_key"]},
            base_url_override=f"{self.url}/exchange/v1",
        )


@contextmanager
def served(folder: Path, *under: str, part: str = "", **settings: str) -> Iterator[Served]:
    """Serve until the block ends; the address is open when it begins. `under` a command; `part` is
    what it does of it (`--web-only`)."""
    port = free_port()
    environment = clean_environment(folder, SALA_PORT=str(port), **settings)
    with subprocess.Popen(
        [*under, *SALA, "run", *part.split()], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, cwd=folder,
    ) as process:  # fmt: skip
        printed: list[str] = []
        try:
            assert process.stdout is not None
            for line in process.stdout:
                printed.append(line)
                if "Sala is open at" in line:
                    break
            else:
                raise AssertionError("".join(printed))
            yield Served(process, f"http://127.0.0.1:{port}", environment, printed)
        finally:
            process.terminate()
            process.stdout.close() if process.stdout else None
            process.wait(20)
