"""What a submission may use: set in the child that runs it, once, for good.

Everywhere: processor seconds, memory, size and number of open files. On Linux also, where the
kernel offers them: Landlock, by which the child sees no files but Python's and its own scratch
folder, and a filter of system calls, by which it starts no processes, reaches no network, signals
nobody and can't lift its limits. This is a fence around a class's homework. It is no sandbox for
strangers' code.
"""

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one function of a submission may use.

    Parameters
    ----------
    cpu_s
        Seconds of the processor: what counts, since it is the same under load.
    wall_s, idle_s
        Seconds of the clock, which only ends what doesn't end otherwise, and without any use of
        the processor.
    memory_mb
        Beyond what the libraries have taken.
    file_mb, files
        Size of a file that it writes, and how many it may hold open.
    answer_mb
        How much it may send back.
    fenced
        Whether Landlock and the filter of system calls are used where the kernel has them.
    """

    cpu_s: int = 20
    wall_s: float = 300
    idle_s: float = 15
    memory_mb: int = 1500
    file_mb: int = 4
    files: int = 64
    answer_mb: int = 12
    fenced: bool = True


def no_dumps() -> None:
    """Keep other processes of this user from reading this one's memory (Linux)."""
    _prctl(4, 0)


def adopt_orphans() -> None:
    """Make processes whose parents have died children of this one (Linux)."""
    _prctl(36, 1)


def end_with_parent() -> None:
    """Have this process killed when its parent dies (Linux)."""
    _prctl(1, 9)


def apply(limits: Limits, scratch: Path, readable: Iterable[int]) -> None:
    """Set the limits for this process and all that it starts.

    Parameters
    ----------
    limits
        What is allowed.
    scratch
        The one folder in which files may be written.
    readable
        Descriptors of what may be read, from :func:`open_readable`.
    """
    import resource  # which Windows hasn't

    for what, most in (
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_AS, _size_now() + limits.memory_mb * MEGABYTE),
        (resource.RLIMIT_FSIZE, limits.file_mb * MEGABYTE),
        (resource.RLIMIT_NOFILE, limits.files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),  # doesn't bind root: the filter and the server do
    ):
        # The hard limit too: a soft one can be caught, or lifted again.
        ceiling = resource.getrlimit(what)[1]
        least = most if ceiling == resource.RLIM_INFINITY else min(most, ceiling)
        try:
            resource.setrlimit(what, (least, least))
        except (ValueError, OSError):
            if sys.platform != "darwin":  # which knows no RLIMIT_AS
                raise
    if limits.fenced and sys.platform == "linux":
        _prctl(38, 1)  # no new privileges, which both below ask for
        _hide_files(scratch, readable)
        _filter_calls()


def _size_now() -> int:
    """Address space in use, in bytes; 0 where it isn't told."""
    import resource

    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 4096 * MEGABYTE
    return pages * resource.getpagesize()


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        _libc().prctl(option, value, 0, 0, 0)


# Landlock

_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_RIGHTS_BY_VERSION = ((5, 1 << 16), (3, 1 << 15), (2, 1 << 14), (1, 1 << 13))


def landlock_version() -> int:
    """Version of Landlock that the kernel offers; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(444, None, 0, 1)))


def open_readable() -> list[int]:
    """Open what a submission may read: Python, its libraries, the book's package, little else."""
    package = Path(__file__).resolve().parent
    named = {
        Path(name).resolve()
        for name in (
            *(sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.__file__)),
            *(package, package.parent / "gencomp_utils"),
            *("/usr/lib", "/usr/lib64", "/usr/share", "/usr/local/lib", "/lib", "/lib64"),
            *("/etc/ld.so.cache", "/etc/localtime", "/dev/null", "/dev/zero", "/dev/urandom"),
            *("/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu"),
        )
    }
    flags = getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC
    return [os.open(path, flags) for path in sorted(named) if path.exists()]


def _hide_files(scratch: Path, readable: Iterable[int]) -> None:
    version = landlock_version()
    if not version:
        return
    libc = _libc()
    handled = next(most for least, most in _RIGHTS_BY_VERSION if version >= least) - 1
    # Files; TCP, from version 4; signals and abstract sockets outside, from version 6.
    ruleset = struct.pack("QQQ", handled, 3, 3)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    rules = libc.syscall(444, ruleset, len(ruleset), 0)
    if rules < 0:
        return
    own = os.open(scratch, os.O_RDONLY)
    allowed = [(fd, _EXECUTE | _READ | _LIST) for fd in readable] + [(own, handled)]
    for descriptor, rights in allowed:
        if not os.path.isdir(f"/proc/self/fd/{descriptor}"):
            rights &= _READ | _EXECUTE
        libc.syscall(445, rules, 1, struct.pack("=Qi", rights, descriptor), 0)
    libc.syscall(446, rules, 0)
    os.close(own)
    os.close(rules)


# The filter of system calls: numbers of x86-64 and of 64-bit ARM.
# Refused: other processes' start, memory, signals; networks; new name spaces; lifted limits.
_CALLS = {
    "x86_64": {
        "arch": 0xC000003E,
        "clone": 56,
        "clone3": 435,
        "tgkill": 234,
        "prlimit": 302,
        "refused": (57, 58, 59, 322, 62, 200, 101, 310, 311, 434, 424, 438, 41, 272, 308, 160,
                    425, 165, 321, 169, 175, 313, 109, 112),
    },
    "aarch64": {
        "arch": 0xC00000B7,
        "clone": 220,
        "clone3": 435,
        "tgkill": 131,
        "prlimit": 261,
        "refused": (221, 281, 129, 130, 117, 270, 271, 434, 424, 438, 198, 97, 268, 164, 425, 40,
                    280, 142, 105, 273, 154, 157),
    },
}  # fmt: skip
_EPERM, _ENOSYS = 1, 38
_THREAD = 0x10000


def filter_known() -> bool:
    """Whether system calls can be filtered on this machine."""
    return sys.platform == "linux" and platform.machine() in _CALLS


def _filter_calls() -> None:
    if not filter_known():
        return
    calls = _CALLS[platform.machine()]
    refused, numbers = calls["refused"], {k: v for k, v in calls.items() if k != "refused"}
    assert isinstance(refused, tuple)

    def load(offset: int) -> bytes:
        return struct.pack("HBBI", 0x20, 0, 0, offset)

    def skip_unless(value: object, lines: int, operation: int = 0x15) -> bytes:
        return struct.pack("HBBI", operation, 0, lines, value)

    def answer(value: int) -> bytes:
        return struct.pack("HBBI", 0x06, 0, 0, value)

    def error(number: int) -> bytes:
        return answer(0x00050000 | number)

    allow = answer(0x7FFF0000)
    lines = [
        load(4),
        struct.pack("HBBI", 0x15, 1, 0, numbers["arch"]),
        error(_EPERM),  # 32-bit calls
        load(0),
        skip_unless(0x40000000, 1, operation=0x35),
        error(_EPERM),  # x32 calls
        # glibc falls back from clone3 to clone, whose flags can be read here: threads only.
        *(skip_unless(numbers["clone3"], 1), error(_ENOSYS)),
        *(skip_unless(numbers["clone"], 4), load(16), skip_unless(_THREAD, 1, operation=0x45)),
        *(allow, error(_EPERM)),
        *(skip_unless(numbers["tgkill"], 4), load(16), skip_unless(os.getpid(), 1)),
        *(allow, error(_EPERM)),
        *(skip_unless(numbers["prlimit"], 4), load(32), skip_unless(0, 1)),
        *(allow, error(_EPERM)),
    ]
    for number in refused:
        lines += [skip_unless(number, 1), error(_EPERM)]
    lines.append(allow)
    program = ctypes.create_string_buffer(b"".join(lines))
    header = struct.pack("HxxxxxxQ", len(lines), ctypes.addressof(program))
    _libc().prctl(22, 2, ctypes.create_string_buffer(header), 0, 0)
