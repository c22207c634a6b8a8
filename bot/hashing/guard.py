"""The guard (`python -I -m bot.hashing.guard`): has the decoders loaded, and for each picture forks
a prisoner, so that loading them is not paid for every time.

It never has a byte of a picture. It is given the ends of two pipes, which a prisoner reads and
writes, and says how the prisoner ended; it has nothing else open, and no secret to inherit. One for
somebody's own terminal (`… image`, `… video`) is given an open file instead of the first pipe.
"""

import gc
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Final

from bot.cases.hashes import Media
from bot.hashing import handed, locked, walls

_MOST_ORDER: Final = 64

Serve = Callable[[str], None]


def main(kind: str = "") -> None:
    """Until the line on standard input is closed."""
    warm, serve = _prison(kind)
    warm()
    walls.warm()
    walls.no_core()
    gc.disable()
    gc.freeze()  # a prisoner's memory stays the guard's where neither writes
    line = socket.socket(fileno=0)
    while True:
        order, ends, _, _ = socket.recv_fds(line, _MOST_ORDER, 2)
        if not order:
            os._exit(0)
        line.sendall(walls.ENDED.pack(_prisoner(serve, order, ends)))


def _prison(kind: str) -> tuple[Callable[[], None], Serve]:
    """What is loaded for its prisoners, and what each does."""
    if not kind:
        return locked.warm, locked.serve
    media: Media = "video" if kind == "video" else "image"
    walls.die_with_the_parent()  # or a prisoner might compute for an hour and nobody listen
    return partial(handed.warm, media), partial(handed.serve, media)


def _prisoner(serve: Serve, order: bytes, ends: list[int]) -> int:
    """How one ended."""
    pid = os.fork()
    if pid == 0:
        _go_in(serve, order, ends)
    for end in ends:
        os.close(end)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _go_in(serve: Serve, order: bytes, ends: list[int]) -> None:
    """In the prisoner: what the guard had open is closed, and it never comes back."""
    try:
        for number, end in enumerate(ends):  # of which the first replaces the guard's line
            os.dup2(end, number)
        os.closerange(3, max(ends) + 1)
        serve(order.decode().strip())
    finally:
        os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
