"""The walls of the jail: after `raise_them()` this process reads standard input, writes standard
output, computes, and can do nothing else until it ends. Linux only.

Any other system call ends the process at once (SIGSYS). Whoever decodes a stranger's picture must
be expected to be taken over by it; then there is nothing here to take.
"""

import ctypes
import errno
import resource
import signal
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

NO_WALLS: Final = 69
"""How a process ends that could not be locked in."""
ENDED: Final = struct.Struct("<i")
"""How a guard says how a process ended: an exit code, or a signal's number below zero."""
LIBRARY: Final = "libseccomp.so.2"
MEMORY: Final = 600_000_000
"""Bytes of address space beyond what was taken before the walls."""
SECONDS: Final = 10
"""Of computing, for a picture."""

_ALLOWED: Final = (
    "brk", "munmap", "mremap", "madvise", "futex", "exit", "exit_group", "rt_sigreturn",
    "rt_sigaction", "rt_sigprocmask", "sigaltstack", "clock_gettime", "gettimeofday", "getrandom",
    "sched_yield", "restart_syscall", "set_robust_list", "rseq",
)  # fmt: skip
_UNKNOWN: Final = "clone3"
"""Its flags cannot be looked at; told that there is no such call, the C library takes `clone`."""
_THREAD: Final = 0x00010000
"""CLONE_THREAD: the decoder of HEIC works in a thread, which these same walls hold."""
_FILES: Final = (("read", 0), ("write", 1), ("write", 2))
"""Of which 2 is /dev/null."""
_SEEKING: Final = ("lseek", 0)
_NOT_TO_RUN: Final = ("mmap", "mprotect")
"""Memory may be had, but none that can be run."""

_KILL_PROCESS: Final = 0x80000000
_ALLOW: Final = 0x7FFF0000
_NO_SUCH_CALL: Final = 0x00050000 | errno.ENOSYS
_EQUAL, _MASKED_EQUAL = 4, 7
_ALL_THREADS: Final = 4
_PROT_EXEC: Final = 4
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38


class NoWalls(Exception):
    """This system cannot lock the process in."""


class _Compare(ctypes.Structure):
    """libseccomp's `struct scmp_arg_cmp`."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


def raise_them(seconds: int = SECONDS, memory: int = MEMORY, *, seeks: bool = False) -> None:
    """Lock this process in for good, to compute for so long at most; NoWalls, with whatever stands
    by then, when that fails.

    With `seeks` it may also choose where in standard input, which is then a file, it reads next.
    """
    try:
        library = ctypes.CDLL(LIBRARY, use_errno=True)
        die_with_the_parent()
        _limit(seconds, memory)
        _filter(library, (*_FILES, _SEEKING) if seeks else _FILES)
    except (OSError, ValueError, AttributeError) as error:
        raise NoWalls(type(error).__name__) from None


def warm() -> None:
    """Load what `raise_them()` needs, so that a forked process finds it loaded."""
    with suppress(OSError):
        ctypes.CDLL(LIBRARY)


def no_core() -> None:
    """From now on this process leaves no picture of its memory on a disk when it dies."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def die_with_the_parent() -> None:
    """Nor does anybody look into this process, or does it ever get more rights."""
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in (
        (_PR_SET_PDEATHSIG, int(signal.SIGKILL)),
        (_PR_SET_DUMPABLE, 0),  # no core, and nobody looks into its memory
        (_PR_SET_NO_NEW_PRIVS, 1),
    ):
        _must(libc.prctl(option, value, 0, 0, 0))


def _limit(seconds: int, memory: int) -> None:
    for what, most in (
        (resource.RLIMIT_AS, _address_space() + memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(what, (most, most))


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _filter(library: Any, files: Iterable[tuple[str, int]]) -> None:
    """These calls on these files, `_ALLOWED`, data memory; else the end."""
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_KILL_PROCESS)))
    if not context:
        raise NoWalls("seccomp_init")
    _must(library.seccomp_attr_set(context, _ALL_THREADS, ctypes.c_uint32(1)))
    allow = _allower(library, context)
    for name in _ALLOWED:
        allow(name)
    allow(_UNKNOWN, action=_NO_SUCH_CALL)
    allow("clone", _Compare(0, _MASKED_EQUAL, _THREAD, _THREAD))
    for name, file in files:
        allow(name, _Compare(0, _EQUAL, file, 0))
    for name in _NOT_TO_RUN:
        allow(name, _Compare(2, _MASKED_EQUAL, _PROT_EXEC, 0))
    _must(library.seccomp_load(context))


def _allower(library: Any, context: ctypes.c_void_p) -> Callable[..., None]:
    def allow(name: str, *arguments: _Compare, action: int = _ALLOW) -> None:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:  # this kind of machine has no such call
            return
        these = (_Compare * len(arguments))(*arguments)
        done = library.seccomp_rule_add_array(
            context, ctypes.c_uint32(action), number, len(arguments), these
        )
        _must(done)

    return allow


def _must(result: int) -> None:
    """0, or the error it stands for: libseccomp's negative one, the C library's errno."""
    if result != 0:
        raise OSError(-result if result < -1 else ctypes.get_errno() or errno.EPERM, "refused")
