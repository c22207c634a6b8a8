"""How long a picture takes where the whole browser has a quarter of one core, and what is shown.

The page runs as people meet it; the limit is the kernel's (cgroup's CPU quota, which needs root).
`.venv/bin/python -m tests.bench.slow_phone`; beside other work the wait is longer than the limit's.
"""

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from playwright.sync_api import expect, sync_playwright

from tests.bench.device import Watched
from tests.bench.pauses import PICTURES
from tests.browser.conftest import CHROMIUM, FLAGS, PHONE
from tests.browser.hashing_page import come, encoded, open_site, photo

OLD: Final = Path("/sys/fs/cgroup/cpu")
NEW: Final = Path("/sys/fs/cgroup")
PERIOD: Final = 100_000
"""Microseconds, of which a quarter may be used."""
SEEN: Final = """() => {
  globalThis.seen = [];
  const bar = document.getElementById("bar");
  new MutationObserver(() => seen.push(bar.value)).observe(bar, { attributes: true });
}"""


@contextmanager
def quarter(pids: list[int]) -> Iterator[None]:
    """A quarter of one core for these processes together."""
    is_old = OLD.is_dir()
    group = (OLD if is_old else NEW) / f"sala-bench-{os.getpid()}"
    group.mkdir()
    try:
        if is_old:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(PERIOD // 4))
        else:
            (group / "cpu.max").write_text(f"{PERIOD // 4} {PERIOD}")
        for pid in pids:
            (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        for left in (group / "cgroup.procs").read_text().split():
            (group.parent / "cgroup.procs").write_text(left)
        group.rmdir()


def told(name: str, here: Any, watched: Watched, picture: Path) -> None:
    frame = here.page.frames[1]
    frame.evaluate(SEEN)
    count = here.box.locator("li").count() + 1
    spent, began = watched.seconds(), time.monotonic()
    with quarter([one["id"] for one in watched.processes()]):
        here.box.locator("#image").set_input_files(picture)
        expect(here.box.locator("li")).to_have_count(count)
        took = time.monotonic() - began
    spent = watched.seconds() - spent
    shown = sorted({int(one) for one in frame.evaluate("seen")})
    print(f"{name} at a quarter of a core: {took:.1f} s ({spent:.2f} s of processor time, which")
    print(f"  is {spent * 4:.1f} s of a quarter); the bar stood at {shown}")


def main() -> None:
    expect.set_options(timeout=120_000)
    with sync_playwright() as playwright, TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with open_site(Path(folder)) as site, closing(browser.new_context(**PHONE)) as context:
            here = come(context, f"{site.url}/app#{site.ticket('en')}")
            here.choose(encoded(photo(640, 480, 2)))  # loads what is loaded at the first
            for seed, (name, size) in enumerate(PICTURES.items(), 5):
                picture = Path(folder) / "picture.jpg"
                picture.write_bytes(encoded(photo(*size, seed), quality=88))
                told(name, here, Watched(browser), picture)
        browser.close()


if __name__ == "__main__":
    main()
