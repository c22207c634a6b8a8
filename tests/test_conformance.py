"""Whatever the store can be asked for is tried on both databases."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.store import Registry, Store
from bot.store.whole import WholeStore

TESTS = Path(__file__).parent
BOTH = """usefixtures("both")"""
SHARED = ("cases_kept.py", "turns_kept.py")
"""What the suite's stories are told with."""


def tried() -> set[str]:
    """What is called in tests that run on either database, or in the words that they share."""
    nodes = [ast.parse((TESTS / name).read_text("utf-8")) for name in SHARED]
    nodes += [one for file in sorted(TESTS.glob("test_*.py")) for one in on_both(file)]
    calls = [one.func for node in nodes for one in ast.walk(node) if isinstance(one, ast.Call)]
    return {one.attr for one in calls if isinstance(one, ast.Attribute)}


def on_both(file: Path) -> Iterator[ast.AST]:
    """The tests of a module that run on both: all of it, or those that say so."""
    text = file.read_text("utf-8")
    if f"pytestmark = pytest.mark.{BOTH}" in text:
        yield ast.parse(text)
    elif f"@pytest.mark.{BOTH}" in text:
        for one in ast.parse(text).body:
            marks = one.decorator_list if isinstance(one, ast.FunctionDef) else []
            if any(BOTH in ast.unparse(mark).replace("'", '"') for mark in marks):
                yield one


@pytest.mark.parametrize("of", [Store, Registry, WholeStore])
def test_no_method_of_the_store_is_tried_on_one_database_alone(of: type) -> None:
    named = {name for name, _ in inspect.getmembers(of, inspect.isfunction) if name[0] != "_"}
    assert len(named) >= 13
    assert named - tried() == set()
