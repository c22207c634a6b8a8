"""What continuous integration relies on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import LONGEST, unexcused
from tests.peers import specs

SKIPPED = "import pytest\n\n\ndef test_it():\n    pytest.skip('no npm')\n"


@pytest.mark.parametrize(("how", "status"), [("fails", 1), ("", 0)])
def test_a_skipped_test_fails_the_run_where_everything_must_run(
    how: str, status: int, tmp_path: Path
) -> None:
    (tmp_path / "test_skipped.py").write_text(SKIPPED, "utf-8")
    root = Path(__file__).parents[1]
    asked = ["-p", "tests.conftest", "--no-cov", "--rootdir", str(root), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *asked], cwd=root, check=False, capture_output=True,
        text=True, env=os.environ | {"SALA_SKIPPING": how},
    )  # fmt: skip
    assert done.returncode == status, done.stdout
    assert ("no npm" in done.stdout) == bool(status)


def test_only_absent_documents_excuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def skipped(reason: str) -> pytest.TestReport:
        place = ("test_x.py", 1, f"Skipped: {reason}")
        return pytest.TestReport("test_x", place, {}, "skipped", place, "call")

    reports = [skipped(specs.WHERE), skipped("no npm")]
    assert len(list(unexcused(reports))) == (2 if specs.FOLDER.is_dir() else 1)
    monkeypatch.setattr(specs, "FOLDER", tmp_path / "absent")
    assert [one for one in unexcused(reports) if "no npm" not in one] == []
    assert len(list(unexcused(reports))) == 1


def test_the_files_that_begin_first_are_there() -> None:
    assert {*LONGEST} <= {path.name for path in Path(__file__).parent.rglob("test_*.py")}
