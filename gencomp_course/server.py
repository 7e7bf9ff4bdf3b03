"""The process beside the grader: loads the libraries once, and forks one child a function.

It is started as a program of its own, so that its memory never held an expected value or the
course's secret, and it is given no path to them. Requests come as lines of JSON on standard input:
sources, a function's name, inputs. Each is answered by a line: what the child wrote, as text that
is yet to be read with suspicion, and how the child ended.
"""

import gc
import importlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from gencomp_course import limits, plain, selecting
from gencomp_course.limits import Limits

LIBRARIES = (
    *("numpy", "scipy.stats", "scipy.special", "scipy.optimize", "scipy.linalg", "torch"),
    *("matplotlib.pyplot", "IPython.display", "gencomp_utils.notebook", "gencomp_utils.figures"),
    *("math", "statistics", "itertools", "functools", "collections", "dataclasses", "random"),
    *("fractions", "decimal", "typing"),
)
Call = Callable[..., Any]


def main() -> None:
    """Answer requests until standard input ends."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    missing = _load_libraries()
    limits.no_dumps()
    limits.adopt_orphans()
    readable = limits.open_readable()
    gc.freeze()  # what is loaded is shared with the children: their collectors leave it alone
    _answer(
        answers,
        {
            "missing": missing,
            "hides": limits.landlock_version() > 0,
            "filters": limits.filter_known(),
        },
    )
    for line in requests:
        _answer(answers, _serve(json.loads(line), readable))


def _answer(stream: BinaryIO, message: object) -> None:
    stream.write(json.dumps(message).encode() + b"\n")
    stream.flush()


def _load_libraries() -> list[str]:
    missing = []
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(name)
    try:
        import torch
    except ImportError:
        return missing
    torch.set_num_threads(1)
    # The first step takes seconds, in which most of what torch loads late is loaded.
    weight = torch.zeros(2, 2, requires_grad=True)
    for optimizer in (torch.optim.Adam([weight]), torch.optim.SGD([weight], 0.1)):
        optimizer.zero_grad()
        torch.nn.functional.softplus(weight @ torch.ones(2)).sum().backward()
        optimizer.step()
    return missing


def _serve(request: dict[str, Any], readable: Sequence[int]) -> dict[str, Any]:
    """Fork a child for a request, watch it, and end all that it has started."""
    allowed = Limits(**request["limits"])
    scratch = Path(tempfile.mkdtemp(prefix="answers-"))
    reading, writing = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if not child:
        _child(request, allowed, scratch, readable, writing)
    os.close(writing)
    text, reason = _read(reading, child, allowed, started)
    os.close(reading)
    _kill_group(child)
    _, status, used = os.wait4(child, 0)
    _end_orphans()
    shutil.rmtree(scratch, ignore_errors=True)
    return {
        "text": text.decode("utf-8", "replace"),
        "reason": reason,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        "cpu_s": used.ru_utime + used.ru_stime,
        "wall_s": time.monotonic() - started,
    }


def _read(reading: int, child: int, allowed: Limits, started: float) -> tuple[bytes, str]:
    """Read what a child writes until it ends, or breaks a limit, which is named then."""
    parts: list[bytes] = []
    size = 0
    counted = not (allowed.fenced and limits.filter_known())
    used, last = -1.0, started
    while True:
        now = time.monotonic()
        if (ticks := _ticks(child)) != used:
            used, last = ticks, now
        if now - started > allowed.wall_s:
            return b"".join(parts), "clock"
        if now - last > allowed.idle_s:
            return b"".join(parts), "idle"
        ready, _, _ = select.select([reading], [], [], 0.05 if counted else 0.5)
        if ready:
            part = os.read(reading, 1 << 16)
            if not part:
                return b"".join(parts), ""
            parts.append(part)
            size += len(part)
            if size > allowed.answer_mb * limits.MEGABYTE:
                return b"".join(parts), "output"
        elif counted and len(_descendants()) > 1:
            return b"".join(parts), "processes"
        elif os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return b"".join(parts), ""  # it has ended, and left the pipe to another process


def _kill_group(child: int) -> None:
    for kill in (os.killpg, os.kill):
        try:
            kill(child, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def _descendants() -> set[int]:
    """All processes that come from this one (Linux)."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(_stat(folder.name)[1])
        except (OSError, IndexError):
            continue
    found: set[int] = set()
    while more := {p for p, parent in parents.items() if parent in found | {os.getpid()}} - found:
        found |= more
    return found


def _stat(process: int | str) -> list[str]:
    """State, parent and so on of a process, from what follows its name in /proc (Linux)."""
    return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()


def _ticks(process: int) -> float:
    """How much of the processor a process has used; the clock where that isn't told."""
    try:
        return sum(map(int, _stat(process)[11:13]))
    except (OSError, IndexError, ValueError):
        return time.monotonic()


def _end_orphans() -> None:
    """Kill what a child has left running; the processes have become children of this one."""
    if not sys.platform.startswith("linux"):
        return
    for _ in range(10_000):
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended:
            for process in _descendants():
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.001)


# In the child


def _child(
    request: dict[str, Any],
    allowed: Limits,
    scratch: Path,
    readable: Sequence[int],
    writing: int,
) -> None:
    """Run a submission's function on each input, write each result, and end."""
    try:
        os.setsid()
        limits.end_with_parent()
        keep = {0, 1, 2, writing, *readable}
        for name in os.listdir("/dev/fd"):
            if int(name) not in keep:
                try:
                    os.close(int(name))
                except OSError:
                    continue
        os.chdir(scratch)
        os.environ.update(HOME=str(scratch), TMPDIR=str(scratch))
        tempfile.tempdir = None
        limits.apply(allowed, scratch, readable)
        for descriptor in readable:
            os.close(descriptor)
        _run(request, lambda line: _write(writing, line))
    finally:
        os._exit(0)


def _write(writing: int, line: object) -> None:
    left = json.dumps(line).encode() + b"\n"
    while left:
        left = left[os.write(writing, left) :]


def _run(request: dict[str, Any], write: Callable[[object], None]) -> None:
    namespace = types.ModuleType("submission")
    sys.modules["submission"] = namespace
    problems = selecting.run(request["cells"], request["functions"], namespace)
    function = namespace.__dict__.get(request["function"])
    write({"problems": [text[:200] for text in problems[:10]], "found": callable(function)})
    if not callable(function):
        return
    call = _caller(request["driver"])
    for case in request["cases"]:
        try:
            arguments = [plain.decode(argument, _tensor) for argument in case]
            result: Any = {"value": plain.encode(call(function, *arguments))}
        except plain.NotPlain as error:
            result = {"refused": str(error)}
        except MemoryError:
            result = {"raised": "MemoryError"}
        except BaseException as error:
            result = {"raised": selecting.describe(error)}
        write(result)


def _caller(driver: str) -> Callable[..., Any]:
    """Give what calls a student's function: simply, or as the assignment's driver does."""
    if not driver:
        return lambda function, *arguments: function(*arguments)
    namespace: dict[str, Any] = {"__name__": "driver"}
    exec(compile(driver, "driver", "exec"), namespace)
    call: Callable[..., Any] = namespace["call"]
    return call


def _tensor(array: Any) -> Any:
    import torch

    return torch.from_numpy(array)


if __name__ == "__main__":
    main()
