"""Without MNIST the book is still built, and says on each page what it shows instead."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from conftest import CHAPTERS, export_tree, parse, read_notebook

from gencomp_utils import runs
from gencomp_utils.models import VAEConfig

pytestmark = pytest.mark.slow

NEEDS_IMAGES = [
    chapter
    for chapter in CHAPTERS
    if re.search(r"load_(digits|mnist)\(", "".join(c.source for c in read_notebook(chapter).cells))
]
NEEDS_NONE = [chapter for chapter in CHAPTERS if chapter not in NEEDS_IMAGES]


@dataclass(frozen=True)
class Built:
    """A book that was built without MNIST, and what its builder said."""

    html: Path
    said: list[str]

    def text(self, page: str) -> str:
        return parse(self.html / f"{page}.html").get_text(" ", strip=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    tree = export_tree(tmp_path_factory.mktemp("no-data"))
    for chapter in NEEDS_NONE:  # executed by other tests, and no other than with data
        notebook = read_notebook(chapter)
        notebook.metadata["mystnb"] = {"execution_mode": "off"}
        nbformat.write(notebook, tree / f"{chapter}.ipynb")
    bare = {
        "PYTHONPATH": str(tree),
        "GENCOMP_DATA_DIR": str(tmp_path_factory.mktemp("empty")),
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
        "GENCOMP_MIRRORS": "http://127.0.0.1:9/",
    }
    done = subprocess.run(
        [sys.executable, "tools/book.py"], cwd=tree, env=os.environ | bare,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-6000:]
    return Built(tree / "_build" / "html", done.stdout.splitlines())


def test_the_builder_says_in_one_line_that_mnist_is_missing(built):
    assert sum("stand-in" in line for line in built.said) == 1


@pytest.mark.parametrize("chapter", NEEDS_IMAGES)
def test_a_chapter_with_images_carries_the_notice(built, chapter):
    text = built.text(chapter)
    assert "Careful. MNIST could not be had" in text
    assert "stand-in" in text


def test_the_vae_chapter_has_images_and_still_shows_the_recorded_run(built):
    assert "book/mnist/vae" in NEEDS_IMAGES
    text = built.text("book/mnist/vae")
    metrics = runs.load(runs.RECORDED / runs.name(VAEConfig())).metrics
    for name in ("test_elbo", "test_log_evidence"):
        printed = f"{metrics[name]:.2f}".replace("-", "−")
        assert printed in text, f"the page doesn't show {name}, {printed}"
    assert "Trained on MNIST" in text
