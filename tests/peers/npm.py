"""Others' JavaScript packages, as `make test` installs them with npm (.ci/package.json)."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PLACE = Path(sys.prefix) / "npm"
HOW = "needs the npm packages of .ci/package.json, which `make test` installs where there is npm"


def packages() -> Path:
    """The folder that holds them; skips the test where npm could not be had."""
    if not (PLACE.parent / ".npm").exists():
        pytest.skip(HOW)
    return PLACE


def node(script: str, given: Any) -> Any:
    """What a module prints as JSON; it finds what it is given, as JSON, in `given`."""
    module = f"const given = JSON.parse(process.argv[1]);\n{script}"
    done = subprocess.run(
        ["node", "--input-type=module", "-e", module, json.dumps(given)],
        cwd=packages(), check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return json.loads(done.stdout)


def bundle(script: str, folder: Path) -> str:
    """A script that imports the packages, as one file for a browser's page."""
    entry, made = packages() / "entry.js", folder / "bundle.js"
    entry.write_text(script, "utf-8")
    esbuild = packages() / "node_modules/.bin/esbuild"
    asked = ["--bundle", "--format=iife", f"--outfile={made}", "--log-level=error"]
    subprocess.run([esbuild, entry, *asked], check=True, timeout=60)
    return made.read_text("utf-8")
