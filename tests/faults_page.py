"""docs/faults.md: what tests/test_faults.py says, then a section of other tests."""

from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "faults.md"


KILLED = "Killed at every point"


def begin(said: str) -> None:
    """Put this before the section."""
    _, mark, rest = PAGE.read_text("utf-8").partition(f"\n## {KILLED}\n")
    PAGE.write_text(f"{said}{mark}{rest}", "utf-8")


def read(name: str) -> str:
    """What stands below a heading; empty when there is no such section."""
    _, _, rest = PAGE.read_text("utf-8").partition(f"\n## {name}\n")
    return rest.partition("\n## ")[0].strip("\n")


def write(name: str, said: str) -> None:
    """Put this below a heading, at the end of the page when it is new."""
    page, heading = PAGE.read_text("utf-8"), f"\n## {name}\n"
    before, _, rest = page.partition(heading)
    _, mark, after = rest.partition("\n## ")
    text = said.strip("\n")
    PAGE.write_text(f"{before}{heading}\n{text}\n{mark}{after}", "utf-8")
