"""The longest files begin first, and where `.ci/run` tests, a skipped test fails the run.

The one excuse: it needs the platforms' documents, and the folder they belong into is not there.
"""

import os
from collections.abc import Iterator

import pytest

from tests import databases
from tests.peers import specs

LONGEST = (
    "test_whole_case.py", "test_understanding.py", "test_crash.py", "test_taking_run.py",
    "test_canaries.py", "test_line_peers.py", "test_crash_points.py", "test_crash_store.py",
    "test_forms.py", "test_whole_telegram.py", "test_transcripts_chats.py", "test_whole_line.py",
    "test_pdq_js.py", "test_no_way_out.py", "test_exchange_tx.py", "test_faults.py",
    "test_other_browsers.py", "test_run_apart.py", "test_run.py", "test_load.py", "test_cli.py",
    "test_doctor.py", "test_told.py", "test_ci.py",
)  # fmt: skip
"""A long file that begins last leaves every other processor idle. (`--no-loadscope-reorder`: of
itself pytest-xdist begins with the files of the most tests, which are the quickest.)"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: n for n, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


def unexcused(reports: list[pytest.TestReport]) -> Iterator[str]:
    """Of skipped tests, which and why."""
    for report in reports:
        reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""
        if specs.FOLDER.is_dir() or specs.WHERE not in reason:
            yield f"{report.nodeid}: {reason}"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get("SALA_SKIPPING") != "fails":
        return
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    for line in unexcused(terminal.stats.get("skipped", []) if terminal else []):
        print(f"\nSkipped, where everything must run: {line}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server, started once."""
    with databases.server() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgres"])
def both(request: pytest.FixtureRequest) -> Iterator[str]:
    """The test runs once on either database."""
    if request.param == "postgres":
        databases.Chosen.address = request.getfixturevalue("postgres")
    yield request.param
    databases.Chosen.address = databases.Chosen.path = None


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """The address of an empty database."""
    databases.Chosen.address = postgres
    databases.forget()
    yield postgres
    databases.Chosen.address = None
