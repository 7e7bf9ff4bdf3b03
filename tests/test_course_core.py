"""The grading core: what crosses the border, what is run, what is limited, what is told."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest
from conftest import ROOT
from test_dialect import complaints

from gencomp_course import (
    assignment,
    cli,
    course,
    export,
    feedback,
    gradebook,
    grading,
    judging,
    limits,
    plain,
    reading,
    release,
    selecting,
)
from gencomp_course.assignment import Assignment
from gencomp_course.course import Course, CourseError
from gencomp_course.limits import Limits
from gencomp_course.sandbox import Failed, Sandbox

pytest.importorskip("resource", reason="submissions are fenced on Linux and macOS")
SECRET = b"a secret of the tests"
fenced = pytest.mark.skipif(
    not (limits.landlock_version() and limits.filter_known()),
    reason="this system has no Landlock or filters no calls",
)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as started:
        started.start()
        yield started


@pytest.fixture
def ask(sandbox):
    """Run f of a source on inputs; give back the results."""

    def run(source, *cases, **options):
        return sandbox.run([source], "f", cases or [[1]], **options).results

    return run


def why(result):
    assert isinstance(result, Failed), result
    return result.why


# The format


@pytest.mark.parametrize(
    "value",
    [None, True, 3, -2.5, float("inf"), "different", [1, [2.0, "a"]], [], "ä"],
)
def test_plain_data_come_back_as_they_were(value):
    assert plain.decode(plain.loads(json.dumps(plain.encode(value)).encode())) == value


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "i4", "u1", "?"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_arrays_come_back_as_they_were(dtype, shape):
    array = np.ones(shape, dtype)
    back = plain.decode(plain.encode(array))
    assert back.dtype == array.dtype
    assert back.shape == shape
    assert (back == array).all()


class Same(float):
    def __eq__(self, other):
        return True

    __hash__ = float.__hash__


class Several(list):
    pass


class Array(np.ndarray):
    pass


@pytest.mark.parametrize(
    "value",
    [Same(1), Several(), np.zeros(2).view(Array), object(), {"a": 1}, 1j, {1}, 2**70, "x" * 200,
     np.array([1j]), np.array(["a"]), np.array([None]), [[[[[[[[1]]]]]]]], len, iter([])],
)  # fmt: skip
def test_what_is_not_plain_data_is_refused(value):
    with pytest.raises(plain.NotPlain):
        plain.encode(value)


@pytest.mark.parametrize(
    "value",
    [{"array": ["<f8", [2], ""]}, {"array": ["O", [1], "AAAA"]}, {"array": 3}, {"value": 1},
     {"array": ["<f8", [-1], ""]}, {"array": ["<f8", [10**30], ""]}, {}, "x" * 200,
     {"array": ["<f8", ["1"], "AAAAAAAAAAA="]}],
)  # fmt: skip
def test_forged_data_are_refused(value):
    with pytest.raises(plain.NotPlain):
        plain.decode(value)


@pytest.mark.parametrize("text", [b"[" * 100_000, b"{", b"\xff", b"1" * 10_000])
def test_text_that_cannot_be_read_is_refused(text):
    with pytest.raises(plain.NotPlain):
        plain.loads(text)


# Comparing


def test_nan_is_close_to_nothing():
    for value, expected in ((np.nan, 1), (1, np.nan), (np.nan, np.nan), (np.inf, np.inf)):
        assert not judging.close(value, expected, rel=1, absolute=1e300)
    assert not judging.all_close(np.array([1, np.nan]), [1, 2], rel=1)


def test_tolerances_are_alternatives():
    assert judging.close(100.5, 100, rel=0.01)
    assert judging.close(1e-9, 0, absolute=1e-8)
    assert not judging.close(1.02, 1, rel=0.01, absolute=0.01)


@pytest.mark.parametrize(
    "result", [None, True, "1", [1.0], np.array([1.0]), np.array(True), np.zeros((1, 1))]
)
def test_what_is_no_number_is_told(result):
    with pytest.raises(judging.Wrong):
        judging.number(result)


@pytest.mark.parametrize("result", [1.0, [1], [1, 2, 3], [1, np.nan], np.ones((2, 1)), ["a", "b"]])
def test_what_is_no_pair_is_told(result):
    with pytest.raises(judging.Wrong):
        judging.pair(result)


# What of a notebook is run

ANSWER = "def f(x):\n    return x + OFFSET"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["OFFSET = 1", ANSWER], 2),
        (["from math import pi as OFFSET", ANSWER], pytest.approx(4.14159, 1e-5)),
        ([ANSWER, "OFFSET = 1"], 2),
        (["OFFSET = 1", "def f(x):\n    raise NotImplementedError", ANSWER], 2),
        (["OFFSET = 1", ANSWER, "def f(x):\n    return 7"], 7),
        (["OFFSET = 1", ANSWER, "f = abs"], 1),
        (["OFFSET = 1", ANSWER, "1 / 0", "undefined()"], 2),
        (["OFFSET = 1", ANSWER, "this is no Python"], 2),
        (["%matplotlib inline\n!pip install x\nOFFSET = 1", ANSWER], 2),
        (["%%bash\nls", "OFFSET = 1", ANSWER], 2),
        (["OFFSET = 1", ANSWER, "while f(1):\n    pass"], 2),
        (["OFFSET = 1", ANSWER + "\nwhile True:\n    print(f(2))"], 2),
        (["import numpy as np\nOFFSET = 1", ANSWER, "import math\nwhile True: f(1)"], 2),
        (["OFFSET = {}", "OFFSET['a'] = 4", "def f(x):\n    return OFFSET['a']"], 4),
        (["OFFSET = []", "for i in range(3):\n    OFFSET.append(i)",
          "def f(x):\n    return len(OFFSET)"], 3),
        (["def helper(y):\n    return y * K", "K = 5", "def f(x):\n    return helper(x)"], 5),
        (["class Helper:\n    value = 6", "def f(x):\n    return Helper.value"], 6),
        (["import torch\ntorch.set_default_dtype(torch.float64)",
          "def f(x):\n    return torch.ones(2).element_size()"], 8),
        (["try:\n    import nowhere as OFFSET\nexcept ImportError:\n    OFFSET = 3", ANSWER], 4),
        (["if __name__ == '__main__':\n    OFFSET = 9\nelse:\n    OFFSET = 1", ANSWER], 2),
        (["values = [f(k) for k in range(10**9)]", "OFFSET = 1", ANSWER], 2),
        (["f = lambda x: 3"], 3),
        (["def f(x):\n    n = 4\n    return n", "n = [i for i in iter(int, 1)]"], 4),
    ],
)  # fmt: skip
def test_what_the_function_needs_is_run_and_nothing_else(sandbox, cells, expected):
    ran = sandbox.run(cells, "f", [[1]], limits=Limits(cpu_s=2))
    assert ran.results == [expected], ran.problems


def test_what_was_left_out_is_told(sandbox):
    ran = sandbox.run(
        ["def f(x):\n    return 1", "def g(:", "g = 1 / 0"], "f", [[1]], functions=["f", "g"]
    )
    assert ran.results == [1]
    assert ran.problems == [
        "cell 2, line 1: this isn't Python",
        "cell 3, line 1: ZeroDivisionError: division by zero",
    ]


def test_a_missing_function_is_told(sandbox):
    for cells in ([], ["g = 1"], ["f = 3"], ["def f(x:"]):
        ran = sandbox.run(cells, "f", [[1], [2]])
        assert not ran.found
        assert why(ran.results[1]) == "the submission doesn't define it"


def test_an_error_of_any_class_can_be_described():
    class Awkward(Exception):
        def __str__(self):
            raise RuntimeError

    assert selecting.describe(Awkward()) == "Awkward"
    assert len(selecting.describe(ValueError("x" * 1000))) < 200


# Limits


def test_a_function_gives_back_what_it_computes(ask):
    assert ask("def f(x): return 2 * x", [3], ["ab"]) == [6, "abab"]
    assert ask("def f(x): return type(x).__name__", [np.ones(2)], [1.0]) == ["ndarray", "float"]


def test_an_exception_loses_one_input_only(ask):
    first, second = ask("def f(x): return 1 / x", [0], [2])
    assert why(first) == "it raised ZeroDivisionError: division by zero"
    assert second == 0.5


def test_each_function_has_a_process_of_its_own(sandbox):
    source = """
import builtins
builtins.n = getattr(builtins, "n", 0) + 1
def f(x): return builtins.n
"""
    assert [sandbox.run([source], "f", [[1]]).results for _ in range(2)] == [[1], [1]]


@pytest.mark.parametrize("loop", ["while True: pass", """
  while True:
    try:
      while True: pass
    except BaseException: pass"""])  # fmt: skip
def test_an_endless_loop_ends(ask, loop):
    results = ask(
        f"def f(x):\n  if x == 1: return 5\n  {loop.strip()}", [1], [2], limits=Limits(cpu_s=1)
    )
    assert results[0] == 5
    assert why(results[1]) == "it took more than 1 s of the processor"


def test_waiting_ends(ask):
    slept = ask("import time\ndef f(x): time.sleep(100)", limits=Limits(idle_s=1))
    assert why(slept[0]) == "it did nothing for 1 s"
    slept = ask("import time\ndef f(x):\n  while True: time.sleep(0.01); sum(range(10**5))",
                limits=Limits(wall_s=2))  # fmt: skip
    assert why(slept[0]) == "it took more than 2 s"


def test_reading_from_the_keyboard_fails(ask):
    assert why(ask("def f(x): return input()")[0]).startswith("it raised EOFError")


@pytest.mark.parametrize(
    "big",
    ["len(bytearray(8 * 10**9))", "len([0] * 10**9)", "__import__('numpy').ones(10**9).sum()",
     "__import__('torch').ones(10**9).sum()"],
)  # fmt: skip
def test_eight_gigabytes_are_refused(ask, big):
    failed, fine = ask(f"def f(x): return {big} if x else 1", [1], [0])
    assert "memory" in why(failed).lower()
    assert fine == 1


def test_output_is_cheap_and_answers_are_bounded(ask):
    told = "import os\ndef f(x):\n  for _ in range(1024): os.write(1, bytes(2**20))\n  return 1"
    assert ask(told) == [1]
    flood = """
import os
def f(x):
    for d in range(3, 64):
        try:
            while True: os.write(d, b"[" * 10**6)
        except OSError: pass
"""
    why(ask(flood)[0])


def test_files_are_small_and_few_and_gone(ask, tmp_path):
    assert ask("def f(x):\n  open('a', 'w').write('x'); return open('a').read()") == ["x"]
    assert "File too large" in why(ask("def f(x): open('a', 'wb').write(bytes(10**8))")[0])
    assert "Too many open files" in why(
        ask("def f(x): return [open('a', 'a') for _ in range(200)]")[0]
    )
    folder = ask("import os\ndef f(x): return os.getcwd()")[0]
    assert not Path(folder).exists()


@fenced
@pytest.mark.parametrize(
    "call",
    ["os.fork()", "os.execv('/bin/ls', ['ls'])", "os.kill(os.getppid(), 9)", "os.kill(0, 9)",
     "subprocess.run(['ls'])", "multiprocessing.Pool(2)",
     "socket.create_connection(('127.0.0.1', 9))", "os.setsid()",
     "resource.setrlimit(resource.RLIMIT_CPU, (-1, -1))"],
)  # fmt: skip
def test_processes_networks_and_signals_are_out_of_reach(ask, call):
    modules = "import os, subprocess, multiprocessing, socket, resource"
    assert "rror" in why(ask(f"{modules}\ndef f(x): return {call}")[0])


@fenced
def test_files_beside_it_are_out_of_reach(ask, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("expected")
    for path in (
        secret,
        ROOT / "pyproject.toml",
        ROOT / "assignments" / "two-samples" / "reference.py",
    ):
        assert "rror" in why(ask("def f(x): return open(x).read()[:5]", [str(path)])[0])
        why(ask("def f(x): open(x, 'w').write('mine')", [str(path)])[0])
    assert secret.read_text() == "expected"
    assert "rror" in why(ask("import os\ndef f(x): return os.listdir(x)", [str(ROOT)])[0])
    assert "rror" in why(
        ask("import os\ndef f(x): return open(f'/proc/{os.getppid()}/mem', 'rb').read(1)")[0]
    )


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes can't be counted here")
def test_without_a_fence_a_fork_bomb_is_still_ended(ask):
    bomb = """
import os, time
def f(x):
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            for _ in range(3):
                os.fork()
            time.sleep(60)
    time.sleep(60)
"""
    started = time.monotonic()
    result = ask(bomb, limits=Limits(fenced=False, idle_s=20))
    assert why(result[0]) in (
        "it started other processes",
        "it raised BlockingIOError: [Errno 11] Resource temporarily unavailable",
    )
    assert time.monotonic() - started < 20
    sleepers = [
        p for p in Path("/proc").glob("[0-9]*/cmdline") if b"gencomp_course.server" in _read(p)
    ]
    mine = [p for p in sleepers if _parent(p.parent) != 1]
    assert len(mine) == len(sleepers)


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _parent(folder):
    return int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])


def test_threads_are_allowed(ask):
    source = """
import threading
def f(x):
    out = []
    thread = threading.Thread(target=out.append, args=(4,))
    thread.start()
    thread.join()
    return out
"""
    if os.geteuid() == 0:  # RLIMIT_NPROC counts threads of other users
        assert ask(source) == [[4]]


def test_a_training_step_works(ask):
    source = """
import torch
def f(x):
    w = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.Adam([w], 0.1)
    (w**2).sum().backward()
    optimizer.step()
    return w
"""
    assert ask(source)[0] == pytest.approx(np.full(3, 0.9), rel=1e-5)


def test_a_driver_calls_the_function(ask):
    driver = "def call(function, x):\n    return [function(lambda y: y + x), x]"
    assert ask("def f(g): return g(1)", [5], driver=driver) == [[6, 5]]


def test_the_server_is_started_again_when_it_is_gone(sandbox):
    sandbox.start()
    sandbox._server.kill()
    sandbox._server.wait()
    assert sandbox.run(["def f(x): return 1"], "f", [[1]]).results == [1]


# Grading


def toy():
    made = Assignment("toy", "A toy", {"double": "double(x)"})

    @made.check("double", 40, "numbers", "Twice as much.")
    def numbers(rng):
        cases = [[float(x)] for x in rng.normal(size=3)]
        results = yield cases
        return np.all(
            [
                judging.close(judging.number(r), 2 * x, rel=1e-9)
                for r, (x,) in zip(results, cases, strict=True)
            ]
        )

    @made.check("double", 20, "texts", "Twice as long.")
    def texts(rng):
        results = yield [["ab"]]
        return results == ["abab"]

    return made


def test_a_submission_is_graded_check_by_check(sandbox):
    for source, points, told in (
        ("def double(x): return 2 * x", 60, ["", ""]),
        ("def double(x): return x + x", 60, ["", ""]),
        (
            "def double(x): return 2 * float(x)",
            40,
            ["", "it raised ValueError: could not convert string to float: 'ab'"],
        ),
        (
            "def double(x): return [x]",
            0,
            ["it gave back a list where one number is asked for", "it isn't what is expected"],
        ),
        ("def double(x): return 1.0", 0, ["it isn't what is expected"] * 2),
        ("", 0, ["the submission doesn't define it"] * 2),
    ):
        report = grading.grade(toy(), [source], "ann", SECRET, sandbox)
        assert report.points == points
        assert [outcome.why for outcome in report.outcomes] == told


def test_a_check_that_is_wrong_itself_is_an_error_and_no_zero(sandbox):
    broken = Assignment("broken", "Broken", {"f": "f(x)"})

    @broken.check("f", 60, "broken", "")
    def check(rng):
        yield [[1]]
        return 7

    with pytest.raises(RuntimeError, match="broken"):
        grading.grade(broken, ["def f(x): return 1"], "ann", SECRET, sandbox)


def test_inputs_depend_on_secret_assignment_and_student():
    def draw(secret=SECRET, *parts):
        return assignment.random(secret, *parts).integers(2**60)

    assert draw(SECRET, "toy", "ann") == draw(SECRET, "toy", "ann")
    others = {
        draw(SECRET, "toy", "ann"),
        draw(SECRET, "toy", "ben"),
        draw(SECRET, "ot", "yann"),
        draw(b"x", "toy", "ann"),
    }
    assert len(others) == 4


@pytest.mark.parametrize("name", assignment.names())
def test_an_assignment_is_complete(name):
    loaded = assignment.load(name)
    assert loaded.slug == name
    checks = [check.name for check in loaded.checks]
    assert len(set(checks)) == len(checks)
    for function in loaded.functions:
        assert any(check.function == function for check in loaded.checks)
    assert {path.name for path in (assignment.FOLDER / name).glob("*.*")} == {
        f"{name}.ipynb", "checks.py", "reference.py", "bank.py",
    }  # fmt: skip


def test_an_unknown_assignment_is_told():
    with pytest.raises(assignment.NoSuchAssignment, match="two-samples"):
        assignment.load("nowhere")


# What is handed in


def test_notebooks_of_all_kinds_are_read(tmp_path):
    path = tmp_path / "a.ipynb"
    cells = [nbformat.v4.new_code_cell("x = 1"), nbformat.v4.new_markdown_cell("Words.")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    assert reading.read(path) == reading.Submission(["x = 1"], ["Words."])
    path.write_text(
        json.dumps({"worksheets": [{"cells": [{"cell_type": "code", "input": ["a\n", "b"]}]}]})
    )
    assert reading.read(path).code == ["a\nb"]
    for odd in ("{}", '{"cells": 3}', '{"cells": [3, {"cell_type": "code", "source": 7}]}'):
        path.write_text(odd)
        assert "".join(reading.read(path).code) == ""
    for broken in ("", "[1]", "not JSON", "[" * 100_000):
        path.write_text(broken)
        with pytest.raises(reading.Unreadable):
            reading.read(path)
    other = tmp_path / "a.docx"
    other.write_text("")
    with pytest.raises(reading.Unreadable, match="docx"):
        reading.read(other)


def test_the_last_file_of_a_student_counts(tmp_path):
    for name, age in (("ann.ipynb", 9), ("ann_2.py", 5), ("ben/a.ipynb", 9), ("ben/b.ipynb", 3),
                      ("annabel-1.py", 1), ("stranger.py", 1), ("ann.txt", 0), (".hidden.py", 0),
                      ("ben/.ipynb_checkpoints/c.ipynb", 0), ("cleo/notes.txt", 0)):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        os.utime(path, (10**9 - age, 10**9 - age))
    found, strangers = gradebook.submissions(tmp_path, ["ann", "annabel", "ben", "cleo"])
    assert {student: path.name for student, path in found.items()} == {
        "ann": "ann_2.py", "annabel": "annabel-1.py", "ben": "b.ipynb",
    }  # fmt: skip
    assert strangers == ["stranger.py"]


def test_of_what_nbgrader_collects_only_the_assignments_own_folder_counts(tmp_path):
    for when, name in enumerate(("two-samples", "water-level")):
        path = tmp_path / "ann" / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text("")
        os.utime(path, (when, when))
    found, _ = gradebook.submissions(tmp_path, ["ann"], "two-samples")
    assert found["ann"].name == "two-samples.ipynb"


def test_names_are_compared_in_one_form(tmp_path):
    (tmp_path / "zoe\u0308.py").write_text("")
    assert [*gradebook.submissions(tmp_path, ["zo\u00eb"])[0]] == ["zo\u00eb"]


def test_names_of_files_are_never_two_students():
    names = ["a/b", "a-b", "../x", "ä", "ö", "x" * 300, ""]
    keys = {gradebook.key(name) for name in names}
    assert len(keys) == len(names)
    assert all(len(key) < 60 and "/" not in key for key in keys)


# A course


@pytest.fixture
def made(tmp_path):
    course.create(tmp_path / "course", "A course")
    folder = tmp_path / "course"
    (folder / "roster.csv").write_text("student,name,email\nann,Ann,a@x\nben,Ben,b@x\ncleo,Cléo,\n")
    (folder / "late.csv").write_text(
        "student,assignment,late,extension\nann,one,2,\nann,toy,3,1\nben,toy,1,5\ncleo,toy,30,0\n"
    )
    return folder


def test_a_course_is_made_once_and_its_secret_is_its_owners(made):
    assert (made / "secret").stat().st_mode & 0o077 == 0
    assert len(course.read(made).secret) >= 32
    with pytest.raises(CourseError):
        course.create(made, "again")
    assert course.find(made / "submissions").folder == made
    assert course.find(Path("/")) is None


def test_late_days_are_used_in_the_order_of_the_file(made):
    read = course.read(made)
    assert read.lateness("ann", "one").percent == 0
    assert read.lateness("ann", "toy") == course.Late(days=3, extension=1, free=1, percent=10)
    assert read.lateness("ben", "toy").percent == 0
    assert read.lateness("cleo", "toy").percent == 100
    assert read.lateness("dan", "toy") == course.Late()


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("roster.csv", "name\nann\n", "lacks student"),
        ("roster.csv", "student\nann\nann\n", "line 3"),
        ("late.csv", "student,assignment,late,extension\nann,toy,two,\n", "line 2"),
        ("course.toml", "name = ", "course.toml"),
        ("secret", "short", "secret"),
    ],
)
def test_what_is_wrong_with_a_course_is_told(made, file, text, told):
    (made / file).write_text(text)
    with pytest.raises(CourseError, match=told):
        course.read(made)


def graded(points=60, **more):
    part = {"function": "double", "why": "it isn't what is expected"}
    checks = [
        part | {"name": "numbers", "points": points - 20, "of": 40},
        part | {"name": "texts", "points": 20, "of": 20},
    ]
    whole = {"student": "ann", "file": "a.py", "digest": "", "points": points, "of": 60}
    return whole | {"checks": checks, "problems": [], "words": []} | more


def test_marks_are_provisional_until_the_words_are_read(made):
    read = course.read(made)
    results = {"ann": graded(50), "ben": graded(unreadable="no notebook", points=0, checks=[])}
    gradebook.write_words(read, "toy", results)
    table = gradebook.marks(read, toy(), results)
    assert [m.status for m in table] == ["provisional", "unreadable", "missing"]
    with pytest.raises(export.CannotExport):
        export.require_final(table)
    words = (read.grades("toy") / "words.csv").read_text().replace("ann,,,,", "ann,2,1,0,2")
    (read.grades("toy") / "words.csv").write_text(words)
    gradebook.write_words(read, "toy", results)  # keeps what is in it
    mark = gradebook.marks(read, toy(), results)[0]
    assert (mark.status, mark.code, mark.words, mark.deduction, mark.total) == (
        "final",
        50,
        25,
        7.5,
        67.5,
    )
    (read.grades("toy") / "words.csv").write_text(words.replace("2,1,0,2", "3,1,0,2"))
    with pytest.raises(CourseError, match="0, 1 or 2"):
        gradebook.marks(read, toy(), results)


def test_the_table_and_the_exports_hold_every_student(made):
    read = course.read(made)
    results = {"ann": graded(50)}
    table = gradebook.marks(read, toy(), results)
    written = gradebook.write_grades(read, "toy", table).read_text(encoding="utf-8")
    rows = list(csv.DictReader(written.splitlines()))
    assert [(row["student"], row["status"]) for row in rows] == [
        ("ann", "provisional"),
        ("ben", "missing"),
        ("cleo", "missing"),
    ]
    canvas = list(csv.reader(export.canvas(read, toy(), table).splitlines()))
    assert canvas[2] == ["Ann", "", "", "ann", "", "45.0"]
    assert canvas[4][-1] == ""
    moodle = list(csv.reader(export.moodle(read, toy(), table).splitlines()))
    assert moodle[1] == ["ann", "a@x", "45.0", "provisional"]


def test_feedback_tells_hints_and_escapes_what_students_write(made):
    read = course.read(made)
    result = graded(40, problems=["<script>alert(1)</script>"], file="<b>.py")
    table = gradebook.marks(read, toy(), {"ann": result})
    page = feedback.page(toy(), table[0], result)
    assert "Twice as much." in page
    assert "Twice as long." not in page
    assert "provisional" in page
    assert "<script>" not in page
    assert "<b>" not in page


def test_differences_of_a_second_grading_are_told():
    assert gradebook.differences({"ann": graded(60)}, {"ann": graded(60)}) == []
    (told,) = gradebook.differences({"ann": graded(60)}, {"ann": graded(30)})
    assert told == "ann: 60 → 30 (numbers: 40 → 10)"
    assert gradebook.differences({}, {"ann": graded()}) == ["ann: graded"]


def test_gradescope_gets_results_and_a_zip(made, tmp_path, sandbox):
    report = grading.grade(toy(), ["def double(x): return 2 * float(x)"], "ann", SECRET, sandbox)
    told = json.loads(export.gradescope_results(toy(), report))
    assert told["score"] == 40
    assert [test["score"] for test in told["tests"]] == [40, 0]
    import zipfile

    export.gradescope_zip(course.read(made), assignment.load("two-samples"), tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = archive.namelist()
        setup = archive.read("setup.sh").decode()
        needed = archive.read("requirements.txt").decode()
    assert {"run_autograder", "gencomp_utils/__init__.py", "gencomp_utils/models/vae.py"} <= set(
        names
    )
    assert "assignments/two-samples/checks.py" in names
    assert not [name for name in names if "bank" in name or name.endswith(".ipynb")]
    assert "torch>=" in needed
    assert "pytest" not in needed
    assert "git+" not in setup, "the address may not be set yet"


def test_nbgraders_cells_are_worth_what_the_assignment_is(tmp_path):
    for name in assignment.names():
        points = export.nbgrader_cells(assignment.load(name))
        path = release.release(assignment.FOLDER, name, tmp_path, nbgrader=True)
        marked = [
            c.metadata.nbgrader for c in nbformat.read(path, 4).cells if "nbgrader" in c.metadata
        ]
        assert {cell.grade_id: cell.points for cell in marked} == points
        assert len(marked) == len(points), "a cell is marked twice"
        assert sum(points.values()) == 100


# Released notebooks, and the command


@pytest.mark.parametrize("name", assignment.names())
def test_a_released_notebook_holds_no_answer(name, tmp_path):
    path = release.release(assignment.FOLDER, name, tmp_path)
    text = path.read_text(encoding="utf-8")
    for function in assignment.load(name).functions:
        assert f"def {function}(" in text
    assert not release.leaks(text, (assignment.FOLDER / name / "reference.py").read_text())
    assert all(
        not cell.outputs for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"
    )


def test_a_leak_is_noticed(tmp_path):
    folder = tmp_path / "assignments" / "two-samples"
    folder.mkdir(parents=True)
    source = assignment.FOLDER / "two-samples"
    for name in ("checks.py", "reference.py"):
        (folder / name).write_text((source / name).read_text())
    notebook = nbformat.read(source / "two-samples.ipynb", 4)
    notebook.cells.append(
        nbformat.v4.new_code_cell(
            "x = (bins-1) / 8*(1/n + 1/m)\nreturn (bins - 1) / 8 * (1 / n + 1 / m)"
        )
    )
    nbformat.write(notebook, folder / "two-samples.ipynb")
    with pytest.raises(release.Leak):
        release.release(tmp_path / "assignments", "two-samples", tmp_path)


def test_the_wheel_and_the_site_hold_no_assignments():
    import tomllib

    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"][
        "find"
    ]
    assert found["include"] == ["gencomp_utils*", "gencomp_course*"]
    assert "assignments" not in (ROOT / "_toc.yml").read_text()


def run(*arguments):
    cli.main([str(argument) for argument in arguments])


def test_check_writes_a_line_of_json_for_each_file(capsys, tmp_path):
    right, wrong = assignment.FOLDER / "two-samples" / "reference.py", tmp_path / "ö.ipynb"
    run("check", "two-samples", right, wrong, "--as-root")
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["file"], first["points"], first["of"]) == (str(right), 60, 60)
    assert {check["function"] for check in first["checks"]} == {"jsd_counts", "jsd_floor"}
    assert (second["file"], second["points"]) == (str(wrong), 0)


def test_a_system_that_cannot_fence_submissions_is_told(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "fork")
    with pytest.raises(SystemExit, match="grade on Linux, macOS or in WSL"):
        run("check", "two-samples", tmp_path / "a.py", "--as-root")


@pytest.mark.skipif(getattr(os, "geteuid", int)() != 0, reason="refusing root needs root")
def test_root_is_refused_without_its_flag(tmp_path):
    with pytest.raises(SystemExit, match="as root"):
        run("check", "two-samples", tmp_path / "a.py")


def test_the_command_says_that_it_is_no_sandbox(capsys):
    with pytest.raises(SystemExit):
        run("--help")
    assert "no sandbox" in " ".join(capsys.readouterr().out.split())


def test_new_release_and_bundle_write_what_they_say(tmp_path, capsys):
    run("new", tmp_path / "c", "--name", 'The "best" course')
    assert course.read(tmp_path / "c").name == "The 'best' course"
    run("release", "all", tmp_path / "out", "--course", tmp_path / "c")
    assert {path.stem for path in (tmp_path / "out").iterdir()} == set(assignment.names())
    run("bundle", tmp_path / "b.zip")
    assert (tmp_path / "b.zip").stat().st_size > 1000
    with pytest.raises(SystemExit, match="names no students"):
        run("grade", "two-samples", tmp_path, "--course", tmp_path / "c", "--as-root")
    capsys.readouterr()


def test_a_course_may_have_its_own_assignments(made):
    read = course.read(made)
    assert isinstance(read, Course)
    assert read.assignments == assignment.FOLDER
    (made / "course.toml").write_text('name = "x"\nassignments = "mine"\n')
    assert course.read(made).assignments == made / "mine"


def complaints_about(name):
    path = assignment.FOLDER / name / f"{name}.ipynb"
    # What only a chapter has, whose answers are folded below.
    chapters_own = ("the chapter doesn't close with", "there are 0 exercises")
    told = complaints(nbformat.read(path, 4), path.parent)
    return [text for text in told if not text.startswith(chapters_own)]


@pytest.mark.parametrize("name", assignment.names())
def test_an_assignments_notebook_keeps_to_the_dialect(name):
    assert complaints_about(name) == []


@pytest.mark.parametrize("name", assignment.names())
def test_an_assignments_notebook_says_what_is_marked_and_leaves_room(name):
    notebook = nbformat.read(assignment.FOLDER / name / f"{name}.ipynb", 4)
    words = {cell.id: cell.source for cell in notebook.cells if cell.cell_type == "markdown"}
    stubs = [c.source for c in notebook.cells if "raise NotImplementedError" in c.source]
    for function in assignment.load(name).functions:
        assert any(f"def {function}(" in stub for stub in stubs)
    assert [key for key in words if key.startswith("question-")] == [
        "question-number", "question-mechanism", "question-failure", "question-revision",
    ]  # fmt: skip
    assert [text for key, text in words.items() if key.startswith("answer-")] == [
        "*Your answer.*"
    ] * 4
    for line in assignment.RUBRIC:
        assert line in "\n".join(words.values())
    assert re.search(r"\*\*Minutes\.\*\* (40|45|50|60) in all", words["title"])
    seconds = [assignment.load(name).cpu_s.get(f, 20) for f in assignment.load(name).functions]
    for number in seconds:
        assert re.search(rf"\b{number}\b", words["hand-in"])


def test_gradescopes_zip_runs_where_it_is_unpacked(made, tmp_path):
    export.gradescope_zip(course.read(made), assignment.load("two-samples"), tmp_path / "a.zip")
    source = tmp_path / "autograder" / "source"
    shutil.unpack_archive(tmp_path / "a.zip", source)
    shutil.copy(source / "run_autograder", source.parent)
    (source.parent / "environment" / "bin").mkdir(parents=True)  # in place of setup.sh
    python = source.parent / "environment" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (source.parent / "submission").mkdir()
    (source.parent / "submission_metadata.json").write_text('{"users": [{"email": "a@x"}]}')
    answers = (assignment.FOLDER / "two-samples" / "reference.py").read_text()
    (source.parent / "submission" / "answers.py").write_text(answers)
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(["bash", source.parent / "run_autograder"], check=True, cwd="/", env=clean)
    told = json.loads((source.parent / "results" / "results.json").read_text())
    assert told["score"] == 60


def test_gradescope_runs_a_submission_and_writes_results(made, tmp_path):
    autograder = tmp_path / "autograder"
    (autograder / "submission").mkdir(parents=True)
    (autograder / "submission_metadata.json").write_text('{"users": [{"email": "a@x"}]}')
    options = ("--autograder", autograder, "--course", made, "--as-root")
    run("gradescope", "two-samples", *options)
    results = autograder / "results" / "results.json"
    assert json.loads(results.read_text())["score"] == 0
    source = assignment.FOLDER / "two-samples" / "reference.py"
    (autograder / "submission" / "answers.py").write_text(source.read_text())
    run("gradescope", "two-samples", *options)
    assert json.loads(results.read_text())["score"] == 60
