"""Grades a class: who has handed in what, results that survive a kill, marks, what is to be read.

The result of each student is a file of its own, written whole or not at all, with a digest of the
submission, of the checks and of the secret. What is there with the right digest isn't graded again.
"""

import csv
import hashlib
import hmac
import io
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gencomp_course import grading, reading
from gencomp_course.assignment import CODE, RUBRIC, WORDS, Assignment
from gencomp_course.course import Course, CourseError, Late, same
from gencomp_course.limits import Limits
from gencomp_course.sandbox import Sandbox

SUFFIXES = (".ipynb", ".py")
COLUMNS = (
    *("student", "name", "status", "code", "words", "days late", "deduction", "total", "of"),
    *("file", "note"),
)
LINES = ("number", "mechanism", "failure", "revision")
MOST_A_LINE = 2
Result = dict[str, Any]


@dataclass(frozen=True)
class Mark:
    """A student's line in the table.

    ``status`` is one of missing, provisional (words are yet to be read), final, unreadable, and
    look (the grader itself failed). Points are None where there are none yet.
    """

    student: str
    name: str
    status: str
    code: int | None
    words: int | None
    late: Late
    file: str = ""
    note: str = ""

    @property
    def deduction(self) -> float:
        """Points taken off for being late."""
        return round(((self.code or 0) + (self.words or 0)) * self.late.percent / 100, 1)

    @property
    def total(self) -> float:
        """Points so far."""
        return (self.code or 0) + (self.words or 0) - self.deduction


def submissions(
    folder: Path, roster: Iterable[str], assignment: str = ""
) -> tuple[dict[str, Path], list[str]]:
    """Find the file that counts of each student, and list what belongs to nobody.

    A file or a folder belongs to the student whose name it has, or begins with before a sign that
    is neither letter nor digit. Of several files the last one written counts. If a student's folder
    has one of the assignment's name, as nbgrader collects them, only what is in there counts.
    """
    if not folder.is_dir():
        raise CourseError(f"{folder} is no folder of submissions")
    files: dict[str, list[Path]] = {}
    strangers = []
    known = sorted(roster, key=len, reverse=True)
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith((".", "__")):
            continue
        if entry.is_dir():
            inner = entry / assignment if (entry / assignment).is_dir() else entry
            found, name = [p for p in sorted(inner.rglob("*")) if _counts(p)], same(entry.name)
        else:
            found, name = [entry] if _counts(entry) else [], same(entry.stem)
        owner = next((student for student in known if _belongs(name, student)), None)
        if owner is None:
            strangers.append(entry.name)
        else:
            files.setdefault(owner, []).extend(found)
    last = {
        student: max(some, key=lambda p: (p.stat().st_mtime_ns, p.name))
        for student, some in files.items()
        if some
    }
    return last, strangers


def _counts(path: Path) -> bool:
    backup = ".ipynb_checkpoints" in path.parts
    return path.suffix.lower() in SUFFIXES and path.is_file() and not backup


def _belongs(name: str, student: str) -> bool:
    rest = name[len(student) :]
    return name.startswith(student) and (not rest or not rest[0].isalnum())


# Results on disk


def key(student: str) -> str:
    """Name of a student's files: readable, of any length, and never two students'."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", student)[:40].strip("-")
    return f"{plain or 'student'}-{hashlib.sha256(student.encode()).hexdigest()[:8]}"


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def digest(course: Course, assignment: Assignment, path: Path) -> str:
    """Digest what a result depends on: the submission, the checks and the secret."""
    whole = hmac.new(course.secret, path.read_bytes(), hashlib.sha256)
    for file in sorted((course.assignments / assignment.slug).glob("*.py")):
        if file.name != "bank.py":
            whole.update(file.read_bytes())
    return whole.hexdigest()


def stored(course: Course, assignment: str) -> dict[str, Result]:
    """Read the results that are there, by student; what isn't whole isn't there."""
    found = {}
    for path in sorted((course.grades(assignment) / "results").glob("*.json")):
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue
        found[result["student"]] = result
    return found


# Grading


def grade(
    course: Course,
    assignment: Assignment,
    files: Mapping[str, Path],
    *,
    again: bool = False,
    keep: bool = True,
    workers: int | None = None,
    limits: Limits | None = None,
    progress: Callable[[Iterator[Any], int], Iterable[Any]] = lambda steps, total: steps,
) -> dict[str, Result]:
    """Grade all submissions that have no result yet, and return the results of all.

    Parameters
    ----------
    course, assignment
        Whose.
    files
        The submission that counts, by student.
    again
        Whether to grade what has been graded, too.
    keep
        Whether to write the results.
    workers
        How many processes run submissions side by side; by default one a processor.
    limits
        What submissions may use.
    progress
        Wraps the loop over what is to be graded.
    """
    results = {}
    todo = []
    before = {} if again else stored(course, assignment.slug)
    for student, path in files.items():
        seal = digest(course, assignment, path)
        old = before.get(student)
        if old and old["digest"] == seal and "broken" not in old:
            results[student] = old
        else:
            todo.append((student, path, seal))
    count = min(workers or os.cpu_count() or 1, len(todo))
    if not todo:
        return results
    own = threading.local()
    sandboxes: list[Sandbox] = []

    def one(student: str, path: Path, seal: str) -> Result:
        if not hasattr(own, "sandbox"):
            own.sandbox = Sandbox()
            sandboxes.append(own.sandbox)
            own.sandbox.start()
        return _one(course, assignment, student, path, seal, own.sandbox, limits)

    pool = ThreadPoolExecutor(count)
    try:
        waiting = [pool.submit(one, *task) for task in todo]
        for done in progress(as_completed(waiting), len(todo)):
            result = done.result()
            results[result["student"]] = result
            if keep:
                path = course.grades(assignment.slug) / "results" / f"{key(result['student'])}.json"
                write(path, json.dumps(result, ensure_ascii=False, indent=1))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for sandbox in sandboxes:
            sandbox.close()
    return results


def _one(
    course: Course,
    assignment: Assignment,
    student: str,
    path: Path,
    seal: str,
    sandbox: Sandbox,
    limits: Limits | None,
) -> Result:
    result: Result = {
        "student": student,
        "file": path.name,
        "digest": seal,
        "graded": time.strftime("%Y-%m-%d %H:%M:%S"),
        "points": 0,
        "of": assignment.points,
        "checks": [],
        "problems": [],
        "words": [],
    }
    try:
        submission = reading.read(path)
    except reading.Unreadable as error:
        return result | {"unreadable": str(error)}
    result["words"] = submission.words
    try:
        report = grading.grade(assignment, submission.code, student, course.secret, sandbox, limits)
    except Exception as error:  # a check's own mistake mustn't cost the class its evening
        return result | {"broken": f"{type(error).__name__}: {error}"}
    return result | {
        "points": report.points,
        "checks": [asdict(outcome) for outcome in report.outcomes],
        "problems": report.problems,
    }


# Words


def words_of(result: Result, released: Sequence[str]) -> list[str]:
    """Give a student's own words: what of the Markdown wasn't in the released notebook."""
    given = {text.strip() for text in released}
    return [text for text in result["words"] if text.strip() and text.strip() not in given]


def read_words(course: Course, assignment: str) -> dict[str, list[int | None]]:
    """Read the points for words, by student, a line of the rubric each; None where it's open."""
    path = course.grades(assignment) / "words.csv"
    found: dict[str, list[int | None]] = {}
    if path.exists():
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                found[same(row["student"])] = [_points(row.get(line), path) for line in LINES]
    return found


def _points(text: str | None, path: Path) -> int | None:
    if not (text or "").strip():
        return None
    if str(text).strip() not in ("0", "1", "2"):
        raise CourseError(f"{path}: a line of the rubric gives 0, 1 or {MOST_A_LINE}, not {text!r}")
    return int(str(text))


def write_words(course: Course, assignment: str, results: Mapping[str, Result]) -> None:
    """Write the list of what is to be read, with the points that are in it already."""
    points = read_words(course, assignment)
    rows = [
        [student, *("" if p is None else str(p) for p in points.get(student, [None] * len(LINES)))]
        for student in sorted(results.keys() | points.keys())
    ]
    write(course.grades(assignment) / "words.csv", as_csv([("student", *LINES), *rows]))


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    r"""Write rows as CSV, so that no spreadsheet takes a student's text for a formula.

    Examples
    --------
    >>> as_csv([("name", "points"), ("=1+1", 3)])
    "name,points\r\n'=1+1,3\r\n"
    """
    text = io.StringIO()
    csv.writer(text).writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell


# Marks


def marks(course: Course, assignment: Assignment, results: Mapping[str, Result]) -> list[Mark]:
    """Give each student of the roster a mark, in the roster's order."""
    words = read_words(course, assignment.slug)
    return [
        _mark(student, row.get("name", ""), results.get(student), words.get(student, []),
              course.lateness(student, assignment.slug))
        for student, row in course.roster.items()
    ]  # fmt: skip


def _mark(
    student: str, name: str, result: Result | None, lines: Sequence[int | None], late: Late
) -> Mark:
    if result is None:
        return Mark(student, name, "missing", None, None, late)
    if "broken" in result:
        return Mark(student, name, "look", None, None, late, result["file"], result["broken"])
    read = [points for points in lines if points is not None]
    words = sum(read) * WORDS // (MOST_A_LINE * len(RUBRIC)) if len(read) == len(RUBRIC) else None
    status = "provisional" if words is None else "final"
    note = "; ".join(result["problems"])
    if "unreadable" in result:
        status, note = "unreadable", result["unreadable"]
    code = round(result["points"] * CODE / result["of"])
    return Mark(student, name, status, code, words, late, result["file"], note)


def write_grades(course: Course, assignment: str, table: Sequence[Mark]) -> Path:
    """Write ``grades.csv``, and say where."""
    path = course.grades(assignment) / "grades.csv"
    rows = [
        (m.student, m.name, m.status, *("" if p is None else p for p in (m.code, m.words)),
         m.late.days, m.deduction, m.total, CODE + WORDS, m.file, m.note)
        for m in table
    ]  # fmt: skip
    write(path, as_csv([COLUMNS, *rows]))
    return path


def differences(old: Mapping[str, Result], new: Mapping[str, Result]) -> list[str]:
    """Say whose points another grading changes, and by which checks."""
    told = []
    for student in sorted(old.keys() | new.keys()):
        before, after = old.get(student), new.get(student)
        if before is None or after is None:
            told.append(f"{student}: {'graded' if before is None else 'gone'}")
            continue
        points = {check["name"]: check["points"] for check in before["checks"]}
        changed = [
            f"{check['name']}: {points.get(check['name'], '–')} → {check['points']}"
            for check in after["checks"]
            if points.get(check["name"]) != check["points"]
        ]
        if changed or before["points"] != after["points"]:
            total = f"{before['points']} → {after['points']}"
            told.append(f"{student}: {total} ({'; '.join(changed)})")
    return told
