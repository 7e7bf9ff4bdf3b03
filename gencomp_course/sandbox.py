"""The grader's side of the border: asks the server to run a function, and reads what comes back."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from gencomp_course import plain
from gencomp_course.limits import Limits

_INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "XDG_CACHE_HOME", "MPLCONFIGDIR")


class Unavailable(RuntimeError):
    """The process that runs submissions can't be started."""


@dataclass(frozen=True)
class Failed:
    """Why an input gave no result, in words for the student."""

    why: str


@dataclass(frozen=True)
class Ran:
    """What came of running a function on its inputs.

    Parameters
    ----------
    results
        For each input what the function returned, as plain data, or why there is nothing.
    problems
        What of the submission was left out, in words.
    found
        Whether the submission defines the function.
    cpu_s
        Seconds of the processor that it took.
    """

    results: list[Any]
    problems: list[str] = field(default_factory=list)
    found: bool = True
    cpu_s: float = 0.0


class Sandbox:
    """Runs functions of submissions, one child each; a context manager.

    ``Sandbox().run(["def double(x): return 2 * x"], "double", [[3]]).results`` is ``[6]``.
    """

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None
        self.hides_files = self.filters_calls = False

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server."""
        if self._server is None:
            return
        for stream in (self._server.stdin, self._server.stdout):
            if stream:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
        self._server.kill()
        self._server.wait()
        self._server = None

    def start(self) -> None:
        """Start the server, unless it runs; an Unavailable if it doesn't come up."""
        if self._server and self._server.poll() is None:
            return
        self.close()
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "GENCOMP_BUILD": "1"}
        environment |= {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
        self._server = subprocess.Popen(
            [sys.executable, "-m", "gencomp_course.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd="/",
        )
        hello = self._exchange(None)
        if hello is None:
            raise Unavailable("the process that runs submissions didn't start; its error is above")
        self.hides_files, self.filters_calls = hello["hides"], hello["filters"]

    def run(
        self,
        cells: Sequence[str],
        function: str,
        cases: Sequence[Sequence[Any]],
        *,
        functions: Sequence[str] = (),
        driver: str = "",
        limits: Limits | None = None,
    ) -> Ran:
        """Run a submission's function on inputs.

        Parameters
        ----------
        cells
            Sources of the submission's code cells.
        function
            The function's name.
        cases
            Arguments of each call: numbers, short texts, arrays, lists of them.
        functions
            Names of all functions that are asked for; by default this one.
        driver
            Source that defines ``call(function, *arguments)``, where a plain call isn't what is
            wanted. It runs beside the submission, and so may hold no expected value.
        limits
            What it may use.
        """
        allowed = limits or Limits()
        request = {
            "cells": list(cells),
            "function": function,
            "functions": list(functions) or [function],
            "cases": [plain.encode(list(case)) for case in cases],
            "driver": driver,
            "limits": asdict(allowed),
        }
        self.start()
        reply = self._exchange(request)
        if reply is None:
            self.close()
            return Ran([Failed("the process that ran it was ended from inside")] * len(cases))
        return _read(reply, len(cases), allowed)

    def _exchange(self, request: dict[str, Any] | None) -> dict[str, Any] | None:
        server = self._server
        assert server
        assert server.stdin
        assert server.stdout
        try:
            if request is not None:
                server.stdin.write(json.dumps(request).encode() + b"\n")
                server.stdin.flush()
            line = server.stdout.readline()
            reply: dict[str, Any] | None = json.loads(line) if line else None
        except (OSError, ValueError):
            return None
        return reply


def _read(reply: dict[str, Any], count: int, limits: Limits) -> Ran:
    """Read what a child wrote, which may be anything at all."""
    lines = reply["text"].encode().split(b"\n")
    head = _line(lines[0])
    problems = [text for text in _list(head.get("problems")) if type(text) is str and text]
    problems = [text[:200] for text in problems[:10]]
    if lines[0] and head.get("found") is not True:
        missing = Failed("the submission doesn't define it")
        return Ran([missing] * count, problems, False, reply["cpu_s"])
    results = [_result(_line(line)) for line in lines[1 : count + 1] if line]
    why = Failed(_ended(reply, limits))
    results += [why] * (count - len(results))
    return Ran(results, problems, True, reply["cpu_s"])


def _line(text: bytes) -> dict[str, Any]:
    try:
        read = plain.loads(text)
    except plain.NotPlain:
        return {}
    return read if type(read) is dict else {}


def _list(value: Any) -> list[Any]:
    return value if type(value) is list else []


def _result(line: dict[str, Any]) -> Any:
    if "value" in line:
        try:
            return plain.decode(line["value"])
        except plain.NotPlain as error:
            return Failed(f"it gave back {error}")
    for key, words in (("refused", "it gave back"), ("raised", "it raised")):
        if type(line.get(key)) is str:
            return Failed(f"{words} {line[key][:200]}")
    return Failed("it gave back something that can't be read")


def _ended(reply: dict[str, Any], limits: Limits) -> str:
    if reply["reason"] == "clock":
        return f"it took more than {limits.wall_s:.0f} s"
    if reply["reason"] == "idle":
        return f"it did nothing for {limits.idle_s:.0f} s"
    if reply["reason"] == "output":
        return f"it wrote more than {limits.answer_mb} MB"
    if reply["reason"] == "processes":
        return "it started other processes"
    if reply["cpu_s"] > limits.cpu_s - 1:
        return f"it took more than {limits.cpu_s} s of the processor"
    if reply["signal"]:
        return f"the process was ended by signal {reply['signal']}"
    return "the process ended before it gave anything back"
