"""How long the page takes from a file to its codes, beside the browser's own decoding of that file.

Run alone: `.venv/bin/python -m tests.bench.device`. One Chromium, everything in turn, medians; what
is measured are the page's own modules. Ratios hold on a busy machine better than milliseconds.
"""

import os
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from playwright.sync_api import Browser, Page, Route, sync_playwright

from bot.miniapp.build_box import STATIC
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.hashing_page import encoded, photo

HOME: Final = "http://127.0.0.1:1"
ROUNDS: Final = 9
TURNS: Final = 5
FILM: Final = 200_000_000
"""Bytes of a video that is only summed up."""
MIB: Final = 2**20

GIVE: Final = """(text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  globalThis.file = new File([bytes], "");
}"""
MEASURE: Final = """async ([home, rounds]) => {
  const from = (name) => import(`${home}/${name}.js`);
  const [{ hashFile }, { open, samples }, { changed, greyed }, { wavesOf }] =
    await Promise.all(["hashes", "pixels", "mild", "pdq"].map(from));
  const how = { seen: () => false, step: () => {} };
  const whole = async () => (await hashFile(file, how)).hashes.length;
  const decode = async () => (await open(file)).close();
  const bitmap = await open(file);
  const sampled = await samples(bitmap, true, 1, () => {});
  bitmap.close();
  const selfTest = () => {
    for (const { values, width, height } of changed(greyed(sampled[640]))) {
      wavesOf(Float32Array.from(values), width, height);
    }
  };
  const took = async (job) => {
    const start = performance.now();
    await job();
    return performance.now() - start;
  };
  const all = { decode: [], whole: [], selfTest: [] };
  for (let round = -2; round < rounds; round++) {
    const now = [await took(decode), await took(whole), await took(selfTest)];
    if (round >= 0) Object.values(all).forEach((list, at) => list.push(now[at]));
  }
  const middle = (list) => list.sort((one, other) => one - other)[list.length >> 1];
  return { hashes: await whole(), ...Object.fromEntries(
    Object.entries(all).map(([name, list]) => [name, middle(list)])) };
}"""


AGAIN: Final = """async ([home, job, rounds]) => {
  const from = (name) => import(`${home}/${name}.js`);
  const [{ hashFile }, { open, samples }, { changed, greyed }, { wavesOf }] =
    await Promise.all(["hashes", "pixels", "mild", "pdq"].map(from));
  const decode = async (look = () => {}) => {
    const bitmap = await open(file);
    await look(bitmap);
    bitmap.close();
  };
  if (job === "selfTest") {
    await decode(async (bitmap) => {
      globalThis.sampled = await samples(bitmap, true, 1, () => {});
    });
  }
  const jobs = {
    decode,
    whole: () => hashFile(file, { seen: () => false, step: () => {} }),
    selfTest: () => {
      for (const { values, width, height } of changed(greyed(sampled[640]))) {
        wavesOf(Float32Array.from(values), width, height);
      }
    },
  };
  for (let round = 0; round < rounds; round++) await jobs[job]();
}"""
SUM_UP: Final = """async (home) => {
  const { hashFile } = await import(`${home}/hashes.js`);
  const [file] = document.querySelector("input").files;
  const start = performance.now();
  const { hashes } = await hashFile(file, { seen: () => false, step: () => {} });
  return [performance.now() - start, ...hashes.map((one) => one.value)];
}"""


class Watched:
    """The memory and the time of a browser's processes, from /proc and the browser itself."""

    def __init__(self, browser: Browser) -> None:
        self.line = browser.new_browser_cdp_session()
        self.peak = 0.0
        self.over = threading.Event()

    def processes(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.line.send("SystemInfo.getProcessInfo")["processInfo"]
        return found

    def seconds(self) -> float:
        """Of processor time, of all processes together."""
        return sum(one["cpuTime"] for one in self.processes())

    @contextmanager
    def of_pages(self) -> Iterator[None]:
        """Keeps the highest sum of the pages' own memory, in MiB above rest."""
        pids = [one["id"] for one in self.processes() if one["type"] == "renderer"]
        rest, self.peak = held(pids), 0.0

        def look() -> None:
            while not self.over.wait(0.05):
                self.peak = max(self.peak, held(pids) - rest)

        looking = threading.Thread(target=look)
        looking.start()
        yield
        self.over.set()
        looking.join()


def held(pids: list[int]) -> float:
    """MiB that these processes hold in memory."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def told_of_film(browser: Browser, folder: Path, size: int = FILM) -> None:
    """A video's digests in the page, beside those of the system's own programs."""
    path = folder / "film.mp4"
    with path.open("wb") as file:
        file.write(b"\0\0\0\x18ftypmp42" + os.urandom(1_000_000))
        file.truncate(size)
    page = browser.new_page()
    page.route(f"{HOME}/**", serve)
    page.goto(f"{HOME}/")
    page.set_content("<input type=file>")
    page.set_input_files("input", path)
    before = os.times()
    programs = (["sha256sum", path], ["md5sum", path])
    said = [subprocess.run(one, capture_output=True, check=True).stdout for one in programs]
    after = os.times()
    wall = after.elapsed - before.elapsed
    own = sum(after[2:4]) - sum(before[2:4])
    watched = Watched(browser)
    started = watched.seconds()
    with watched.of_pages():
        took, *digests = page.evaluate(SUM_UP, HOME)
    assert digests == [one.split()[0].decode() for one in said]
    cpu = watched.seconds() - started
    print(
        f"video of {size / 1e6:.0f} MB: {took:.0f} ms; sha256sum and md5sum {wall * 1000:.0f} ms "
        f"({wall * 1000 / took:.0%} of their speed; by processor time {own / cpu:.0%}); "
        f"at most {watched.peak:.0f} MiB above rest"
    )


def told_by_processor(name: str, page: Page, watched: Watched) -> None:
    """The same ratios by the processor time of all the browser's processes, several in turn."""
    whole, without = zip(*(_ratios(page, watched) for _ in range(TURNS)), strict=True)
    for what, found in (("all", whole), ("without the self-test", without)):
        each = ", ".join(f"{one:.2f}" for one in found)
        print(f"{name}, by processor time, {what}: {median(found):.2f} x decoding ({each})")


def _ratios(page: Page, watched: Watched) -> tuple[float, float]:
    cost = {}
    for job in ("decode", "whole", "selfTest"):
        spent = []
        for rounds in (1, 5):  # what one costs beside loading and the first decoding
            before = watched.seconds()
            page.evaluate(AGAIN, [HOME, job, rounds])
            spent.append(watched.seconds() - before)
        cost[job] = (spent[1] - spent[0]) / 4
    whole, decode = cost["whole"], cost["decode"]
    return whole / decode, (whole - cost["selfTest"]) / decode


def serve(route: Route) -> None:
    name = route.request.url.rpartition("/")[2]
    if name:
        route.fulfill(path=Path(STATIC, name), content_type="text/javascript")
    else:
        route.fulfill(body="<!doctype html>", content_type="text/html")


def measure(page: Page, data: bytes) -> dict[str, Any]:
    page.evaluate(GIVE, b64encode(data).decode())
    found: dict[str, Any] = page.evaluate(MEASURE, [HOME, ROUNDS])
    return found


def told(name: str, found: dict[str, Any]) -> tuple[float, float]:
    decode, whole, test = found["decode"], found["whole"], found["selfTest"]
    ratio, without = whole / decode, (whole - test) / decode
    print(
        f"{name}: decode alone {decode:.0f} ms, file to {found['hashes']} codes {whole:.0f} ms "
        f"({ratio:.2f} x), without the self-test {whole - test:.0f} ms ({without:.2f} x)"
    )
    return ratio, without


def test_the_codes_cost_little_more_than_decoding() -> None:
    """Printed, and judged by who reads it: the machine may be busy."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.route(f"{HOME}/**", serve)
        page.goto(f"{HOME}/")
        with TemporaryDirectory() as folder:
            told_of_film(browser, Path(folder))
        told("12 MP", measure(page, encoded(photo(4000, 3000), quality=90)))
        told_by_processor("12 MP", page, Watched(browser))
        told("48 MP", measure(page, encoded(photo(8064, 6048), quality=88)))
        told_by_processor("48 MP", page, Watched(browser))
        browser.close()


if __name__ == "__main__":
    test_the_codes_cost_little_more_than_decoding()
