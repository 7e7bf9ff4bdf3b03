"""The command ``gencomp-course``."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gencomp_course import assignment as assignments
from gencomp_course import course as courses
from gencomp_course import export, feedback, gradebook, grading, reading, release
from gencomp_course.assignment import Assignment, NoSuchAssignment
from gencomp_course.course import Course, CourseError
from gencomp_course.gradebook import Mark, Result
from gencomp_course.sandbox import Sandbox, Unavailable

NO_SANDBOX = (
    "This is no sandbox for strangers' code: submissions run as your own user, with limits. For "
    "people you don't know, run it in a container without network."
)
PUBLIC = b"inputs of a check outside of any course"
FORMS = ("canvas", "moodle", "gradescope", "nbgrader")
Failures = (
    *(CourseError, NoSuchAssignment, Unavailable, reading.Unreadable),
    *(release.Leak, export.CannotExport, OSError),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; leave with a sentence if it can't be done."""
    given = _parser().parse_args(arguments)
    try:
        given.run(given)
    except Failures as error:
        sys.exit(f"gencomp-course: {error}")
    except KeyboardInterrupt:
        sys.exit("gencomp-course: stopped. What was graded is kept; the same command goes on.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gencomp-course",
        description=f"Assignments of the book: hand them out, grade them, hand back. {NO_SANDBOX}",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, words: str, *, runs_code: bool = False) -> Any:
        added = commands.add_parser(name, help=words, description=words)
        added.set_defaults(run=run)
        added.add_argument(
            "--course", type=Path, metavar="FOLDER", help="the course's folder; else the one here"
        )
        if runs_code:
            added.add_argument(
                "--as-root",
                action="store_true",
                help="run submissions as root, which only a container without network is for",
            )
        return added

    new = command("new", _new, "make a course's folder")
    new.add_argument("folder", type=Path)
    new.add_argument("--name", default="", help="the course's name")

    handed = command("release", _release, "write an assignment's notebook for students")
    handed.add_argument("name", help="of the assignment, or all")
    handed.add_argument("folder", type=Path)
    handed.add_argument("--nbgrader", action="store_true", help="with nbgrader's metadata")

    check = command("check", _check, "check files: a line of JSON each", runs_code=True)
    check.add_argument("name")
    check.add_argument("files", nargs="+", metavar="FILE", help="a notebook or a .py file")
    check.add_argument("--student", default="check", help="from whose name inputs are drawn")

    for name, run, words in (
        ("grade", _grade, "grade a class; goes on where it was stopped"),
        ("regrade", _regrade, "grade a class again, and print the differences"),
    ):
        added = command(name, run, words, runs_code=True)
        added.add_argument("name")
        added.add_argument("folder", type=Path, help="a file or a folder for each student")
        added.add_argument("--workers", type=int, help="submissions side by side")
        if name == "regrade":
            added.add_argument("--dry-run", action="store_true", help="print, and change nothing")

    out = command("export", _export, "write marks as a platform reads them")
    out.add_argument("name")
    out.add_argument("--to", choices=FORMS, required=True)
    out.add_argument("--provisional", action="store_true", help="though words are to be read yet")
    out.add_argument(
        "--database", default="", help="nbgrader's, as it names it; else the one that it uses here"
    )

    scope = command("gradescope", _gradescope, "what Gradescope's zip runs", runs_code=True)
    scope.add_argument("name")
    scope.add_argument("--autograder", type=Path, default=Path("/autograder"))

    bundle = command("bundle", _bundle, "write the private copy of all assignments")
    bundle.add_argument("target", type=Path, metavar="FILE.zip")
    return parser


def _note(text: str) -> None:
    print(text, file=sys.stderr)


def _course(given: argparse.Namespace, required: bool = True) -> Course | None:
    start = given.course or Path.cwd()
    found = courses.read(start) if given.course else courses.find(start)
    if found is None and required:
        raise CourseError(f"{start} lies in no course; `gencomp-course new FOLDER` makes one")
    return found


def _refuse_root(given: argparse.Namespace) -> None:
    if not hasattr(os, "fork"):
        raise CourseError("this system can't fence submissions: grade on Linux, macOS or in WSL")
    if hasattr(os, "geteuid") and os.geteuid() == 0 and not given.as_root:
        raise CourseError(
            "submissions would run as root. Be another user, or say --as-root in a container "
            "that has nothing to lose"
        )


def _warn(sandbox: Sandbox) -> None:
    if not sandbox.hides_files:
        _note("Careful: this system can't hide files (no Landlock): submissions read what you can.")
    if not sandbox.filters_calls:
        _note("Careful: this system filters no calls: submissions reach the network as you can.")


# Commands


def _new(given: argparse.Namespace) -> None:
    made = courses.create(given.folder, given.name or given.folder.resolve().name)
    print(f"{made.folder}: fill in roster.csv, and keep the file secret to yourself.")
    print(NO_SANDBOX)


def _release(given: argparse.Namespace) -> None:
    course = _course(given, required=False)
    folder = course.assignments if course else assignments.FOLDER
    for name in assignments.names(folder) if given.name == "all" else [given.name]:
        print(release.release(folder, name, given.folder, nbgrader=given.nbgrader))


def _check(given: argparse.Namespace) -> None:
    _refuse_root(given)
    course = _course(given, required=False)
    asked = assignments.load(given.name, course.assignments if course else assignments.FOLDER)
    secret = course.secret if course else PUBLIC
    with Sandbox() as sandbox:
        sandbox.start()
        _warn(sandbox)
        for file in given.files:
            print(json.dumps(_checked(asked, file, given.student, secret, sandbox)), flush=True)


def _checked(
    asked: Assignment, file: str, student: str, secret: bytes, sandbox: Sandbox
) -> dict[str, Any]:
    line: dict[str, Any] = {"file": file, "points": 0, "of": asked.points, "checks": []}
    try:
        submission = reading.read(Path(file))
    except reading.Unreadable as error:
        return line | {"problems": [str(error)]}
    report = grading.grade(asked, submission.code, student, secret, sandbox)
    checks = [
        {
            "name": outcome.name,
            "function": outcome.function,
            "points": outcome.points,
            "of": outcome.of,
            "why": outcome.why,
        }
        for outcome in report.outcomes
    ]
    return line | {"points": report.points, "checks": checks, "problems": report.problems}


def _grade(given: argparse.Namespace) -> None:
    _refuse_root(given)
    course = _course(given)
    assert course
    asked = assignments.load(given.name, course.assignments)
    files = _files(course, given.folder, asked.slug)
    _note(NO_SANDBOX)
    results = gradebook.grade(
        course, asked, files, workers=given.workers, progress=_bar(f"grading {given.name}")
    )
    table = _write(course, asked, results)
    _print_table(table)


def _files(course: Course, folder: Path, assignment: str) -> dict[str, Path]:
    if not course.roster:
        raise CourseError(f"{course.folder / 'roster.csv'} names no students")
    files, strangers = gradebook.submissions(folder, course.roster, assignment)
    for name in strangers:
        _note(f"Nobody of the roster owns {name}: it isn't graded.")
    return files


def _bar(label: str) -> Any:
    def wrap(steps: Iterator[Any], total: int) -> Iterable[Any]:
        from tqdm import tqdm

        bar: Iterable[Any] = tqdm(steps, desc=label, total=total, file=sys.stderr)
        return bar

    return wrap


def _write(course: Course, asked: Assignment, results: Mapping[str, Result]) -> list[Mark]:
    gradebook.write_words(course, asked.slug, results)
    table = gradebook.marks(course, asked, results)
    written = [
        gradebook.write_grades(course, asked.slug, table),
        feedback.write_pages(course, asked, table, results),
        feedback.write_reading(
            course, asked, results, release.given_words(course.assignments, asked.slug)
        ),
    ]
    for path in written:
        _note(f"written: {path}")
    return table


def _print_table(table: Sequence[Mark]) -> None:
    width = max(len(mark.student) for mark in table)
    print(f"{'student':{width}}  status       code  words  total  note")
    for mark in table:
        code, words = ("–" if p is None else str(p) for p in (mark.code, mark.words))
        total = f"{mark.total:g}" if mark.code is not None else "–"
        note = mark.note[:60] + (f" late: −{mark.deduction:g}" if mark.late.percent else "")
        print(
            f"{mark.student:{width}}  {mark.status:11}  {code:>4}  {words:>5}  {total:>5}  {note}"
        )
    waiting = sum(mark.status == "provisional" for mark in table)
    if waiting:
        print(f"{waiting} marks are provisional: their words are yet to be read (to-read.html).")


def _regrade(given: argparse.Namespace) -> None:
    _refuse_root(given)
    course = _course(given)
    assert course
    asked = assignments.load(given.name, course.assignments)
    old = gradebook.stored(course, asked.slug)
    new = gradebook.grade(
        course,
        asked,
        _files(course, given.folder, asked.slug),
        again=True,
        keep=not given.dry_run,
        workers=given.workers,
        progress=_bar(f"regrading {given.name}"),
    )
    changed = gradebook.differences(old, new)
    print("\n".join(changed) or "No mark has changed.")
    if not given.dry_run:
        _write(course, asked, new)


def _export(given: argparse.Namespace) -> None:
    course = _course(given)
    assert course
    asked = assignments.load(given.name, course.assignments)
    folder = course.grades(asked.slug)
    if given.to == "gradescope":
        target = folder / "gradescope.zip"
        export.gradescope_zip(course, asked, target)
        print(
            f"{target}: holds the course's secret; upload it as the autograder, show it to nobody."
        )
        return
    results = gradebook.stored(course, asked.slug)
    table = gradebook.marks(course, asked, results)
    if not given.provisional:
        export.require_final(table)
    if given.to == "nbgrader":
        database, count = export.nbgrader(course, asked, table, results, given.database)
        print(f"{database}: scores of {count} students")
        return
    write = export.canvas if given.to == "canvas" else export.moodle
    target = folder / f"{given.to}.csv"
    gradebook.write(target, write(course, asked, table))
    print(target)


def _gradescope(given: argparse.Namespace) -> None:
    _refuse_root(given)
    course = _course(given)
    assert course
    asked = assignments.load(given.name, course.assignments)
    told = json.loads((given.autograder / "submission_metadata.json").read_text(encoding="utf-8"))
    student = ",".join(sorted(str(user["email"]) for user in told["users"]))
    files = sorted(
        path
        for path in (given.autograder / "submission").rglob("*")
        if path.suffix in gradebook.SUFFIXES
    )
    report: Any = "There is neither a notebook nor a .py file."
    if files:
        try:
            cells = reading.read(files[-1]).code
            with Sandbox() as sandbox:
                report = grading.grade(asked, cells, student, course.secret, sandbox)
        except reading.Unreadable as error:
            report = str(error)
    path = given.autograder / "results" / "results.json"
    gradebook.write(path, export.gradescope_results(asked, report))


def _bundle(given: argparse.Namespace) -> None:
    course = _course(given, required=False)
    found = release.bundle(course.assignments if course else assignments.FOLDER, given.target)
    print(f"{given.target}: {', '.join(found)}. It holds all answers: keep it from students.")
