"""Grades one submission: each function in a child of its own, each check by what came back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gencomp_course import assignment as assignments
from gencomp_course.assignment import Assignment, Check
from gencomp_course.judging import Wrong
from gencomp_course.limits import Limits
from gencomp_course.sandbox import Failed, Sandbox


@dataclass(frozen=True)
class Outcome:
    """What came of a check: its points, and why there are none, in words for the student."""

    name: str
    function: str
    points: int
    of: int
    why: str = ""

    @property
    def passed(self) -> bool:
        """Whether the check has passed."""
        return self.points == self.of


@dataclass(frozen=True)
class Report:
    """The outcomes of a submission's checks, and what of it was left out, in words."""

    outcomes: list[Outcome]
    problems: list[str]

    @property
    def points(self) -> int:
        """Points of all checks together."""
        return sum(outcome.points for outcome in self.outcomes)


def grade(
    assignment: Assignment,
    cells: Sequence[str],
    student: str,
    secret: bytes,
    sandbox: Sandbox,
    limits: Limits | None = None,
    functions: Sequence[str] = (),
) -> Report:
    """Grade a submission.

    Parameters
    ----------
    assignment
        Whose checks are made.
    cells
        Sources of the submission's code cells.
    student, secret
        From which the inputs are drawn, as they are each time.
    sandbox
        Where the functions run.
    limits
        What they may use; the assignment says how many seconds of the processor.
    functions
        Those that are graded, if not all.
    """
    outcomes: list[Outcome] = []
    problems: list[str] = []
    for function in functions or assignment.functions:
        allowed = limits or Limits(cpu_s=assignment.cpu_s.get(function, Limits.cpu_s))
        checks = [check for check in assignment.checks if check.function == function]
        scripts = [
            check.script(assignments.random(secret, assignment.slug, student, check.name))
            for check in checks
        ]
        cases = [list(next(script)) for script in scripts]
        ran = sandbox.run(
            cells,
            function,
            [case for some in cases for case in some],
            functions=list(assignment.functions),
            driver=assignment.drivers.get(function, ""),
            limits=allowed,
        )
        problems += [problem for problem in ran.problems if problem not in problems]
        results = iter(ran.results)
        for check, script, some in zip(checks, scripts, cases, strict=True):
            mine = [next(results) for _ in some]
            outcomes.append(_judge(check, script, mine))
    return Report(outcomes, problems)


def _judge(check: Check, script: Any, results: list[Any]) -> Outcome:
    lost = Outcome(check.name, check.function, 0, check.points)
    for result in results:
        if isinstance(result, Failed):
            script.close()
            return replace(lost, why=result.why)
    try:
        script.send(results)
    except StopIteration as end:
        if not isinstance(end.value, bool | np.bool_):
            said = f"the check {check.name!r} gave {end.value!r} for yes or no"
            raise RuntimeError(said) from None
        if end.value:
            return replace(lost, points=check.points)
        return replace(lost, why="it isn't what is expected")
    except Wrong as error:
        return replace(lost, why=str(error))
    raise RuntimeError(f"the check {check.name!r} asks for results twice")
