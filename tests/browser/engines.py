"""Firefox and WebKit, driven by what they speak themselves: WebDriver BiDi, and WebDriver."""

import asyncio
import json
import os
import re
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

FIREFOX: Final = shutil.which("firefox-esr") or shutil.which("firefox")
WEBKIT: Final = shutil.which("WebKitWebDriver")
SCREEN: Final = shutil.which("Xvfb")
MINIBROWSER: Final = next(
    iter(sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"), reverse=True)), None
)
PATIENCE: Final = 60
"""Seconds in which something that must happen happens."""
_ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"


class Crashed(Exception):
    """The browser's own page process is gone."""


class Browser(Protocol):
    """A page, and the frame in it: where `inside` says so, the frame is asked."""

    asked: list[str]

    async def open(self, url: str) -> None:
        """Goes to an address."""

    async def run(self, code: str, *, inside: bool = False) -> Any:
        """What an expression is there."""

    async def give(self, selector: str, file: Path) -> None:
        """Chooses a file in an input of the frame."""


async def until(browser: Browser, code: str, *, inside: bool = False) -> Any:
    """What an expression is once it is truthy."""
    async with asyncio.timeout(PATIENCE):
        while not (found := await browser.run(code, inside=inside)):
            await asyncio.sleep(0.1)
    return found


# ---------------------------------------------------------------- Firefox


@dataclass
class Firefox:
    line: ClientWebSocketResponse
    asked: list[str] = field(default_factory=list)
    """The address of every request that a page made."""
    page: str = ""
    numbers: Any = field(default_factory=lambda: count(1))

    async def say(self, method: str, **params: Any) -> Any:
        number = next(self.numbers)
        await self.line.send_json({"id": number, "method": method, "params": params})
        while True:
            heard = await self.line.receive()
            assert heard.type is WSMsgType.TEXT, heard
            said = json.loads(heard.data)
            if said.get("method") == "network.beforeRequestSent" and said["params"]["context"]:
                self.asked.append(said["params"]["request"]["url"])
            if said.get("id") == number:
                assert said["type"] == "success", said
                return said["result"]

    async def open(self, url: str) -> None:
        await self.say("session.new", capabilities={})
        await self.say("session.subscribe", events=["network.beforeRequestSent"])
        tree = await self.say("browsingContext.getTree")
        self.page = tree["contexts"][0]["context"]
        await self.say("browsingContext.navigate", context=self.page, url=url, wait="complete")

    async def context(self, inside: bool) -> str:
        if not inside:
            return self.page
        tree = await self.say("browsingContext.getTree", root=self.page)
        return str(tree["contexts"][0]["children"][0]["context"])

    async def evaluate(self, code: str, inside: bool) -> Any:
        target = {"context": await self.context(inside)}
        done = await self.say(
            "script.evaluate",
            expression=code,
            target=target,
            awaitPromise=True,
            userActivation=True,
        )
        assert done["type"] == "success", done
        return done["result"]

    async def run(self, code: str, *, inside: bool = False) -> Any:
        return (await self.evaluate(code, inside)).get("value")

    async def give(self, selector: str, file: Path) -> None:
        node = await self.evaluate(f"document.querySelector('{selector}')", inside=True)
        await self.say(
            "input.setFiles", context=await self.context(True),
            element={"sharedId": node["sharedId"]}, files=[str(file)],
        )  # fmt: skip


@asynccontextmanager
async def firefox(folder: Path) -> AsyncIterator[Firefox]:
    """Firefox without a window and with a profile of its own, in a folder that is made."""
    folder.mkdir()
    assert FIREFOX
    args = ("--headless", "--no-remote", "--profile", str(folder), "--remote-debugging-port", "0")
    async with started(FIREFOX, *args, env=os.environ | {"HOME": str(folder)}) as runs:
        said = await line_of(runs, r"BiDi listening on (ws://\S+)")
        async with (
            ClientSession() as web,
            web.ws_connect(f"{said}/session", max_msg_size=0) as line,
        ):
            yield Firefox(line)


# ---------------------------------------------------------------- WebKit


@dataclass
class WebKit:
    web: ClientSession
    at: str
    asked: list[str] = field(default_factory=list)
    """The address of every request of the whole browser: all of it goes through `recording`."""

    async def say(self, what: str, **params: Any) -> Any:
        async with self.web.post(f"{self.at}/{what}", json=params) as answer:
            said = await answer.json()
        if answer.status != 200 and said["value"].get("error") == "no such window":
            raise Crashed
        assert answer.status == 200, said
        return said["value"]

    async def open(self, url: str) -> None:
        await self.say("url", url=url)

    async def switch(self, inside: bool) -> None:
        await self.say("frame", id=None)
        if inside:
            frame = await self.say("element", using="css selector", value="#box")
            await self.say("frame", id=frame)

    async def run(self, code: str, *, inside: bool = False) -> Any:
        """What the code gives. A frame that is just being made is asked for again."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await self.switch(inside)
                    return await self.say("execute/sync", script=f"return ({code})", args=[])
                except AssertionError as error:
                    if not inside or "no such frame" not in str(error):
                        raise

    async def give(self, selector: str, file: Path) -> None:
        await self.switch(inside=True)
        input = await self.say("element", using="css selector", value=selector)
        await self.say(f"element/{input[_ELEMENT]}/value", text=str(file))


@asynccontextmanager
async def webkit(folder: Path) -> AsyncIterator[WebKit]:
    """WebKitGTK's MiniBrowser on a screen of its own, behind a proxy that writes down."""
    folder.mkdir(mode=0o700)
    assert WEBKIT
    asked: list[str] = []
    async with screen() as display, recording(asked) as proxy, ClientSession() as web:
        env = os.environ | {"HOME": str(folder), "DISPLAY": display, "XDG_RUNTIME_DIR": str(folder)}
        port = free_port()
        async with started(WEBKIT, f"--port={port}", env=env):
            await listening(port)
            options = {
                "binary": str(MINIBROWSER),
                "args": ["--automation", f"--proxy=http://127.0.0.1:{proxy}"],
            }
            wanted = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
            browser = WebKit(web, f"http://127.0.0.1:{port}", asked)
            made = await browser.say("session", capabilities=wanted)
            browser.at += f"/session/{made['sessionId']}"
            try:
                yield browser
            finally:
                await web.delete(browser.at)


@asynccontextmanager
async def screen() -> AsyncIterator[str]:
    assert SCREEN
    async with started(SCREEN, "-displayfd", "2", "-screen", "0", "800x900x24") as runs:
        yield ":" + await line_of(runs, r"^(\d+)$")


@asynccontextmanager
async def recording(asked: list[str]) -> AsyncIterator[int]:
    """A proxy that writes down each address, and leads to this machine alone."""

    async def take(near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            head = await near.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:  # opened in advance, and not needed
            back.close()
            return
        method, url, _ = head.decode("latin-1").split(" ", 2)
        asked.append(f"{method} {url}")
        found = re.match(r"http://127\.0\.0\.1:(\d+)(/.*)", url)
        if not found:
            back.close()
            return
        far, on = await asyncio.open_connection("127.0.0.1", int(found[1]))
        rest = head.split(b"\r\n", 1)[1]
        kept = re.sub(rb"(?im)^(proxy-)?connection:[^\n]*\n", b"", rest)
        on.write(f"{method} {found[2]} HTTP/1.1\r\nConnection: close\r\n".encode() + kept)
        await asyncio.gather(pour(near, on), pour(far, back))

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def pour(source: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
    while part := await source.read(65_536):
        into.write(part)
        await into.drain()
    into.close()


# ---------------------------------------------------------------- processes


@asynccontextmanager
async def started(*args: str, env: Any = None) -> AsyncIterator[asyncio.subprocess.Process]:
    runs = await asyncio.create_subprocess_exec(
        *args, env=env, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield runs
    finally:
        runs.terminate()
        await runs.communicate()


async def line_of(runs: asyncio.subprocess.Process, shape: str) -> str:
    """What the first line of this shape says among what a process complains of."""
    assert runs.stderr
    async with asyncio.timeout(PATIENCE):
        while line := await runs.stderr.readline():
            if found := re.search(shape, line.decode("utf-8", "replace").strip()):
                return found[1]
    raise AssertionError("it ended before it was ready")


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


async def listening(port: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                _, line = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                line.close()
                return
