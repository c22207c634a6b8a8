"""How long the page takes from a file to its codes, beside the browser's own decoding of that file.

Run alone: `.venv/bin/python -m tests.bench.device`. One Chromium, everything in turn, medians; what
is measured are the page's own modules. Ratios hold on a busy machine better than milliseconds.
"""

from base64 import b64encode
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, Route, sync_playwright

from bot.miniapp.build_box import STATIC
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.hashing_page import encoded, photo

HOME: Final = "http://127.0.0.1:1"
ROUNDS: Final = 9

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
  const sampled = await samples(bitmap, true, () => {});
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
        told("12 MP", measure(page, encoded(photo(4000, 3000), quality=90)))
        told("48 MP", measure(page, encoded(photo(8064, 6048), quality=88)))
        browser.close()


if __name__ == "__main__":
    test_the_codes_cost_little_more_than_decoding()
