"""How a prisoner is started, fed and heard: forked by a guard that has all loaded, or alone.

Either way it is a process of its own, with nothing open but the two pipes, and it is ended with
whatever belongs to it when it takes too long.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import weakref
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import BinaryIO, Final

from bot.cases.hashes import MAX_BODY
from bot.hashing.walls import ENDED

_ENVIRONMENT: Final = {
    "LC_ALL": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 25),  # memory that was freed is taken again:
    "MALLOC_TRIM_THRESHOLD_": str(1 << 27),  # a fifth of the time went into asking for it
}
_ANY_ORDER: Final = b"\n"
_KILLED: Final = -signal.SIGKILL


class JailError(Exception):
    """The jail's error tree. Never carries anything of the picture."""


class Broken(JailError):
    """This machine has no working jail; the text says what failed."""


class Gone(JailError):
    """The guard has died, or cannot fork: nothing was hashed, and nothing was lost."""


class Guard:
    """One guard's process and the line to it. It ends when this object is no longer held."""

    def __init__(self, command: Sequence[str]) -> None:
        """Broken when no process can be started at all."""
        self._line, theirs = socket.socketpair()
        self._line.setblocking(False)
        with theirs:
            try:
                process = subprocess.Popen(  # noqa: S603  # our own module, by the same Python
                    [sys.executable, *command],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env=_ENVIRONMENT,
                    start_new_session=True,
                )
            except OSError as error:
                self._line.close()
                raise Broken(type(error).__name__) from None
        self.pid: Final = process.pid
        self._end = weakref.finalize(self, _end_all, process, self._line)

    @property
    def is_there(self) -> bool:
        """Whether it has not been ended."""
        return self._end.alive

    async def run(self, file: bytes | BinaryIO, within: float, *order: str) -> tuple[int, bytes]:
        """How one prisoner ended, and what it said. Gone. An open file is read by itself.

        Whatever cuts it short (its time, too much said, a cancelled task) ends the guard with it.
        """
        is_done = False
        try:
            fed, handed = (file, None) if isinstance(file, bytes) else (b"", file)
            async with asyncio.timeout(within), self._pipes(handed, *order) as (ear, voice):
                _, said = await asyncio.gather(_feed(ear, fed), _listen(voice, self._end))
                ended = await self._ended() if self.is_there else _KILLED
            is_done = self.is_there
            return ended, said
        except TimeoutError:
            return _KILLED, b""
        except OSError:
            raise Gone from None
        finally:
            if not is_done:
                self._end()

    @asynccontextmanager
    async def _pipes(
        self, handed: BinaryIO | None, order: str = ""
    ) -> AsyncIterator[tuple[StreamWriter, StreamReader]]:
        """A new prisoner's two pipes, whose other ends the guard is given; or, for the first, a
        file."""
        its_ear, ear = os.pipe()
        voice, its_voice = os.pipe()
        try:
            reads = handed.fileno() if handed else its_ear
            socket.send_fds(self._line, [order.encode() or _ANY_ORDER], [reads, its_voice])
        except OSError:
            os.close(ear)
            os.close(voice)
            raise
        finally:
            os.close(its_ear)
            os.close(its_voice)
        loop = asyncio.get_running_loop()
        reader = StreamReader()
        heard = asyncio.StreamReaderProtocol(reader)
        listening, _ = await loop.connect_read_pipe(lambda: heard, os.fdopen(voice, "rb", 0))
        speaking, flow = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(StreamReader()), os.fdopen(ear, "wb", 0)
        )
        try:
            yield StreamWriter(speaking, flow, None, loop), reader
        finally:
            listening.close()
            if not speaking.is_closing():
                speaking.abort()

    async def _ended(self) -> int:
        said = await asyncio.get_running_loop().sock_recv(self._line, ENDED.size)
        if len(said) != ENDED.size:
            raise Gone
        return int(ENDED.unpack(said)[0])


async def run_alone(
    command: Sequence[str], picture: bytes, within: float, *attempt: str
) -> tuple[int, bytes]:
    """The same without a guard: the prisoner loads everything first. Broken."""
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            *attempt,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
            env=_ENVIRONMENT,
            start_new_session=True,
        )
    except OSError as error:
        raise Broken(type(error).__name__) from None
    assert process.stdin  # noqa: S101  # asked for above
    assert process.stdout  # noqa: S101  # as above
    listening = _listen(process.stdout, lambda: _kill(process.pid))
    try:
        async with asyncio.timeout(within):
            _, said = await asyncio.gather(_feed(process.stdin, picture), listening)
            return await process.wait(), said
    except TimeoutError:
        return _KILLED, b""
    finally:
        _kill(process.pid)
        await process.wait()


async def _feed(ear: StreamWriter, picture: bytes) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # it ended first; how is seen elsewhere
        ear.write(picture)
        await ear.drain()
        ear.close()
        await ear.wait_closed()


async def _listen(voice: StreamReader, cut_off: Callable[[], object]) -> bytes:
    """All it says; one that says too much is cut off, and its answer is none."""
    said = bytearray()
    while part := await voice.read(MAX_BODY):
        said += part
        if len(said) > MAX_BODY:
            cut_off()
            return b""
    return bytes(said)


def _end_all(process: subprocess.Popen[bytes], line: socket.socket) -> None:
    """Nothing of the guard and its prisoner is left, whatever happened."""
    line.close()
    _kill(process.pid)
    process.wait()


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
