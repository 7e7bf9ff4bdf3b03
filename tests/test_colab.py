"""Every chapter runs as in Colab: its first cell installs the package, from the repository."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
import yaml
from conftest import ROOT, errors, execute, export_tree, kernel, layer, printed, read_notebook, run

from gencomp_utils import runs

pytestmark = pytest.mark.slow

WHERE = """
from gencomp_utils import runs
print(*sorted(run.name for run in runs.RECORDED.iterdir()), sep=", ")
print(runs.__file__)
"""
MOVE_SLIDERS = """
from ipywidgets import FloatSlider
from ipywidgets.widgets.widget import _instances as widgets

sliders = [widget for widget in widgets.values() if isinstance(widget, FloatSlider)]
for slider in sliders:
    slider.value = slider.max
    slider.value = slider.min
print(len(sliders))
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Commit the working tree to a bare repository; return what makes git find it."""
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    address = urlsplit(settings["repository"]["url"])
    owner, name = address.path.strip("/").split("/")
    tree = export_tree(tmp_path_factory.mktemp("tree"))
    owners = tmp_path_factory.mktemp("owners")
    someone = ["-c", "user.name=A reader", "-c", "user.email=reader@example.org"]
    settled = ["-c", "core.hooksPath=/dev/null", "-c", "commit.gpgsign=false"]
    run(["git", "init", "--quiet", "--initial-branch=main"], tree)
    run(["git", "add", "--all"], tree)
    run(["git", *someone, *settled, "commit", "--quiet", "--message=The working tree"], tree)
    run(["git", "clone", "--quiet", "--bare", tree, owners / f"{name}.git"], owners)
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{owners.as_uri()}/.insteadOf",
        "GIT_CONFIG_VALUE_0": f"{address.scheme}://{address.netloc}/{owner}/",
    }


@pytest.fixture(scope="module")
def python(torch_environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return layer(tmp_path_factory.mktemp("colab"), below=torch_environment)


def test_the_chapter_installs_the_package_and_runs(chapter, repository, python, reader, tmp_path):
    run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "gencomp_utils"], tmp_path)
    path = f"{python.parent}{os.pathsep}{reader['PATH']}"
    notebook = read_notebook(chapter)
    added = map(nbformat.v4.new_code_cell, (WHERE, MOVE_SLIDERS))
    with kernel(python, tmp_path, reader | repository | {"PATH": path}) as client:
        cells = execute(client, notebook.cells)
        where, sliders = execute(client, added)

    failed = errors([*cells, where, sliders])
    assert not failed, "\n".join([printed(cells), printed(cells, "stderr"), *failed])

    recorded, imported = printed([where]).splitlines()
    (packages,) = python.parent.parent.glob("lib/python*/site-packages")
    assert Path(imported).is_relative_to(packages), f"imported from {imported}"
    assert recorded.split(", ") == sorted(run.name for run in runs.RECORDED.iterdir())

    live = [cell.id for cell in notebook.cells if "live(" in cell.source]
    count = int(printed([sliders]))
    drawn = sum(output.output_type == "display_data" for output in sliders.outputs)
    assert drawn >= count >= len(live), f"{live}: {count} sliders, moved, drew {drawn} figures"
