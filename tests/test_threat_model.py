"""docs/threat-model.md claims nothing without a test, and every test that it names is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
MODEL = (ROOT / "docs/threat-model.md").read_text("utf-8")
STORIES = {
    title: body
    for title, _, body in (part.partition("\n") for part in MODEL.split("\n## ")[1:])
    if not title.startswith("The page")
}
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", MODEL)))


@cache
def found_in(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text("utf-8"))
    return {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}


def test_every_test_that_is_named_exists() -> None:
    assert len(NAMED) > 80
    assert [f"{file}::{name}" for file, name in NAMED if name not in found_in(file)] == []
    assert not [name for _, name in NAMED if not name.startswith("test_")]


def test_the_eight_stories_are_told() -> None:
    who = (
        "partner",
        "extortionist",
        "operator",
        "subpoena",
        "backup",
        "scraper",
        "poisoner",
        "file",
    )
    assert [name for name, title in zip(who, STORIES, strict=True) if name not in title] == []


@pytest.mark.parametrize("title", STORIES)
def test_what_is_done_names_its_test_and_what_is_not_is_said(title: str) -> None:
    body = STORIES[title]
    lines = [line for line in body.splitlines() if line.startswith("| ")][1:]
    assert len(lines) >= 3
    assert [line for line in lines if "::test_" not in line] == []
    for said in ("**Not claimed.** ", "**Not done.** "):
        assert body.count(f"\n{said}") == 1


def test_how_to_report_a_fault_is_found_and_names_no_invented_address() -> None:
    said = (ROOT / "SECURITY.md").read_text("utf-8")
    assert "(SECURITY.md)" in (ROOT / "README.md").read_text("utf-8")
    assert "Never attach a picture" in said
    assert not re.search(r"\S@\S", said)


@pytest.mark.parametrize("file", ["SECURITY.md", "docs/threat-model.md"])
def test_its_links_lead_somewhere(file: str) -> None:
    place = ROOT / file
    for to in re.findall(r"\]\(([^)]+)\)", place.read_text("utf-8")):
        path, _, part = to.partition("#")
        aim = place.parent / path if path else place
        assert aim.exists(), to
        if part:
            heads = re.findall(r"^#+ (.+)$", aim.read_text("utf-8"), re.MULTILINE)
            assert part in {anchor(one) for one in heads}, to


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
