"""The monthly transparency file: counts alone, none under five, as CSV and as a page."""

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from html import escape
from io import StringIO
from typing import Final

FEWEST: Final = 5
"""A smaller number could be somebody."""
HEAD: Final = ("month", "what", "list", "count")

Row = tuple[str, str, int]

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Sala: {month} in numbers</title>
<h1>{month} in numbers</h1>
<table><thead><tr><th>What<th>List<th>Count</thead>
<tbody>
{rows}
</tbody></table>
<p>Numbers under {fewest} are not given, and there are no sums, so that nobody can be found by
subtraction. What was erased before this page was made is not counted.</p>
</html>
"""


def span(month: str) -> tuple[datetime, datetime]:
    """The beginning of a month such as `2026-11` and of the next, in UTC; else ValueError."""
    start = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    return start, start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)


def as_csv(month: str, rows: Iterable[Row]) -> str:
    """A line for each count, with a head line."""
    out = StringIO()
    csv.writer(out, lineterminator="\n").writerows([HEAD, *_shown(month, rows)])
    return out.getvalue()


def as_page(month: str, rows: Iterable[Row]) -> str:
    """The same as a page that loads nothing."""
    lines = (
        "<tr>" + "".join(f"<td>{escape(cell)}" for cell in cells)
        for _, *cells in _shown(month, rows)
    )
    return _PAGE.format(month=escape(month), rows="\n".join(lines), fewest=FEWEST)


def _shown(month: str, rows: Iterable[Row]) -> Iterator[tuple[str, str, str, str]]:
    for what, list, count in rows:
        yield month, what, list, str(count) if count >= FEWEST else f"under {FEWEST}"
