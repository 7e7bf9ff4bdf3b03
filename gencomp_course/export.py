"""Marks in the forms that learning platforms read."""

import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gencomp_course import gradebook
from gencomp_course.assignment import CODE, WORDS, Assignment
from gencomp_course.course import Course
from gencomp_course.gradebook import Mark, Result
from gencomp_course.grading import Report
from gencomp_utils import REPOSITORY

_SETUP = """\
#!/usr/bin/env bash
set -e
index=https://download.pytorch.org/whl/cpu
python3 -m pip install --quiet --extra-index-url "$index" torch "gencomp_utils @ git+{address}"
"""
_RUN = """\
#!/usr/bin/env bash
cd /autograder/source
python3 -m gencomp_course gradescope {name} --course /autograder/source --as-root
"""


class CannotExport(RuntimeError):
    """Marks can't be exported as they are; says why."""


def canvas(course: Course, assignment: Assignment, table: Sequence[Mark]) -> str:
    """Write marks as Canvas's gradebook imports them."""
    head = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section", assignment.title)
    rows = [(m.name or m.student, "", "", m.student, "", _total(m)) for m in table]
    return gradebook.as_csv([head, ("    Points Possible", "", "", "", "", CODE + WORDS), *rows])


def moodle(course: Course, assignment: Assignment, table: Sequence[Mark]) -> str:
    """Write marks as Moodle's gradebook imports them."""
    head = ("Username", "Email address", assignment.title, "Feedback comments")
    rows = [
        (m.student, course.roster[m.student].get("email", ""), _total(m), m.status) for m in table
    ]
    return gradebook.as_csv([head, *rows])


def _total(mark: Mark) -> object:
    return "" if mark.code is None else mark.total


def require_final(table: Sequence[Mark]) -> None:
    """Raise a CannotExport if a mark isn't final."""
    if waiting := [mark.student for mark in table if mark.status not in ("final", "missing")]:
        raise CannotExport(
            f"{len(waiting)} marks aren't final ({', '.join(waiting[:5])} …): read the words, or "
            "say --provisional"
        )


def gradescope_zip(course: Course, assignment: Assignment, target: Path) -> None:
    """Write the zip that Gradescope runs: the grader, the checks and the course's secret."""
    package = Path(__file__).resolve().parent
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (
            ("setup.sh", _SETUP.format(address=REPOSITORY)),
            ("run_autograder", _RUN.format(name=assignment.slug)),
            ("secret", course.secret.decode()),
            ("course.toml", f'name = "{course.name}"\nassignments = "assignments"\n'),
        ):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, text)
        for path in sorted(package.glob("*.py")):
            archive.write(path, Path(package.name) / path.name)
        folder = course.assignments / assignment.slug
        for path in sorted(folder.glob("*.py")):
            if path.name != "bank.py":
                archive.write(path, Path("assignments") / assignment.slug / path.name)


def gradescope_results(assignment: Assignment, report: Report | str) -> str:
    """Write ``results.json`` for Gradescope: of a report, or of why there is none."""
    if isinstance(report, str):
        return json.dumps({"score": 0, "output": report})
    hints = {check.name: check.hint for check in assignment.checks}
    tests = [
        {
            "name": f"{outcome.function}: {outcome.name}",
            "score": outcome.points,
            "max_score": outcome.of,
            "output": "" if outcome.passed else f"{outcome.why}. {hints[outcome.name]}",
        }
        for outcome in report.outcomes
    ]
    left_out = "; ".join(report.problems)
    told = f"{CODE} points for code; {WORDS} for words, which a person reads. {left_out}".strip()
    return json.dumps({"score": report.points, "output": told, "tests": tests}, ensure_ascii=False)


def nbgrader(
    course: Course,
    assignment: Assignment,
    table: Sequence[Mark],
    results: dict[str, Result],
    database: str,
) -> int:
    """Write scores into nbgrader's gradebook; return how many students got some.

    The assignment gets a notebook of its name with a cell for each check, and one for the words,
    unless they are there. A CannotExport where nbgrader isn't installed.
    """
    try:
        from nbgrader.api import Gradebook
    except ImportError as error:
        raise CannotExport("nbgrader isn't installed here: pip install nbgrader") from error
    name, count = assignment.slug, 0
    cells = {f"check-{i}": check for i, check in enumerate(assignment.checks, 1)}
    with Gradebook(database) as book:
        book.update_or_create_assignment(name)
        book.update_or_create_notebook(name, name)
        add: Callable[..., Any] = book.update_or_create_grade_cell
        for cell, check in cells.items():
            add(cell, name, name, max_score=check.points, cell_type="code")
        add("words", name, name, max_score=WORDS, cell_type="markdown")
        for mark in table:
            row = course.roster[mark.student]
            book.update_or_create_student(mark.student, email=row.get("email") or None)
            if mark.code is None:
                continue
            book.update_or_create_submission(name, mark.student)
            points = {check["name"]: check["points"] for check in results[mark.student]["checks"]}
            for cell, check in cells.items():
                grade = book.find_grade(cell, name, name, mark.student)
                grade.auto_score, grade.needs_manual_grade = points.get(check.name, 0), False
            grade = book.find_grade("words", name, name, mark.student)
            grade.manual_score, grade.needs_manual_grade = mark.words, mark.words is None
            count += 1
        book.db.commit()
    return count


def copy_feedback(source: Path, target: Path, table: Sequence[Mark]) -> None:
    """Copy pages of feedback to where a platform takes them: a folder a student."""
    for mark in table:
        (target / mark.student).mkdir(parents=True, exist_ok=True)
        shutil.copy2(
            source / f"{gradebook.key(mark.student)}.html", target / mark.student / "feedback.html"
        )
