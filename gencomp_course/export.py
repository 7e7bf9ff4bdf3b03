"""Marks in the forms that learning platforms read."""

import json
import zipfile
from collections.abc import Sequence
from importlib import metadata
from itertools import zip_longest
from pathlib import Path
from typing import Any

import gencomp_utils
from gencomp_course import gradebook
from gencomp_course.assignment import CODE, WORDS, Assignment
from gencomp_course.course import Course
from gencomp_course.gradebook import MOST_A_LINE, Mark, Result
from gencomp_course.grading import Report

# Gradescope unpacks the zip into /autograder/source, runs setup.sh once, and for each submission a
# copy of run_autograder that it puts beside that folder. Its older images bring Python 3.10.
_SETUP = """\
#!/usr/bin/env bash
set -e
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=python3
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || python=python3.11
apt-get update -qq
apt-get install -y -qq "$python-venv"
"$python" -m venv environment
pip=(environment/bin/pip install --quiet --disable-pip-version-check)
# PyTorch first and alone: with what it asks for come gigabytes of CUDA.
"${pip[@]}" --no-deps --extra-index-url https://download.pytorch.org/whl/cpu "torch==TORCH"
"${pip[@]}" -r source/requirements.txt
"""
_RUN = """\
#!/usr/bin/env bash
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cd "$here/source"
"$here/environment/bin/python" -m gencomp_course gradescope NAME --autograder "$here" --as-root
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
    needed = [line for line in metadata.requires("gencomp_utils") or [] if "extra ==" not in line]
    folder = course.assignments / assignment.slug
    sources = {
        **{Path("assignments", assignment.slug, path.name): path for path in folder.glob("*.py")},
        **_package(Path(__file__).resolve().parent),
        **_package(Path(gencomp_utils.__file__).resolve().parent),
    }
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (
            ("setup.sh", _SETUP.replace("TORCH", metadata.version("torch").partition("+")[0])),
            ("run_autograder", _RUN.replace("NAME", assignment.slug)),
            ("requirements.txt", "\n".join(needed)),
            ("secret", course.secret.decode()),
            ("course.toml", f'name = "{course.name}"\nassignments = "assignments"\n'),
        ):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, text)
        for place, path in sorted(sources.items()):
            if path.name != "bank.py":
                archive.write(path, place)


def _package(folder: Path) -> dict[Path, Path]:
    """Give a package's code by its place in a zip."""
    return {path.relative_to(folder.parent): path for path in folder.rglob("*.py")}


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


def nbgrader_cells(assignment: Assignment) -> dict[str, int]:
    """Points of the cells that are marked: one for each function, one for each answer in words."""
    points = {
        function: sum(check.points for check in assignment.checks if check.function == function)
        for function in assignment.functions
    }
    return points | {f"answer-{line}": WORDS // len(gradebook.LINES) for line in gradebook.LINES}


def nbgrader(
    course: Course,
    assignment: Assignment,
    table: Sequence[Mark],
    results: dict[str, Result],
    database: str = "",
) -> tuple[str, int]:
    """Write scores into nbgrader's gradebook; return its address and how many students got some.

    The gradebook is the one that nbgrader's settings name, unless another is given. Points that
    somebody gave in the formgrader stay, but for words that have some in ``words.csv``. A
    CannotExport where nbgrader isn't installed.
    """
    try:
        from nbgrader.api import Gradebook
        from nbgrader.apps.baseapp import NbGrader
        from nbgrader.coursedir import CourseDirectory
    except ImportError as error:
        raise CannotExport("nbgrader isn't installed here: pip install nbgrader") from error
    if not database:
        settings: Any = NbGrader()
        settings.load_config_file()
        database = CourseDirectory(config=settings.config).db_url
    name, count, cells = assignment.slug, 0, nbgrader_cells(assignment)
    words = gradebook.read_words(course, name)
    with Gradebook(database) as book:
        book.update_or_create_assignment(name)
        book.update_or_create_notebook(name, name)
        for cell, most in cells.items():
            kind = "code" if cell in assignment.functions else "markdown"
            book.update_or_create_grade_cell(cell, name, name, max_score=most, cell_type=kind)
            book.update_or_create_solution_cell(cell, name, name)
        for mark in table:
            email = course.roster[mark.student].get("email") or None
            book.update_or_create_student(mark.student, email=email)
            if mark.code is None:
                continue
            book.update_or_create_submission(name, mark.student)
            grades = {c: book.find_grade(c, name, name, mark.student) for c in cells}
            for function in assignment.functions:
                mine = [c for c in results[mark.student]["checks"] if c["function"] == function]
                grades[function].auto_score = sum(check["points"] for check in mine)
                grades[function].needs_manual_grade = False
                comment = book.find_comment(function, name, name, mark.student)
                comment.auto_comment = _told(assignment, mine)
            for line, points in zip_longest(gradebook.LINES, words.get(mark.student, ())):
                grade = grades[f"answer-{line}"]
                if points is not None:
                    grade.manual_score = points * WORDS / len(gradebook.LINES) / MOST_A_LINE
                grade.needs_manual_grade = grade.manual_score is None
            given = [(grade.manual_score, grade.auto_score) for grade in grades.values()]
            earned = sum((auto or 0) if manual is None else manual for manual, auto in given)
            notebook = book.find_submission_notebook(name, name, mark.student)
            notebook.late_submission_penalty = round(earned * mark.late.percent / 100, 1)
            count += 1
        book.db.commit()
    return database, count


def _told(assignment: Assignment, checks: Sequence[dict[str, Any]]) -> str:
    """Say which checks failed, as :func:`gradescope_results` and the pages of feedback do."""
    hints = {check.name: check.hint for check in assignment.checks}
    return "\n\n".join(
        f"{c['name']}: {c['points']} of {c['of']}. {c['why']}. {hints.get(c['name'], '')}"
        for c in checks
        if c["points"] < c["of"]
    )
