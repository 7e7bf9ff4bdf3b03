"""The builder: executes what changed and nothing else, and fails where the book is broken."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from conftest import export_tree

pytestmark = pytest.mark.slow

TOC = "format: jb-book\nroot: book/tiny\nchapters:\n  - file: book/words\n"
COUNT = 'import os\nwith open(os.environ["TINY_LOG"], "a") as log:\n    log.write(".")'


@dataclass
class Tiny:
    """A book of one notebook and one page of text, built by the real builder and settings."""

    folder: Path
    notebook: Path
    words: Path
    log: Path

    def build(self, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if name[:8] != "GENCOMP_"}
        apart = {
            "PYTHONPATH": str(self.folder),
            "TINY_LOG": str(self.log),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "GENCOMP_MIRRORS": "http://127.0.0.1:9/",
        }
        return subprocess.run(
            [sys.executable, "tools/book.py"], cwd=self.folder, env=inherited | apart | environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def executions(self, **environment: str) -> int:
        """Build, which must succeed; return how often the notebook was executed for that."""
        before = len(self.log.read_text())
        built = self.build(**environment)
        assert built.returncode == 0, built.stderr
        return len(self.log.read_text()) - before


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    folder = export_tree(tmp_path_factory.mktemp("tiny"))
    tiny = Tiny(folder, folder / "book/tiny.ipynb", folder / "book/words.md", folder / "log")
    (folder / "_toc.yml").write_text(TOC)
    tiny.words.write_text("# Words\n")
    write_notebook(tiny.notebook, COUNT)
    tiny.log.touch()
    assert tiny.executions() == 1
    return tiny


def write_notebook(path: Path, code: str) -> None:
    title = nbformat.v4.new_markdown_cell("# Tiny", id="title")
    cells = [title, nbformat.v4.new_code_cell(code, id="code")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


@contextmanager
def kept(path: Path) -> Iterator[None]:
    """Put a file back as it was."""
    original = path.read_bytes()
    try:
        yield
    finally:
        path.write_bytes(original)


# What a build executes


def test_a_build_of_nothing_new_says_so_and_executes_nothing(tiny):
    assert tiny.executions() == 0
    assert tiny.build().stdout.splitlines()[-1].startswith("Nothing changed")


@pytest.mark.parametrize("name", ["gencomp_utils/data.py", "requirements.txt"])
def test_a_change_of_package_or_pins_executes_again(tiny, name):
    path = tiny.folder / name
    path.write_text(path.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert tiny.executions() == 1


def test_a_change_of_words_alone_is_built_and_executes_nothing(tiny):
    tiny.words.write_text("# Other words\n")
    assert tiny.executions() == 0
    assert "Other words" in (tiny.folder / "_build/html/book/words.html").read_text()


def test_other_data_execute_again(tiny, mnist):
    assert tiny.executions(GENCOMP_DATA_DIR=str(mnist)) == 1


# What fails a build


@pytest.mark.parametrize("code", ["1 / 0", "import warnings; warnings.warn('careful')"])
def test_an_error_or_a_warning_in_a_cell_fails_the_build(tiny, code):
    with kept(tiny.notebook):
        write_notebook(tiny.notebook, code)
        assert tiny.build().returncode != 0, f"built in spite of {code}"


def test_a_chapter_that_a_warning_spoilt_is_executed_again_when_its_cause_is_gone(tiny):
    code = "import os, warnings\nif 'CAREFUL' in os.environ:\n    warnings.warn('careful')"
    with kept(tiny.notebook):
        write_notebook(tiny.notebook, code)
        assert tiny.build(CAREFUL="yes").returncode != 0
        again = tiny.build()
        assert again.returncode == 0, again.stderr


def test_each_broken_reference_fails_the_build_and_does_so_every_time(tiny):
    broken = {
        "[there](nowhere.md)": "nowhere.md",
        "{ref}`nowhen`": "nowhen",
        "{cite}`Nobody1900`": "Nobody1900",
    }
    with kept(tiny.words):
        tiny.words.write_text("\n\n".join(["# Words", *broken]))
        for attempt in ("first", "second"):
            built = tiny.build()
            assert built.returncode != 0, f"built the {attempt} time"
            told = [line for line in built.stderr.splitlines() if "WARNING" in line]
            missing = [words for words, name in broken.items() if name not in "".join(told)]
            assert not missing, f"the {attempt} time nothing was said of {missing}: {told}"
