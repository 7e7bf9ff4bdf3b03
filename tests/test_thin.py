"""Chapters stay one sitting long: words, lines of code and what these lines do, counted by page."""

import ast
import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from conftest import CHAPTERS, ROOT, read_notebook
from nbformat import NotebookNode

MOST_WORDS, MOST_VISIBLE, MOST_IN_A_CELL, MOST_LINES = 2600, 110, 12, 180
MEDIAN_WORDS, MEDIAN_VISIBLE, LEAST_SHARE = 2000, 80, 0.5
ALL_LINES, PACKAGE_LINES = 3000, 9200
HIDDEN = {"hide-input", "hide-cell"}
# What shows and doesn't compute: the package's displays, and what draws.
DISPLAYS = {"say", "table", "show", "player", "source", "live", "describe_data", "diagram"}
DRAWERS = {"ax", "axes", "fig", "figures", "draw", "left", "right"}


@dataclass(frozen=True)
class Size:
    """What a chapter holds, its exercises aside, and how many visible lines compute."""

    words: int
    visible: int
    longest: int
    lines: int
    computing: int


def lines(code: str) -> int:
    return sum(bool(line.strip()) for line in code.splitlines())


def root(node: ast.expr) -> str:
    """Name from which an expression's attributes and items are reached."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def shows(statement: ast.stmt) -> bool:
    """Whether a statement displays, draws or imports."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return True
    value = getattr(statement, "value", None)
    return isinstance(value, ast.Call) and root(value) in DISPLAYS | DRAWERS


def computing(statements: list[ast.stmt]) -> Iterator[int]:
    """Numbers of the lines that compute."""
    for statement in statements:
        parts = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
        inner = [part for block in parts for part in block]
        if inner:
            found = [*computing(inner)]
            yield from found
            if found:
                yield from range(statement.lineno, inner[0].lineno)
        elif not shows(statement):
            yield from range(statement.lineno, statement.end_lineno + 1)


def size(notebook: NotebookNode) -> Size:
    starts = [cell.source.partition("\n")[0] for cell in notebook.cells]
    exercises, reading = starts.index("## Exercises"), starts.index("## Further reading")
    told = [
        cell.source
        for cell in [*notebook.cells[:exercises], *notebook.cells[reading:]]
        if cell.cell_type == "markdown"
    ]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [cell.source for cell in code if not HIDDEN & set(cell.metadata.get("tags", []))]
    plain = [re.sub(r"^( *)%.*$", r"\1pass", source, flags=re.MULTILINE) for source in shown]
    return Size(
        words=sum(len(text.split()) for text in told),
        visible=sum(map(lines, shown)),
        longest=max(map(lines, shown), default=0),
        lines=sum(lines(cell.source) for cell in code),
        computing=sum(len(set(computing(ast.parse(source).body))) for source in plain),
    )


@pytest.fixture(scope="module")
def sizes() -> dict[str, Size]:
    return {chapter: size(read_notebook(chapter)) for chapter in CHAPTERS}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_is_one_sitting_long(chapter, sizes, record_property):
    of = sizes[chapter]
    record_property(
        "size",
        f"{of.words:5} words {of.visible:4} visible lines, {of.computing:3} compute "
        f"{of.lines:4} in all  {chapter}",
    )
    assert of.words <= MOST_WORDS
    assert of.visible <= MOST_VISIBLE
    assert of.longest <= MOST_IN_A_CELL
    assert of.lines <= MOST_LINES
    assert of.computing >= LEAST_SHARE * of.visible


def test_half_of_the_chapters_are_much_shorter(sizes):
    assert statistics.median(of.words for of in sizes.values()) <= MEDIAN_WORDS
    assert statistics.median(of.visible for of in sizes.values()) <= MEDIAN_VISIBLE


def test_the_book_and_the_package_stay_small(sizes):
    assert sum(of.lines for of in sizes.values()) <= ALL_LINES
    package = (ROOT / "gencomp_utils").rglob("*.py")
    assert sum(path.read_text(encoding="utf-8").count("\n") for path in package) <= PACKAGE_LINES


def test_what_shows_is_told_from_what_computes():
    code = """\
import numpy as np
x = np.arange(3)
fig, ax = figures.new()
ax.plot(x)
for y in x:
    z = y + 1
    say(f"{z}")
for y in x:
    say(f"{y}")
show(draw.bells(x))
"""
    assert sorted(set(computing(ast.parse(code).body))) == [2, 5, 6]


# The form of a chapter


FIGURE = re.compile(r"\*\*Figure (\d+)\.\*\*")
RESULT = re.compile(r"^> \*\*Result (\d+) \(.+?\)\.\*\*", re.MULTILINE)
PREDICTION = re.compile(r"^> \*\*Predict\.\*\*", re.MULTILINE)
FOLDED_ANSWER = "\n\n<details><summary>Answer</summary>\n\n"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_figure_has_its_caption_below_and_its_number(chapter):
    cells = read_notebook(chapter).cells
    captions = []
    for cell, after in zip(cells, [*cells[1:], None], strict=True):
        shows_one = re.search(r"^ *(show|player|diagram|live\.\w+)\(", cell.source, re.MULTILINE)
        if cell.cell_type == "code" and shows_one:
            said = FIGURE.findall(cell.source)
            below = after is not None and after.cell_type == "markdown" and after.source
            captions += said or (FIGURE.findall(below) if FIGURE.match(below or "") else [cell.id])
    assert captions == [str(i + 1) for i in range(len(captions))], chapter
    assert captions, f"{chapter} has no figure"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_results_are_numbered_and_answers_folded(chapter):
    text = "\n".join(cell.source for cell in read_notebook(chapter).cells)
    numbers = RESULT.findall(text)
    assert numbers == [str(i + 1) for i in range(len(numbers))]
    assert len(PREDICTION.findall(text)) == text.count(FOLDED_ANSWER)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_what_is_hidden_says_in_its_first_line_what_it_is(chapter):
    for cell in read_notebook(chapter).cells:
        if HIDDEN & set(cell.metadata.get("tags", [])):
            assert cell.source.startswith("# @title "), cell.id


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_page_opens_with_a_picture(chapter):
    cells = read_notebook(chapter).cells
    first = next(i for i, cell in enumerate(cells) if FIGURE.search(cell.source))
    words = sum(len(cell.source.split()) for cell in cells[:first] if cell.cell_type == "markdown")
    assert words <= 350, f"{words} words stand before the first picture"
