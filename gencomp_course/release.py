"""What leaves the folder of assignments: students' notebooks, an institution's private copy."""

import ast
import json
import zipfile
from pathlib import Path

from gencomp_course import gradebook, reading
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


def release(assignments: Path, name: str, folder: Path) -> Path:
    """Write an assignment's notebook for students, without outputs; a Leak if it tells too much."""
    load(name, assignments)
    text = notebook(assignments, name).read_text(encoding="utf-8")
    told = json.loads(text)
    for cell in told["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    sources = "\n".join("".join(cell["source"]) for cell in told["cells"])
    reference = (assignments / name / "reference.py").read_text(encoding="utf-8")
    if found := leaks(sources, reference):
        raise Leak(f"{name}.ipynb holds a line of the reference: {found[0]!r}")
    path = folder / f"{name}.ipynb"
    gradebook.write(path, json.dumps(told, ensure_ascii=False, indent=1) + "\n")
    return path


def bundle(assignments: Path, target: Path) -> list[str]:
    """Write a private copy of all assignments as a zip file; return their names."""
    found = names(assignments)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(assignments.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
                archive.write(path, Path("assignments") / path.relative_to(assignments))
    return found
