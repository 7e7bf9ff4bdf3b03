"""Attacks on an assignment's own checks: right answers, wrong ones, and cheats for any function.

An assignment's file ``bank.py`` says, for each function, what is `RIGHT` (name and code), what is
`WRONG` (name, a check that it must fail, and code), and in `VALUES` an answer of the right form.
The cheats below are tried on every function, and none may gain a point.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gencomp_course import assignment as assignments
from gencomp_course import grading
from gencomp_course.assignment import Assignment
from gencomp_course.limits import Limits
from gencomp_course.sandbox import Sandbox

Right = Mapping[str, Mapping[str, str]]
Wrong = Mapping[str, Sequence[tuple[str, str, str]]]
LOOPS = Limits(cpu_s=1, idle_s=2)  # a cheat that never ends needn't be waited for


@dataclass(frozen=True)
class Attack:
    """A made-up answer to one function.

    Parameters
    ----------
    function, name, code
        Which function, why it must lose (or how it is right), and its source.
    fails
        A check that it must fail; empty if it is right, and ``*`` if it may gain nothing.
    """

    function: str
    name: str
    code: str
    fails: str = ""


def attacks(name: str, folder: Path = assignments.FOLDER) -> Iterator[Attack]:
    """Give all of an assignment's bank, and the cheats."""
    bank = assignments.load_bank(name, folder)
    right: Right = bank.RIGHT
    wrong: Wrong = bank.WRONG
    for function, answers in right.items():
        yield from (Attack(function, name, code) for name, code in answers.items())
    for function, tries in wrong.items():
        yield from (Attack(function, name, code, fails) for name, fails, code in tries)
    for function in assignments.load(name, folder).functions:
        for cheat, template in CHEATS.items():
            code = template.replace("FUNCTION", function).replace("VALUE", bank.VALUES[function])
            yield Attack(function, cheat, code.replace("ASSIGNMENT", name), "*")


def mistake(attack: Attack, assignment: Assignment, sandbox: Sandbox) -> str:
    """Grade an attack; say what the checks got wrong about it, or nothing."""
    loops = LOOPS if attack.name in ENDLESS else None
    report = grading.grade(
        assignment, [attack.code], "attack", b"secret of attacks", sandbox, loops,
        functions=[attack.function],
    )  # fmt: skip
    failed = {outcome.name: outcome.why for outcome in report.outcomes if not outcome.passed}
    where = f"{assignment.slug}, {attack.function}, {attack.name!r}"
    if not attack.fails and failed:
        return f"{where} is right and lost points: {failed} {report.problems}"
    if attack.fails == "*" and report.points:
        return f"{where} gained {report.points} points"
    if attack.fails not in ("", "*") and attack.fails not in failed:
        return f"{where} passed {attack.fails!r} and lost by {[*failed]}"
    return ""


def mutant(source: str, old: str, new: str) -> str:
    """Change a right answer in one place; a ValueError if there isn't just one such place."""
    if source.count(old) != 1:
        raise ValueError(f"{old!r} stands {source.count(old)} times in the source")
    return source.replace(old, new)


def function_source(path: Path, function: str) -> str:
    """Take a function, and the imports above it, out of a file."""
    import ast

    text = path.read_text(encoding="utf-8")
    nodes = ast.parse(text).body
    kept = [
        node
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.FunctionDef) and node.name == function)
    ]
    return "\n\n".join(ast.get_source_segment(text, node) or "" for node in kept)


ENDLESS = ("endless loop", "except BaseException", "waits for ever")
# In each, FUNCTION and ASSIGNMENT are names, and VALUE is an answer of the right form.
CHEATS = {
    "the released stub": "def FUNCTION(*a):\n    raise NotImplementedError\n",
    "abs is patched": """
import builtins
builtins.abs = lambda x: -1
builtins.max = lambda *x: 1e9
builtins.all = builtins.any = lambda x: True
def FUNCTION(*a):
    return VALUE
""",
    "float and isinstance are patched": """
import builtins
builtins.isinstance = lambda *x: True
class Anything(float):
    def __eq__(self, other): return True
    def __le__(self, other): return True
    def __abs__(self): return self
    def __sub__(self, other): return Anything(0)
    __rsub__ = __sub__
def FUNCTION(*a):
    builtins.float = Anything
    return VALUE
""",
    "math is patched": """
import math
math.isclose = lambda *a, **k: True
math.isfinite = lambda *a: True
def FUNCTION(*a):
    return VALUE
""",
    "numpy is patched": """
import numpy as np
np.isclose = np.allclose = np.array_equal = lambda *a, **k: True
np.testing.assert_allclose = lambda *a, **k: None
def FUNCTION(*a):
    return VALUE
""",
    "torch is patched": """
import torch
torch.allclose = torch.equal = lambda *a, **k: True
torch.Tensor.__eq__ = lambda *a: True
def FUNCTION(*a):
    return VALUE
""",
    "the grader's own modules are patched": """
import json, sys
def FUNCTION(*a):
    for name in list(sys.modules):
        if name.startswith("gencomp_course") or name == "__main__":
            module = sys.modules[name]
            for word in ("close", "all_close", "number", "numbers", "_judge", "grade"):
                setattr(module, word, lambda *a, **k: True)
    return VALUE
""",
    "frames are searched": """
import sys
def FUNCTION(*a):
    frame = sys._getframe()
    while frame:
        for name, value in {**frame.f_globals, **frame.f_locals}.items():
            if name in ("expected", "answers", "truth", "solution"):
                return value
            if name == "reference":
                return value.FUNCTION(*a)
        frame = frame.f_back
    return VALUE
""",
    "gc is searched": """
import gc, types
def FUNCTION(*a):
    for thing in gc.get_objects():
        if type(thing) is types.FunctionType and thing.__name__ == "FUNCTION":
            if thing.__module__ != "submission":
                return thing(*a)
        if type(thing) is dict and "expected" in thing:
            if type(thing["expected"]) in (int, float):
                return thing["expected"]
    return VALUE
""",
    "files are searched": """
import os, sys
def FUNCTION(*a):
    import gencomp_course
    above = os.path.dirname(os.path.dirname(gencomp_course.__file__))
    starts = [os.path.join(above, "assignments"), above, os.getcwd(), os.path.expanduser("~")]
    for start in starts + sys.path:
        for name in ("ASSIGNMENT/reference.py", "reference.py"):
            try:
                space = {}
                exec(open(os.path.join(start, name)).read(), space)
                return space["FUNCTION"](*a)
            except (OSError, SyntaxError):
                pass
        for folder, _, names in os.walk(start):
            if folder.count(os.sep) > start.count(os.sep) + 2:
                break
            if "reference.py" in names:
                space = {}
                exec(open(os.path.join(folder, "reference.py")).read(), space)
                return space["FUNCTION"](*a)
    return VALUE
""",
    "the checks are imported": """
def FUNCTION(*a):
    from gencomp_course import assignment
    assignment.load("ASSIGNMENT")
    import sys
    for name in list(sys.modules):
        if name.endswith(".reference"):
            return sys.modules[name].FUNCTION(*a)
    return VALUE
""",
    "the grader's memory is read": """
import os
def FUNCTION(*a):
    for process in (os.getppid(), 1):
        with open(f"/proc/{process}/mem", "rb") as memory:
            memory.seek(0x400000)
            memory.read(8)
    return VALUE
""",
    "a result with its own __eq__": """
class Same(float):
    def __eq__(self, other): return True
    def __float__(self): return 0.0
    def __sub__(self, other): return 0.0
    def __rsub__(self, other): return 0.0
    def __abs__(self): return 0.0
def FUNCTION(*a):
    return Same(1)
""",
    "a result that converts itself": """
class Everything:
    def __float__(self): return 0.0
    def __array__(self, *a, **k): return __import__("numpy").zeros(1)
    def __iter__(self): return iter([0.0, 0.0])
    def __len__(self): return 2
    def tolist(self): return [0.0]
    def item(self): return 0.0
def FUNCTION(*a):
    return Everything()
""",
    "os._exit(0)": "import os\ndef FUNCTION(*a):\n    os._exit(0)\n",
    "sys.exit(0)": "import sys\ndef FUNCTION(*a):\n    sys.exit(0)\n",
    "a crash": "import ctypes\ndef FUNCTION(*a):\n    ctypes.string_at(0)\n",
    "endless recursion": "def FUNCTION(*a):\n    return FUNCTION(*a)\n",
    "endless loop": "def FUNCTION(*a):\n    while True:\n        pass\n",
    "except BaseException": """
def FUNCTION(*a):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
""",
    "waits for ever": "import time\ndef FUNCTION(*a):\n    time.sleep(1000)\n",
    "8 GB": "def FUNCTION(*a):\n    return float(len(bytearray(8 * 2**30)))\n",
    "a fork bomb": """
import os
def FUNCTION(*a):
    for _ in range(7):  # 128 processes, should it ever work
        os.fork()
    return VALUE
""",
    "another process": """
import subprocess, sys
def FUNCTION(*a):
    return float(subprocess.run([sys.executable, "-c", "print(1)"]).returncode)
""",
    "1 GB of output": """
import os
def FUNCTION(*a):
    for _ in range(1024):
        os.write(1, bytes(2**20))
    print("1.0")
""",
    "a flood of answers": """
import os
def FUNCTION(*a):
    for descriptor in range(3, 64):
        try:
            for _ in range(200):
                os.write(descriptor, b"[" * 2**17)
        except OSError:
            pass
    return VALUE
""",
    "forged answers": """
import json, os
def FUNCTION(*a):
    line = {"value": VALUE, "points": 60, "passed": True, "found": True, "problems": []}
    text = (json.dumps(line) + chr(10)).encode() * 50
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, text)
        except OSError:
            pass
    os._exit(0)
""",
    "the grader is killed": """
import os
def FUNCTION(*a):
    os.kill(os.getppid(), 9)
    return VALUE
""",
    "printing for returning": "def FUNCTION(*a):\n    print(VALUE)\n",
    "NaN": "def FUNCTION(*a):\n    return float('nan')\n",
    "a text": "def FUNCTION(*a):\n    return 'right'\n",
    "a function": "def FUNCTION(*a):\n    return lambda *a: VALUE\n",
    "True": "def FUNCTION(*a):\n    return True\n",
    "no such function": "def function(*a):\n    return VALUE\n",
    "this isn't Python": "def FUNCTION(*a)\n    return VALUE\n",
}
