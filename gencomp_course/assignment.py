"""An assignment: its functions, its checks, and the folder in which all of it lies."""

import hashlib
import hmac
import importlib
import sys
import types
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Cases = Sequence[Sequence[Any]]
Script = Callable[[np.random.Generator], Generator[Cases, list[Any], bool]]
CODE, WORDS = 60, 40
RUBRIC = (
    "your own number, with its unit and its error",
    "the mechanism, and how it leads to what you see",
    "a case where it fails",
    "a claim revised so that it holds",
)
FOLDER = Path(__file__).resolve().parent.parent / "assignments"


@dataclass(frozen=True)
class Check:
    """One thing that is checked of a function.

    Parameters
    ----------
    function
        Its name.
    name, hint
        What a student reads: what is checked, and where to look if it fails. Neither gives
        anything away.
    points
        What it is worth.
    script
        A generator function of a source of random numbers: it yields the inputs, is sent the
        results once the submission has ended, and returns whether they are right. What is expected
        is computed after that.
    """

    function: str
    name: str
    hint: str
    points: int
    script: Script


@dataclass
class Assignment:
    """The checks of an assignment, as the file ``checks.py`` of its folder makes them.

    Parameters
    ----------
    slug, title
        Its folder's name, and what people read.
    functions
        Name and signature of each function that is asked for.
    cpu_s
        Seconds of the processor for all inputs of a function, where the usual 20 aren't meant.
    drivers
        Of functions that aren't simply called: the source of ``call(function, *arguments)``.
    """

    slug: str
    title: str
    functions: Mapping[str, str]
    cpu_s: Mapping[str, int] = field(default_factory=dict)
    drivers: Mapping[str, str] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)

    def check(self, function: str, points: int, name: str, hint: str) -> Callable[[Script], Script]:
        """Make a generator function a check (:class:`Check`)."""
        if function not in self.functions:
            raise ValueError(f"function is {function!r}, but must be one of {[*self.functions]}")

        def add(script: Script) -> Script:
            self.checks.append(Check(function, name, hint, points, script))
            return script

        return add

    @property
    def points(self) -> int:
        """What all checks are worth together."""
        return sum(check.points for check in self.checks)


class NoSuchAssignment(ValueError):
    """There is no assignment of this name where assignments are looked for."""


def names(folder: Path = FOLDER) -> list[str]:
    """Names of the assignments in a folder."""
    return sorted(path.parent.name for path in folder.glob("*/checks.py"))


def load(name: str, folder: Path = FOLDER) -> Assignment:
    """Load an assignment's checks; a NoSuchAssignment if there are none."""
    checks = _module(name, "checks", folder)
    found = checks.assignment
    assert isinstance(found, Assignment)
    if found.points != CODE:
        raise ValueError(f"the checks of {name} are worth {found.points} points, not {CODE}")
    return found


def load_bank(name: str, folder: Path = FOLDER) -> types.ModuleType:
    """Load an assignment's bank of right and wrong answers."""
    return _module(name, "bank", folder)


def _module(name: str, part: str, folder: Path) -> types.ModuleType:
    place = folder / name
    if name not in names(folder):
        raise NoSuchAssignment(
            f"there is no assignment {name!r} in {folder}; there are: {', '.join(names(folder))}"
        )
    digest = hashlib.sha256(str(place.resolve()).encode()).hexdigest()[:8]
    package = f"_assignment_{digest}"
    if package not in sys.modules:
        sys.modules[package] = types.ModuleType(package)
        sys.modules[package].__path__ = [str(place)]
    return importlib.import_module(f"{package}.{part}")


def random(secret: bytes, *parts: str) -> np.random.Generator:
    """Make a source of random numbers that nobody can foretell without the course's secret.

    Examples
    --------
    >>> first, again, other = (random(b"secret", name) for name in ("ann", "ann", "ben"))
    >>> bool(first.integers(1000) == again.integers(1000))
    True
    """
    message = "\0".join(parts).encode()
    digest = hmac.new(secret, message, hashlib.sha256).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))
