"""A course's folder: its settings, its secret, who is in it, and who may be late."""

import csv
import os
import secrets
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gencomp_course import assignment as assignments

SETTINGS = """\
# A course that gencomp-course grades. What is measured in days is told in late.csv.
name = "{name}"
# Days that each student may be late without cost, over the whole course.
late_days = 3
# Percent of an assignment's points that each day beyond them costs.
late_cost = 10
# Where the assignments lie, if not beside the package: the folder that `bundle` has made.
# assignments = "assignments"
"""
ROSTER = "student,name,email\n"
LATE = "student,assignment,late,extension\n"
NOTE = """\
# {name}

- `roster.csv`: who is in the course. `student` is the name by which the learning platform knows
  them, and the beginning of their files' or folders' names.
- `late.csv`: days by which somebody was late, and days of extension that they were given, a line
  each in the order in which free days are used.
- `secret`: from which each student's inputs are drawn. Keep it to yourself, and keep it: with
  another one everything is graded on other inputs.
- `submissions/<assignment>/`: what was handed in, a file or a folder a student.
- `grades/<assignment>/`: what `gencomp-course grade <assignment> submissions/<assignment>` writes.
"""


class CourseError(ValueError):
    """Something in a course's folder isn't as it must be; says what, and what would do."""


@dataclass(frozen=True)
class Late:
    """How late a student's work is: days, of which some are forgiven, and what the rest costs."""

    days: int = 0
    extension: int = 0
    free: int = 0
    percent: int = 0


@dataclass(frozen=True)
class Course:
    """What a course's folder says.

    Parameters
    ----------
    folder
        Where it lies.
    name
        The course's name.
    secret
        From which inputs are drawn.
    roster
        Name and address by student.
    late
        Student, assignment, days late, days of extension: in the order of the file.
    late_days, late_cost
        Free days over the course; percent a day beyond.
    assignments
        Folder of the assignments.
    """

    folder: Path
    name: str
    secret: bytes
    roster: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    late: Sequence[tuple[str, str, int, int]] = ()
    late_days: int = 0
    late_cost: int = 0
    assignments: Path = assignments.FOLDER

    def grades(self, assignment: str) -> Path:
        """Folder of an assignment's grades, which is made if need be."""
        folder = self.folder / "grades" / assignment
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def lateness(self, student: str, assignment: str) -> Late:
        """Say how late a student's work is, and what that costs after free days."""
        left = self.late_days
        for who, what, days, extension in self.late:
            if who != student:
                continue
            over = max(0, days - extension)
            free = min(over, left)
            left -= free
            if what == assignment:
                return Late(days, extension, free, min(100, (over - free) * self.late_cost))
        return Late()


def create(folder: Path, name: str) -> Course:
    """Make a course's folder; a CourseError if there is one."""
    if (folder / "course.toml").exists():
        raise CourseError(f"{folder} holds a course already")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "submissions").mkdir(exist_ok=True)
    key = os.open(folder / "secret", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(key, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
    told = name.replace("\\", "").replace('"', "'")
    for file_name, text in (
        ("course.toml", SETTINGS.format(name=told)),
        ("roster.csv", ROSTER),
        ("late.csv", LATE),
        ("README.md", NOTE.format(name=told)),
    ):
        (folder / file_name).write_text(text, encoding="utf-8")
    return read(folder)


def find(start: Path) -> Course | None:
    """Read the course of a folder, or of the nearest one above; None if there is none."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / "course.toml").is_file():
            return read(folder)
    return None


def read(folder: Path) -> Course:
    """Read a course's folder; a CourseError says what is wrong with it."""
    try:
        settings = tomllib.loads((folder / "course.toml").read_text(encoding="utf-8-sig"))
        secret = (folder / "secret").read_bytes().strip()
    except OSError as error:
        raise CourseError(
            f"{error.filename}: {error.strerror}; `gencomp-course new` makes it"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise CourseError(f"{folder / 'course.toml'}: {error}") from error
    if len(secret) < 16:
        raise CourseError(f"{folder / 'secret'} is shorter than 16 characters, and can be guessed")
    roster: dict[str, Mapping[str, str]] = {}
    for number, row in _rows(folder / "roster.csv", ("student",)):
        student = same(row["student"])
        if not student or student in roster:
            said = "twice" if student else "without a name"
            raise CourseError(f"{folder / 'roster.csv'}, line {number}: a student {said}")
        roster[student] = row
    late = []
    for number, row in _rows(folder / "late.csv", ("student", "assignment", "late", "extension")):
        try:
            days, extension = (int(row[key] or 0) for key in ("late", "extension"))
        except ValueError as error:
            place = f"{folder / 'late.csv'}, line {number}"
            raise CourseError(f"{place}: late and extension are whole numbers of days") from error
        late.append((same(row["student"]), row["assignment"], days, extension))
    where = settings.get("assignments")
    return Course(
        folder,
        str(settings.get("name", folder.name)),
        secret,
        roster,
        late,
        int(settings.get("late_days", 0)),
        int(settings.get("late_cost", 0)),
        folder / where if where else assignments.FOLDER,
    )


def same(text: str) -> str:
    """Write a name in the one form in which names are compared: é may be one sign or two."""
    return unicodedata.normalize("NFC", text).strip()


def _rows(path: Path, columns: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Lines of a CSV file with their numbers; none if there is no file."""
    if not path.exists():
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        lacking = [name for name in columns if name not in (reader.fieldnames or [])]
        if lacking:
            raise CourseError(f"{path}: its first line lacks {', '.join(lacking)}")
        for row in reader:
            yield reader.line_num, {k: str(v or "").strip() for k, v in row.items() if k}
