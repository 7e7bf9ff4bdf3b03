"""Every chapter runs from its first cell to its last, its solutions too, within small limits."""

import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
import torch
from conftest import CHAPTERS, errors, execute, kernel, printed, read_notebook
from nbformat import NotebookNode

SECONDS, MEGABYTES, SECONDS_IN_ALL = 30, 1024, 300
REFERENCE_S = 0.45  # what the reference work takes on a quiet core without AVX-512
SOLUTION = re.compile(r"<details>.*?</details>", re.DOTALL)
# A solution that trains does so on few images: what is promised is that its code runs.
STAND_IN = "import os; os.environ['GENCOMP_STAND_IN'] = '1'"
PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, repr=False)
class Execution:
    """A chapter that was run: its code cells, those of its solutions, and what the former took."""

    cells: list[NotebookNode]
    solutions: list[NotebookNode]
    seconds: float
    megabytes: float


def solutions(notebook: NotebookNode) -> list[NotebookNode]:
    """The code of a notebook's solutions as cells, named after the exercises' cells."""
    return [
        nbformat.v4.new_code_cell(code, id=f"{cell.id}-{number}")
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for number, code in enumerate(PYTHON.findall("".join(SOLUTION.findall(cell.source))), 1)
    ]


def processor_seconds(process: int) -> float:
    """What a process has computed so far: other work on the machine doesn't count."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def slowness() -> float:
    """How many times as long as on a quiet core a fixed piece of work takes now, 1 at the least.

    A shared machine's cores have been seen to take from one to two and a half times as long within
    minutes, by their own clocks.
    """
    layer, x = torch.nn.Conv2d(16, 32, 3), torch.zeros(32, 16, 28, 28)
    started = time.process_time()
    for _ in range(30):
        layer(x).sum().backward()
        sorted(range(50_000), key=lambda number: -number)
    return max(1.0, (time.process_time() - started) / REFERENCE_S)


def peak_megabytes(process: int) -> float:
    """The most memory that a process has had."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


@pytest.fixture(scope="module")
def seconds() -> dict[str, float]:
    """A quiet processor's seconds by chapter, of those that were run."""
    return {}


@pytest.fixture(scope="module")
def execution(
    chapter: str,
    reader: dict[str, str],
    seconds: dict[str, float],
    tmp_path_factory: pytest.TempPathFactory,
) -> Execution:
    if not Path("/proc/self/status").exists():
        pytest.skip("a kernel's time and memory are read from /proc, which only Linux has")
    notebook, before = read_notebook(chapter), slowness()
    with kernel(sys.executable, tmp_path_factory.mktemp("empty"), reader) as client:
        cells = execute(client, notebook.cells)
        taken = processor_seconds(client.km.provisioner.pid)
        seconds[chapter] = taken / ((before + slowness()) / 2)
        megabytes = peak_megabytes(client.km.provisioner.pid)
        execute(client, [nbformat.v4.new_code_cell(STAND_IN)])
        answers = execute(client, solutions(notebook))
    return Execution(cells, answers, seconds[chapter], megabytes)


@pytest.mark.slow
def test_the_chapter_runs_in_an_empty_folder(execution):
    failed = errors(execution.cells)
    assert not failed, "\n".join(failed)


@pytest.mark.slow
def test_the_chapter_writes_nothing_to_stderr(execution):
    assert not printed(execution.cells, "stderr")


@pytest.mark.slow
def test_the_chapter_takes_little_time_and_memory(chapter, execution, record_property):
    cost = f"{execution.seconds:5.1f} s {execution.megabytes:6.0f} MB  {chapter}"
    record_property("cost", cost)
    # The correction for a busy machine is itself known to a half at best.
    assert execution.seconds <= 1.5 * SECONDS, f"took {execution.seconds:.1f} s"
    assert execution.megabytes <= MEGABYTES, f"took {execution.megabytes:.0f} MB"


@pytest.mark.slow
def test_the_solutions_run_after_the_chapter(execution):
    assert execution.solutions, "no solution with code was found"
    failed = errors(execution.solutions)
    assert not failed, "\n".join(failed)


SUGGESTED = [
    (chapter, change)
    for chapter in CHAPTERS
    for cell in read_notebook(chapter).cells
    if cell.id == "settings"
    for change in re.findall(r"\w+Config\(.*?\)", cell.source.partition("config = ")[0])
]


@pytest.mark.slow
@pytest.mark.parametrize(("chapter", "change"), SUGGESTED)
def test_a_chapter_runs_with_the_change_that_it_suggests(chapter, change, reader, tmp_path):
    """On few images: what is promised here is that nothing after the training trips over it."""
    notebook = read_notebook(chapter)
    (cell,) = (cell for cell in notebook.cells if cell.id == "settings")
    cell.source, count = re.subn(
        r"^config = .*", f"config = models.{change}", cell.source, flags=re.MULTILINE
    )
    assert count == 1
    with kernel(sys.executable, tmp_path, reader | {"GENCOMP_STAND_IN": "1"}) as client:
        failed = errors(execute(client, notebook.cells))
    assert not failed, "\n".join(failed)


@pytest.mark.slow
def test_all_chapters_together_take_minutes(seconds):
    if set(seconds) != set(CHAPTERS):
        pytest.skip("only some chapters were run")
    assert sum(seconds.values()) <= SECONDS_IN_ALL


def test_the_chapter_is_committed_without_outputs(chapter):
    code = [cell for cell in read_notebook(chapter).cells if cell.cell_type == "code"]
    run = [cell.id for cell in code if cell.outputs or cell.execution_count is not None]
    assert not run, f"{chapter}: outputs or execution counts in {run}; nbstripout removes them"


def test_the_chapter_is_committed_with_little_metadata(chapter):
    notebook = read_notebook(chapter)
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert notebook.metadata.get("language_info", {"name": "python"}) == {"name": "python"}
    extra = {
        cell.id: set(cell.metadata) - {"tags", "jupyter", "cellView"} for cell in notebook.cells
    }
    assert not any(extra.values()), f"{chapter}: {extra}"
