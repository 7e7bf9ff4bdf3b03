"""Binder: environment.yml agrees with pyproject.toml, is what Binder reads, and is enough."""

import os
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from conftest import (
    CHAPTERS,
    ROOT,
    errors,
    execute,
    export_tree,
    kernel,
    layer,
    leave_out_without_network,
    printed,
    read_notebook,
    run,
    serve,
)
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from gencomp_utils.data import MNIST_FILES

CHAPTER = "book/mnist/dcgan"  # has images, a recorded run, a player and a figure that runs
# What conda-forge calls the packages that it names otherwise than the Python index.
INDEX_NAMES = {"pytorch-cpu": "torch", "pytorch": "torch"}


def environment() -> tuple[list[str], list[str]]:
    """The packages that conda installs, and those that pip does."""
    settings = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    by_conda = [entry for entry in settings["dependencies"] if isinstance(entry, str)]
    (by_pip,) = (entry["pip"] for entry in settings["dependencies"] if isinstance(entry, dict))
    return by_conda, by_pip


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_environment_names_the_bounds_of_pyproject():
    extras = project()["optional-dependencies"].values()
    listed = map(Requirement, sum(extras, project()["dependencies"]))
    bounds = {requirement.name: requirement.specifier for requirement in listed}
    by_conda, by_pip = environment()
    for entry in {*by_conda} - {"pip"}:
        if not entry.startswith("python="):
            asked = Requirement(entry)
            assert asked.specifier == bounds[INDEX_NAMES.get(asked.name, asked.name)], entry
    assert by_pip == ["-e ."], "the rest comes through the package's own dependencies"


def test_environment_asks_for_a_python_that_the_package_takes():
    """One exact version: Binder takes an old one where it is given a bound."""
    (python,) = (entry for entry in environment()[0] if entry.startswith("python="))
    assert f"{python.removeprefix('python=')}.0" in SpecifierSet(project()["requires-python"])


def test_nothing_hides_the_environment_from_binder():
    hiding = [name for name in ("binder", ".binder", "Dockerfile") if (ROOT / name).exists()]
    assert not hiding


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_tree(tmp_path_factory.mktemp("binder"))


@pytest.mark.slow
def test_repo2docker_reads_environment_and_postbuild(tree):
    command = Path(sys.executable).with_name("jupyter-repo2docker")
    log = run([command, "--no-build", "--debug", "."], tree)
    steps = [line for line in log.splitlines() if "environment.yml" in line or "postBuild" in line]
    assert any("env update" in step and '--file "environment.yml"' in step for step in steps), steps
    assert any(step.startswith("RUN ./postBuild") for step in steps), steps


@pytest.fixture(scope="module")
def python(tree: Path, torch_environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the part of environment.yml that pip does; PyTorch stands for conda's part."""
    python = layer(tmp_path_factory.mktemp("binder-environment"), below=torch_environment)
    requirements = tmp_path_factory.mktemp("pip") / "requirements.txt"
    requirements.write_text("\n".join(environment()[1]))
    try:
        run([python, "-m", "pip", "install", "--quiet", "--requirement", requirements], tree)
    except pytest.fail.Exception as failed:
        leave_out_without_network(str(failed))
        raise
    return python


@pytest.mark.slow
def test_a_chapter_runs_where_binder_opens_it_and_all_find_what_they_import(tree, python, reader):
    """Every chapter is run as in Colab: what differs here is what is installed, and where."""
    imports = [
        cell for name in CHAPTERS for cell in read_notebook(name).cells if cell.id == "imports"
    ]
    assert len(imports) == len(CHAPTERS)
    with kernel(python, (tree / CHAPTER).parent, reader) as client:
        cells = execute(client, [*read_notebook(CHAPTER).cells, *imports])
        where = execute(client, [nbformat.v4.new_code_cell("print(gencomp_utils.__file__)")])
    failed = errors(cells)
    assert not failed, "\n".join(failed)
    assert Path(printed(where).strip()).is_relative_to(tree), printed(where)


def run_postbuild(tree: Path, python: Path, cache: Path, mirror: str) -> str:
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    outside = {"PATH": path, "XDG_CACHE_HOME": str(cache), "GENCOMP_MIRRORS": mirror}
    inherited = {name: text for name, text in os.environ.items() if name != "GENCOMP_DATA_DIR"}
    return run([tree / "postBuild"], tree, env=inherited | outside)


@pytest.mark.slow
def test_postbuild_puts_mnist_into_the_image(tree, python, mnist, tmp_path):
    with serve(mnist) as mirror:
        said = run_postbuild(tree, python, tmp_path, mirror)
    assert "is in the image" in said
    assert {file.name for file in (tmp_path / "gencomp" / "mnist").iterdir()} == {*MNIST_FILES}


@pytest.mark.slow
def test_postbuild_spares_the_image_and_says_so_where_no_mirror_answers(tree, python, tmp_path):
    said = run_postbuild(tree, python, tmp_path, mirror="http://127.0.0.1:9/")
    assert "could not be put into the image" in said
