"""Chapters keep to what the built page, Colab, JupyterLab and GitHub all show.

CONTRIBUTING.md describes the dialect; here it is enforced, and each rule is seen to refuse.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from conftest import CHAPTERS, ROOT, read_notebook
from nbformat import NotebookNode

SET_UP = """\
# @title Set-up
try:
    import gencomp_utils
except ModuleNotFoundError:
    %pip install -q "gencomp_utils @ git+{address}{edition}\""""
OPENING = ["**What you'll be able to do**", "**What it needs.**", "**Minutes.**"]
CLOSING = ["Summary", "Exercises", "Further reading"]
ASIDES = ("**Predict.**", "**Check.**", "**Careful.**", "**Result ")
# Folded in JupyterLab and in Colab too.
FOLDED = {"jupyter": {"source_hidden": True}, "cellView": "form"}
LONGEST_CELL = 40
EXAMPLE = "book/distance/jensen-shannon"  # the chapter to which breaches are added
FORBIDDEN = {
    "a MyST role": r"\{[\w:-]+\}`",
    "a MyST directive": r"^\s*(```+|~~~+|:::+)\s*\{",
    "a colon fence": r"^\s*:::",
    "a MyST target": r"^\([\w:-]+\)=",
    "a substitution": r"\{\{",
    "a footnote": r"\[\^",
    "a LaTeX reference": r"\\(?:label|ref|eqref|cite)\{",
    "a LaTeX environment outside of formulas": r"^\s*\\begin\{(?:equation|align)",
    "an HTML comment": r"<!--",
    "an image in Markdown": r"!\[",
    "GitHub's alert": r"^>\s*\[!",
}
TAG = re.compile(r"</?([a-zA-Z][\w-]*)[^>]*>")
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
PAPER = re.compile(r"https://(?:doi\.org/|arxiv\.org/abs/|proceedings\.)\S+")


def set_up() -> str:
    """Return the set-up cell of the edition that links open."""
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    edition = re.search(r"^  branch: (\S+)$", config, flags=re.MULTILINE)[1]
    return SET_UP.format(address=address(), edition="" if edition == "main" else f"@{edition}")


def address() -> str:
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    return re.search(r"^  url: (\S+)$", config, flags=re.MULTILINE)[1]


def bibliography() -> str:
    return (ROOT / "book" / "references.bib").read_text(encoding="utf-8")


def words(text: str) -> str:
    """Leave out code, in which anything may stand."""
    text = re.sub(r"^```python\n.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"(?<![}`])`[^`\n]+`", "", text)


def complaints_about_text(text: str, folder: Path) -> Iterator[str]:
    """Say what in a Markdown cell some place doesn't show."""
    plain = words(text)
    for name, pattern in FORBIDDEN.items():
        if re.search(pattern, plain, flags=re.MULTILINE):
            yield f"{name} stands in {plain[:60]!r}"
    without_formulas = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", "", plain, flags=re.DOTALL)
    for tag in TAG.findall(without_formulas):
        if tag not in ("details", "summary"):
            yield f"an HTML tag <{tag}> stands in {plain[:60]!r}"
    for formula in re.findall(r"\$\$.*?\$\$", plain, flags=re.DOTALL):
        if r"\tag" in formula and r"\\" in formula:
            yield f"a formula has both a number and several lines: {formula[:60]!r}"
    if plain.count("$$") % 2:
        yield f"a formula isn't closed in {plain[:60]!r}"
    for number in re.findall(r"\\tag\{(.*?)\}", plain):
        if number not in {str(i) for i in range(1, 14)}:
            yield f"\\tag{{{number}}} is no number of the report's"
    for quote in re.findall(r"(?:^> ?.*\n?)+", plain, flags=re.MULTILINE):
        first = quote.removeprefix(">").strip()
        if not first.startswith((*ASIDES, "“", '"')):
            yield f"a block quote begins with none of {ASIDES} and quotes nothing: {first[:60]!r}"
    yield from complaints_about_details(text)
    for target in LINK.findall(without_formulas):
        yield from complaints_about_link(target, folder)


def complaints_about_details(text: str) -> Iterator[str]:
    opened = text.count("<details>")
    good = re.findall(
        r"^<details><summary>[^<\n]+</summary>\n\n.*?\n\n</details>$",
        text,
        flags=re.DOTALL | re.MULTILINE,
    )
    if not opened == len(good) == text.count("</details>"):
        yield "a solution lacks its summary or the blank lines that Markdown in HTML needs"


def complaints_about_link(target: str, folder: Path) -> Iterator[str]:
    if target.startswith("https://"):
        if PAPER.match(target):
            paper = unquote(re.sub(r"https://(doi\.org|arxiv\.org/abs)/", "", target))
            if paper not in bibliography():
                yield f"{target} isn't in book/references.bib"
        return
    path, _, heading = target.partition("#")
    if not path.endswith((".md", ".ipynb")):
        yield f"{target} links neither to a page (.md, .ipynb) nor to https://"
    elif not (folder / path).exists():
        yield f"{target} links to a page that isn't there"
    elif heading and heading not in anchors(folder / path):
        yield f"{target} links to a heading that isn't there"


def anchors(path: Path) -> set[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = nbformat.reads(text, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def complaints_about_code(cell: NotebookNode) -> Iterator[str]:
    """Say what in a code cell has no place in a chapter."""
    if cell.outputs or cell.execution_count is not None:
        yield f"cell {cell.id} has outputs"
    if len(cell.source.splitlines()) > LONGEST_CELL:
        yield f"cell {cell.id} has more than {LONGEST_CELL} lines"
    if cell.source == set_up():
        return
    python = re.sub(r"^( *)%.*$", r"\1pass", cell.source, flags=re.MULTILINE)
    for node in ast.walk(ast.parse(python)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        given = {keyword.arg for keyword in node.keywords}
        if called in ("show", "player") and "alt" not in given and not drawn_by_the_package(node):
            yield f"cell {cell.id} calls {called} without alt"
        if called.startswith("plt.") or called in ("display", "eval", "exec"):
            yield f"cell {cell.id} calls {called}"
        if called.endswith(("random.seed", "manual_seed")) and "Generator" not in called:
            yield f"cell {cell.id} seeds a global generator by {called}"


def drawn_by_the_package(call: ast.Call) -> bool:
    """Whether a figure comes from the package, and brings its alternative text."""
    return "draw" in {node.id for node in ast.walk(call) if isinstance(node, ast.Name)}


def complaints(notebook: NotebookNode, folder: Path) -> list[str]:
    """Say all that is wrong with a chapter."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    found = [complaint for text in texts for complaint in complaints_about_text(text, folder)]
    found += [complaint for cell in codes for complaint in complaints_about_code(cell)]
    first = codes[0]
    hidden = {"tags": ["hide-cell"]} | FOLDED
    if first.source != set_up() or first.metadata != hidden:
        found.append("the first code cell isn't the set-up cell, tagged hide-cell and folded")
    for cell in codes:
        if (
            "hide-input" in cell.metadata.get("tags", [])
            and not cell.metadata.items() >= FOLDED.items()
        ):
            found.append(f"cell {cell.id} is hidden on the page, and not in JupyterLab and Colab")
    found += [
        f"cell id {cell.id!r} says nothing"
        for cell in notebook.cells
        if not re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", cell.id)
        or re.fullmatch(r"[0-9a-f]{8}", cell.id)
    ]
    found += [f"the opening lacks {part}" for part in OPENING if part not in texts[0]]
    headings = re.findall(r"^(#+) (.+)$", words("\n".join(texts)), flags=re.MULTILINE)
    if [level for level, _ in headings].count("#") != 1 or not texts[0].startswith("# "):
        found.append("there isn't just one title, at the top")
    if [title for level, title in headings if level == "##"][-3:] != CLOSING:
        found.append(f"the chapter doesn't close with {', '.join(CLOSING)}")
    exercises = "\n".join(texts).split("## Exercises")[-1]
    count = len(re.findall(r"^\*\*Exercise \d+\.", exercises, flags=re.MULTILINE))
    if not 3 <= count <= 5 or exercises.count("<details>") != count:
        found.append(f"there are {count} exercises; three to five are wanted, each with a solution")
    if notebook.metadata != {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }:
        found.append(f"the metadata aren't the minimal ones: {notebook.metadata}")
    return found


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_keeps_to_the_dialect(chapter):
    assert complaints(read_notebook(chapter), (ROOT / chapter).parent) == []


@pytest.fixture
def notebook() -> NotebookNode:
    return read_notebook(EXAMPLE)


def complaints_with(notebook: NotebookNode, text: str) -> list[str]:
    notebook.cells[1:1] = [nbformat.v4.new_markdown_cell(text, id="added")]
    return complaints(notebook, (ROOT / EXAMPLE).parent)


@pytest.mark.parametrize(
    "text",
    [
        "See {ref}`entropy`.",
        "See {numref}`fig:x` for more.",
        "```{note}\nCareful.\n```",
        ":::{note}\nCareful.\n:::",
        "(target)=",
        "{{ version }}",
        "A note.[^1]",
        "$$x \\label{eq:x}$$",
        "\\begin{align}\nx\n\\end{align}",
        "<!-- hidden -->",
        "![A picture](picture.png)",
        "<div>A box</div>",
        "x<sub>1</sub>",
        "> [!NOTE]\n> Careful.",
        "> Note that this is so.",
        "$$x = 1",
        "$$x \\tag{14}$$",
        "$$x \\\\ y \\tag{2}$$",
        "$$x \\tag{a}$$",
        "<details><summary>Solution</summary>\nNo blank line.\n</details>",
        "<details>\n\nNo summary.\n\n</details>",
        "[there](nowhere.ipynb)",
        "[there](../appendix/notation.md#nowhere)",
        "[there](/absolute)",
        "[Nobody (1900)](https://arxiv.org/abs/0000.00000)",
        "## Added\n\n# A second title",
    ],
)
def test_what_some_place_does_not_show_is_refused(notebook, text):
    assert complaints_with(notebook, text) != []


@pytest.mark.parametrize(
    "text",
    [
        "An equation: $$x = 1 \\tag{2}$$",
        "The set $\\{0, 1\\}$ and `{ref}` as code.",
        "With $a < b$ and $c > d$.",
        "> **Predict.** What happens?",
        "[the notation](../appendix/notation.md) and [its title](../appendix/notation.md#notation)",
        "<details><summary>Solution</summary>\n\n```python\nx = {1: 2}\n```\n\n</details>",
        "| a | b |\n|---|---|\n| 1 | 2 |",
    ],
)
def test_what_all_places_show_is_allowed(notebook, text):
    assert complaints_with(notebook, text) == []


@pytest.mark.parametrize(
    "code",
    [
        "show(fig)",
        "player(frame, [0, 1], label='x')",
        "plt.show()",
        "np.random.seed(0)",
        "torch.manual_seed(0)",
        "\n".join(["x = 1"] * (LONGEST_CELL + 1)),
    ],
)
def test_code_that_has_no_place_in_a_chapter_is_refused(notebook, code):
    notebook.cells[-1:-1] = [nbformat.v4.new_code_cell(code, id="added")]
    assert complaints(notebook, (ROOT / EXAMPLE).parent) != []


def test_outputs_are_refused(notebook):
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.outputs = [nbformat.v4.new_output("stream", text="1")]
    assert complaints(notebook, (ROOT / EXAMPLE).parent) != []


def test_another_address_in_the_set_up_cell_is_refused(notebook):
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.source = cell.source.replace("-set-me-", "somebody")
    assert complaints(notebook, (ROOT / EXAMPLE).parent) != []
