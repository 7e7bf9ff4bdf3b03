"""Classes of made-up students, graded by the command, killed in the middle, and graded again.

`make test` has one class of thirty; with GENCOMP_CLASSES=all every assignment has one, and not only
a small class.
"""

import csv
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT

from gencomp_course import assignment, attacks, course, feedback, gradebook, grading, release
from gencomp_course.limits import Limits
from gencomp_course.sandbox import Sandbox

pytestmark = pytest.mark.slow
NAMES = assignment.names()
FULL = NAMES if os.environ.get("GENCOMP_CLASSES") == "all" else ["two-samples"]
SMALL = [name for name in NAMES if name not in FULL] or NAMES[:1]
LATE = ("late-beyond", "late-free")
# Points of a later function's check that calls the first one too, and what ends the process there.
PLAYED_TOGETHER = {"one-step": 4}
DEADLY = ("a crash", "endless loop", "except BaseException", "os._exit(0)")
LOSES_FIRST = ("endless loop", "except BaseException", "8 GB", "a fork bomb", "os._exit(0)")


class MadeUp:
    """A class of thirty, each student's files, and the points that they are to have."""

    def __init__(self, name: str, folder: Path):
        self.name, self.folder = name, folder
        self.bank, self.assignment = assignment.load_bank(name), assignment.load(name)
        self.functions = [*self.assignment.functions]
        self.first = self.functions[0]
        of_first = [c.points for c in self.assignment.checks if c.function == self.first]
        self.rest = self.assignment.points - sum(of_first)
        self.planned: dict[str, int | str] = {}
        self.must_fail: dict[str, str] = {}

    def alone(self, function: str, code: str) -> str:
        """Rename other asked functions that an answer brings along, or the last one would count."""
        for other in self.functions:
            if other != function:
                code = re.sub(rf"\b{other}\b", f"own_{other}", code)
        return code

    def right(self, style: int = 0) -> list[str]:
        """A right answer to each function, in some style."""
        answers = [[*self.bank.RIGHT[function].values()] for function in self.functions]
        chosen = [codes[style % len(codes)] for codes in answers]
        return [self.alone(f, code) for f, code in zip(self.functions, chosen, strict=True)]

    def wrong(self, number: int) -> tuple[str, list[str]]:
        """A wrong answer to the first function, right ones to the others, and what it must fail."""
        _, check, code = self.bank.WRONG[self.first][number]
        return check, [self.alone(self.first, code), *self.right()[1:]]

    def cheat(self, student: str, cheat: str, **how: Any) -> None:
        """Hand in right answers, but for a cheat in the first function."""
        value = self.bank.VALUES[self.first]
        names = {"FUNCTION": self.first, "ASSIGNMENT": self.name, "VALUE": value}
        code = attacks.CHEATS[cheat]
        for placeholder, text in names.items():
            code = code.replace(placeholder, text)
        lost = PLAYED_TOGETHER.get(self.name, 0) if cheat in DEADLY else 0
        self.hand_in(student, [code, *self.right()[1:]], self.rest - lost, **how)

    def hand_in(self, student: str, cells: list[str], points: int | str, file="", age=0) -> None:
        """Write a submission, as a notebook, or as a .py file of that name."""
        path = self.folder / (file or f"{student}.ipynb")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".py":
            path.write_text("\n\n".join(cells), encoding="utf-8")
        else:
            made = [nbformat.v4.new_code_cell(cell) for cell in cells]
            made.append(nbformat.v4.new_markdown_cell(f"Words of {student}."))
            nbformat.write(nbformat.v4.new_notebook(cells=made), path)
        os.utime(path, (1.7e9 - age, 1.7e9 - age))
        self.planned[student] = points

    def some(self) -> None:
        """Hand in what every assignment is tried on."""
        released = release.notebook(assignment.FOLDER, self.name)
        sources = [c.source for c in nbformat.read(released, 4).cells if c.cell_type == "code"]
        self.hand_in("right-0", self.right(), 60)
        self.hand_in("untouched", sources, 0)
        self.hand_in("worked", [*sources, *self.right(1)], 60)
        self.must_fail["wrong-0"], cells = self.wrong(0)
        self.hand_in("wrong-0", cells, "less")
        self.hand_in("Zoë Ångström", self.right(2), 60)
        self.cheat("crash", "a crash")
        self.planned["missing"] = "missing"

    def thirty(self) -> None:
        """Hand in all that is tried."""
        self.some()
        for style in range(1, 4):
            self.hand_in(f"right-{style}", self.right(style), 60, f"right-{style}_essay.py")
        for number in range(1, 4):
            self.must_fail[f"wrong-{number}"], cells = self.wrong(number)
            self.hand_in(f"wrong-{number}", cells, "less")
        for student in LATE:
            self.hand_in(student, self.right(), 60)
        self.planned["no-file"] = "missing"
        (self.folder / "no-file").mkdir()
        (self.folder / "no-file" / "notes.txt").write_text("")
        self.cheat("twice-better", "NaN", file="twice-better/1.ipynb", age=100)
        self.hand_in("twice-better", self.right(), 60, "twice-better/2.ipynb")
        self.hand_in("twice-worse", self.right(), 60, "twice-worse/b.ipynb", age=100)
        self.cheat("twice-worse", "NaN", file="twice-worse/a.ipynb")
        self.hand_in("empty", [], 0)
        self.hand_in("deleted", self.right(), 60)
        text = json.loads((self.folder / "deleted.ipynb").read_text())
        text["cells"] = [{k: c[k] for k in ("cell_type", "source")} for c in text["cells"]]
        (self.folder / "deleted.ipynb").write_text(json.dumps(text))
        other = next(name for name in NAMES if name != self.name)
        self.hand_in("another", MadeUp(other, self.folder).right(), 0)
        for number, cheat in enumerate(LOSES_FIRST):
            self.cheat(f"cheat-{number}", cheat)
        self.cheat("loud", "1 GB of output")
        self.hand_in("unreadable", [], "unreadable")
        (self.folder / "unreadable.ipynb").write_text('{"cells": [')
        self.hand_in("李小龍", self.right(3), 60, "李小龍/作业.ipynb")
        self.hand_in("half", ["1 / 0", "def broken(:", *self.right(1), "print(undefined)"], 60)
        assert len(self.planned) == 30

    def differences(self, table: list[dict[str, str]]) -> list[str]:
        """Say which students have other points than planned."""
        told = []
        for row in table:
            planned, code = self.planned[row["student"]], row["code"]
            status = "provisional" if planned == "less" or isinstance(planned, int) else planned
            points = {"less": "less", "missing": "", "unreadable": "0"}.get(planned, str(planned))
            fine = 0 <= int(code or -1) < 60 if points == "less" else code == points
            if not fine or row["status"] != status:
                told.append(f"{row['student']}: {row['status']} {code}, planned {planned}")
        return told


@pytest.fixture
def made(tmp_path):
    return course.create(tmp_path / "course", "A class").folder


def enrol(folder: Path, students: dict[str, object], name: str) -> None:
    rows = "".join(f"{student},Name of {student}\n" for student in students)
    (folder / "roster.csv").write_text(f"student,name\n{rows}", encoding="utf-8")
    late = [f"{LATE[0]},{name},6,1", f"{LATE[1]},{name},2,"]
    (folder / "late.csv").write_text("\n".join(["student,assignment,late,extension", *late]))


def grade(folder: Path, name: str, command="grade") -> subprocess.Popen[str]:
    """Start the command on a class."""
    call = ["-m", "gencomp_course", command, name, str(folder / "submissions" / name)]
    return subprocess.Popen(
        [sys.executable, *call, "--course", str(folder), "--as-root"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait(process: subprocess.Popen[str]) -> str:
    out, problems = process.communicate(timeout=1500)
    assert process.returncode == 0, problems
    return out


def results(folder: Path, name: str) -> dict[Path, str]:
    found = sorted((folder / "grades" / name / "results").glob("*.json"))
    return {path: path.read_text(encoding="utf-8") for path in found}


def table(folder: Path, name: str) -> list[dict[str, str]]:
    text = (folder / "grades" / name / "grades.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize("name", FULL)
def test_a_class_of_thirty_is_graded_as_planned_and_survives_a_kill(name, made):
    students = MadeUp(name, made / "submissions" / name)
    students.thirty()
    enrol(made, students.planned, name)

    killed = grade(made, name)
    with killed:
        while len(results(made, name)) < 5 and killed.poll() is None:
            time.sleep(0.05)
        assert killed.poll() is None, killed.communicate()
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    kept = results(made, name)
    assert 5 <= len(kept) < 28

    out = wait(grade(made, name))
    assert students.differences(table(made, name)) == []
    assert {path: results(made, name)[path] for path in kept} == kept, "graded twice"
    assert len(results(made, name)) == 28
    by_name = {row["student"]: row for row in table(made, name)}
    assert by_name[LATE[0]]["deduction"] == "12.0"
    assert by_name[LATE[1]]["deduction"] == "0.0"
    assert "provisional" in out
    for student, check in students.must_fail.items():
        points = json.loads(results(made, name)[_result(made, name, student)])["checks"]
        assert {c["name"]: c["points"] for c in points}[check] == 0, student

    assert wait(grade(made, name, "regrade")).strip() == "No mark has changed."
    assert students.differences(table(made, name)) == []


def _result(folder: Path, name: str, student: str) -> Path:
    return folder / "grades" / name / "results" / f"{gradebook.key(student)}.json"


@pytest.mark.parametrize("name", SMALL)
def test_a_small_class_is_graded_as_planned(name, made):
    students = MadeUp(name, made / "submissions" / name)
    students.some()
    enrol(made, students.planned, name)
    read = course.read(made)
    files, _ = gradebook.submissions(students.folder, read.roster)
    found = gradebook.grade(read, students.assignment, files, workers=1)
    gradebook.write_grades(read, name, gradebook.marks(read, students.assignment, found))
    assert students.differences(table(made, name)) == []
    check = students.must_fail["wrong-0"]
    assert {c["name"]: c["points"] for c in found["wrong-0"]["checks"]}[check] == 0


# What students get


def test_axe_finds_nothing_in_a_page_of_feedback(made, browser):
    name = SMALL[0]
    students = MadeUp(name, made / "submissions" / name)
    students.some()
    students.hand_in("unreadable", [], "unreadable")
    (students.folder / "unreadable.ipynb").write_text('{"cells": [')
    enrol(made, students.planned, name)
    wait(grade(made, name))
    pages = sorted((made / "grades" / name / "feedback").glob("*.html"))
    assert len(pages) == len(students.planned)
    for theme, width in (("light", 1280), ("dark", 360)):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme)
        tab = context.new_page()
        for page in pages:
            tab.goto(page.as_uri())
            found = Axe().run(tab).response["violations"]
            assert not found, (theme, page.name, [violation["help"] for violation in found])
            assert tab.evaluate("document.documentElement.scrollWidth") <= width, page.name
        context.close()


def numbers_in(value: object) -> list[float]:
    """All numbers in what a function returned."""
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return [float(value)]
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        return [float(entry) for entry in value.ravel()[:50]]
    if isinstance(value, list | tuple):
        return [number for entry in value for number in numbers_in(entry)]
    return []


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_a_student_gets_holds_an_expected_value_or_the_reference(
    name, made, monkeypatch
):
    students = MadeUp(name, made / "submissions" / name)
    enrol(made, {"ann": 0}, name)
    read = course.read(made)
    references = {  # not every assignment's checks need one
        module
        for key, module in sys.modules.items()
        if key.endswith(".reference") and Path(module.__file__).parent.name == name
    }
    expected: list[float] = []

    def recorder(function):
        def recorded(*arguments, **options):
            expected.extend(numbers_in(value := function(*arguments, **options)))
            return value

        return recorded

    for reference in references:
        for function in vars(reference).copy().values():
            if getattr(function, "__module__", "") == reference.__name__ and callable(function):
                monkeypatch.setattr(reference, function.__name__, recorder(function))
    wrong = [
        code for function in students.functions for _, _, code in students.bank.WRONG[function][:1]
    ]
    with Sandbox() as sandbox:
        report = grading.grade(
            students.assignment, wrong, "ann", read.secret, sandbox, Limits(cpu_s=60)
        )
    assert 0 <= report.points < 60
    digits = {f"{abs(v):.6g}" for v in expected if math.isfinite(v)}
    digits |= {f"{abs(v):.4f}" for v in expected if math.isfinite(v)}
    telling = {text for text in digits if len(text.strip("0.").replace(".", "")) >= 4}
    result = {
        "student": "ann", "file": "ann.ipynb", "digest": "", "points": report.points, "of": 60,
        "checks": [vars(outcome) for outcome in report.outcomes], "problems": report.problems,
        "words": [],
    }  # fmt: skip
    marks = gradebook.marks(read, students.assignment, {"ann": result})
    given = {
        "feedback": feedback.page(students.assignment, marks[0], result),
        "grades": gradebook.write_grades(read, name, marks).read_text(encoding="utf-8"),
        "notebook": release.release(assignment.FOLDER, name, made).read_text(encoding="utf-8"),
    }
    source = (assignment.FOLDER / name / "reference.py").read_text(encoding="utf-8")
    for kind, text in given.items():
        assert not [value for value in telling if value in text], kind
        assert not release.leaks(text, source), kind
