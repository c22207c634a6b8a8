"""For how long the page and its frame answer nobody while codes are made, and with how much memory.

A pause is the processor time of one task of a page's main thread, from Chromium's own tracing:
beside other work the clock would say little. `.venv/bin/python -m tests.bench.pauses`.
"""

import json
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from playwright.sync_api import Browser, expect, sync_playwright

from tests.bench.device import Watched, told_of_film
from tests.browser.conftest import CHROMIUM, FLAGS, PHONE
from tests.browser.hashing_page import Site, come, encoded, open_site, photo

TRACED: Final = ["toplevel", "__metadata"]
PICTURES: Final = {"12 MP": (4000, 3000), "48 MP": (8064, 6048)}
LONG: Final = 2_000_000_000
"""Bytes of a video that is only summed up."""


def longest(trace: bytes) -> dict[str, float]:
    """The longest task of each page's main thread, in milliseconds of processor time."""
    events: list[dict[str, Any]] = json.loads(trace)["traceEvents"]
    mains = {
        (one["pid"], one["tid"])
        for one in events
        if one["name"] == "thread_name" and one["args"]["name"] == "CrRendererMain"
    }
    found: defaultdict[str, float] = defaultdict(float)
    for one in events:
        if one.get("ph") == "X" and (one["pid"], one["tid"]) in mains and "tdur" in one:
            name = f"process {one['pid']}"
            found[name] = max(found[name], one["tdur"] / 1000)
    return dict(found)


def told(browser: Browser, site: Site, name: str, folder: Path) -> None:
    picture = folder / "picture.jpg"  # given as bytes, it would be made in the frame, in one task
    picture.write_bytes(encoded(photo(*PICTURES[name]), quality=88))
    with closing(browser.new_context(**PHONE)) as context:
        here = come(context, f"{site.url}/app#{site.ticket('en')}")
        expect.set_options(timeout=120_000)
        here.choose(encoded(photo(640, 480, 2)))  # loads what is loaded at the first
        watched = Watched(browser)
        browser.start_tracing(categories=TRACED)
        before = watched.seconds()
        with watched.of_pages():
            here.box.locator("#image").set_input_files(picture)
            expect(here.box.locator("li")).to_have_count(2)
        spent = watched.seconds() - before
        tasks = longest(browser.stop_tracing())
    print(f"{name}: {spent:.2f} s of processor time, at most {watched.peak:.0f} MiB above rest,")
    print("  longest task: " + ", ".join(f"{one}: {took:.0f} ms" for one, took in tasks.items()))


def main() -> None:
    with sync_playwright() as playwright, TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with open_site(Path(folder)) as site:
            for name in PICTURES:
                told(browser, site, name, Path(folder))
        told_of_film(browser, Path(folder), LONG)
        browser.close()


if __name__ == "__main__":
    main()
