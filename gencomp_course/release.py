"""What leaves the folder of assignments: students' notebooks, an institution's private copy."""

import ast
import json
import zipfile
from pathlib import Path
from typing import Any

from gencomp_course import export, gradebook, reading
from gencomp_course.assignment import load, names

SHORTEST_LEAK = 15


class Leak(RuntimeError):
    """A notebook that is to be released holds lines of the reference."""


def notebook(assignments: Path, name: str) -> Path:
    """Path of an assignment's notebook, as students get it."""
    return assignments / name / f"{name}.ipynb"


def given_words(assignments: Path, name: str) -> list[str]:
    """Markdown of the released notebook; none if it isn't there."""
    path = notebook(assignments, name)
    return reading.read(path).words if path.exists() else []


def leaks(text: str, reference: str) -> list[str]:
    r"""Statements of the reference's functions that stand in a text, however they are set.

    Examples
    --------
    >>> leaks("total = sum( counts )", "def f(counts):\n    total = sum(counts)")
    ['total = sum(counts)']
    """
    squeezed = "".join(text.split())
    found = []
    for function in ast.walk(ast.parse(reference)):
        if isinstance(function, ast.FunctionDef):
            body = function.body[1:] if ast.get_docstring(function) else function.body
            for node in body:
                line = ast.unparse(node)
                if len(line) >= SHORTEST_LEAK and "".join(line.split()) in squeezed:
                    found.append(line)
    return found


def release(assignments: Path, name: str, folder: Path, *, nbgrader: bool = False) -> Path:
    """Write an assignment's notebook for students, without outputs; a Leak if it tells too much.

    With ``nbgrader``, the cells that are marked carry its metadata.
    """
    asked = load(name, assignments)
    points = export.nbgrader_cells(asked) if nbgrader else {}
    text = notebook(assignments, name).read_text(encoding="utf-8")
    told = json.loads(text)
    for cell in told["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
        for key in points:
            stub = f"def {key}(" in _text(cell) and "raise NotImplementedError" in _text(cell)
            if stub if key in asked.functions else cell["id"] == key:
                cell["metadata"]["nbgrader"] = _nbgrader(key, points[key], cell["cell_type"])
    sources = "\n".join(map(_text, told["cells"]))
    reference = (assignments / name / "reference.py").read_text(encoding="utf-8")
    if found := leaks(sources, reference):
        raise Leak(f"{name}.ipynb holds a line of the reference: {found[0]!r}")
    path = folder / f"{name}.ipynb"
    gradebook.write(path, json.dumps(told, ensure_ascii=False, indent=1) + "\n")
    return path


def _text(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def _nbgrader(key: str, points: int, kind: str) -> dict[str, Any]:
    """Tell nbgrader of an answer that isn't marked by tests in the notebook."""
    told = {"grade_id": key, "points": points, "cell_type": kind, "schema_version": 3}
    return told | {"grade": True, "solution": True, "locked": False, "task": False}


def bundle(assignments: Path, target: Path) -> list[str]:
    """Write a private copy of all assignments as a zip file; return their names."""
    found = names(assignments)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(assignments.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
                archive.write(path, Path("assignments") / path.relative_to(assignments))
    return found
