"""A live figure in JupyterLab, beside the sliders over the function that draws it."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.slow

CODE = """\
from gencomp_utils import live
from gencomp_utils.figures import live_theory
live.stamps(live_theory.stamps)"""
STARTS = 120  # seconds, on a busy machine


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start JupyterLab with a notebook of one cell, and return the notebook's address."""
    folder = tmp_path_factory.mktemp("lab")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, folder / "figure.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = [
        "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
        "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}",
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "GENCOMP_BUILD"}
    environment |= {"JUPYTER_CONFIG_DIR": str(folder / "config"), "HOME": str(folder)}
    command = [str(Path(sys.executable).with_name("jupyter")), "lab", *settings]
    log = folder / "log"
    with (
        log.open("w") as out,
        subprocess.Popen(command, env=environment, stdout=out, stderr=out) as server,
    ):
        address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + STARTS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/api"):
                break
            time.sleep(0.5)
        yield f"{address}/lab/tree/figure.ipynb"
        server.terminate()


def test_a_figure_and_its_sliders_run_in_jupyterlab(browser, lab):
    tab = browser.new_page(viewport={"width": 1280, "height": 1200})
    tab.set_default_timeout(1000 * STARTS)
    tab.goto(lab)
    cell = tab.locator(".jp-Notebook .jp-CodeCell").first
    cell.locator(".cm-content").click()
    tab.locator(".jp-Toolbar-kernelStatus, .jp-Notebook-ExecutionIndicator").first.wait_for()
    tab.keyboard.press("Control+Enter")
    root = tab.locator(".gencomp-live[data-state=ready]")
    root.wait_for()
    slider = root.locator("input[type=range]").first
    before = slider.get_attribute("aria-valuetext")
    slider.focus()
    tab.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") != before
    assert slider.evaluate("(s) => s === document.activeElement"), "JupyterLab took the key"
    tab.locator(".widget-slider, .jupyter-widgets").first.wait_for()
    tab.close()
