"""`make sbom` and `make audit`: what they say of the packages that Sala is made of."""

import importlib.util
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
STATIC = ROOT / "bot/miniapp/static"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f".ci/{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def package(name: str, *needs: str) -> tuple[dict[str, Any], dict[str, Any]]:
    ref = f"{name}==1"
    return {"bom-ref": ref, "name": name}, {"ref": ref, "dependsOn": [f"{one}==1" for one in needs]}


def test_the_bill_holds_what_runs_and_the_page_and_not_what_tests() -> None:
    made = [
        package("Web_Thing", "parser", "tester"), package("parser"), package("database"),
        package("pool"), package("tester", "parser"),
    ]  # fmt: skip
    asks = {
        "web-thing": ["parser>2", "Web.Thing", "tester; extra == 'test'"],
        "database": ["pool; extra == 'pool'", "absent; sys_platform == 'win32'"],
    }
    document = {
        "metadata": {"component": {"bom-ref": "root-component"}},
        "components": [one for one, _ in made],
        "dependencies": [edge for _, edge in made] + [{"ref": "root-component"}],
    }
    project = {
        "dependencies": ["web-thing>=1,<2; python_version > '3'"],
        "optional-dependencies": {"postgres": ["database[binary,pool]>=3"], "test": ["tester==1"]},
    }
    told = script("sbom").told(document, project, STATIC, lambda one: asks.get(one.lower()))
    names = [one["name"] for one in told["components"]]
    assert names[:4] == ["Web_Thing", "parser", "database", "pool"]
    assert "bot/miniapp/static/box.html" in names[4:]
    root = next(one for one in told["dependencies"] if one["ref"] == "root-component")
    assert {"Web_Thing==1", "database==1"} <= {*root["dependsOn"]}
    edges = {one["ref"]: one["dependsOn"] for one in told["dependencies"]}
    assert edges["Web_Thing==1"] == ["parser==1"]
    assert all(len(one["hashes"][0]["content"]) == 64 for one in told["components"][4:])


CLEAN = {"name": "one", "version": "1", "vulns": []}
FAULTY = {"name": "two", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
SKIPPED = {"name": "three", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("found", "status", "words"),
    [
        ([CLEAN], 0, "1 packages, 0 to look at."),
        ([CLEAN, FAULTY], 1, "two 2: PYSEC-1, mended in 3"),
        ([CLEAN, SKIPPED], 1, "three: not looked up (not found)"),
        (None, 1, "nothing is known"),
    ],
)
def test_an_audit_that_could_not_ask_is_not_called_clean(
    found: list[dict[str, Any]] | None, status: int, words: str, tmp_path: Path
) -> None:
    tool = tmp_path / "pip-audit"
    said = json.dumps({"dependencies": found}) if found else "no network"
    tool.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n")
    tool.chmod(0o755)
    done = subprocess.run(
        [sys.executable, ROOT / ".ci/audit.py", tool, "pins.txt"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status
    assert words in done.stdout + done.stderr


def test_every_package_that_is_asked_for_is_pinned() -> None:
    """What is not among the pins is neither installed as tested nor audited."""
    name = script("sbom").name
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {*project["dependencies"]}.union(*project["optional-dependencies"].values())
    pins = {name(row) for row in (ROOT / ".ci/constraints.txt").read_text("utf-8").splitlines()}
    assert {name(one) for one in wanted} - pins == set()
