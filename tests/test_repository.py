"""One source for each fact: whoever says it a second time says the same."""

import ast
import importlib
import io
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from conftest import CHAPTERS, PAGES, ROOT, export_tree, read_notebook, run, serve
from docutils.core import publish_doctree
from docutils.parsers.rst import roles
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from sphinx.ext.napoleon import Config, NumpyDocstring

import gencomp_utils
from gencomp_utils.models import MODELS

# Figures that are one chapter's own, in a module of its name.
PICTURES = [
    f"figures.{path.stem}"
    for path in sorted((ROOT / "gencomp_utils" / "figures").glob("*.py"))
    if path.stem not in ("__init__", "shared")
]
# The layers, from the first: a module imports only from those above it.
LAYERS = [
    "distributions",
    "divergences",
    "minimax",
    "evidence",
    "verdicts",
    "progress",
    "data",
    "models.base",
    "models.game",
    "models.toys",
    *(f"models.{kind}" for kind in MODELS),
    "models",
    "metrics.bounds",
    "metrics.codes",
    "metrics.samples",
    "metrics.two_samples",
    "metrics",
    "training",
    "checkpoints",
    "runs",
    "comparison",
    "claims.core",
    "claims.each",
    "claims.both",
    "claims",
    "figures.shared",
    "figures",
    *PICTURES,
    "notebook",
    "live.core",
    "live.theory",
    "live.play",
    "live.networks",
    "live",
    "ledger.core",
    "ledger.distance",
    "ledger.adversarial",
    "ledger.autoencoding",
    "ledger.training",
    "ledger.page",
    "ledger",
]
POSTERS = ["figures.live_game", "figures.live_networks", "figures.live_theory"]
WITHOUT_TORCH = [
    *(*LAYERS[: LAYERS.index("models.base")], "figures", "notebook", "live.theory"),
    *(pictures for pictures in PICTURES if pictures not in POSTERS),
]
LONGEST_MODULE, LONGEST_MODEL = 450, 200


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def address() -> str:
    return yaml.safe_load(text("_config.yml"))["repository"]["url"]


def project() -> dict:
    return tomllib.loads(text("pyproject.toml"))["project"]


def pinned(*files: str) -> list[Requirement]:
    """Read the pins of files, without their hashes."""
    lines = [line.rstrip(" \\") for file in files for line in text(file).splitlines()]
    return [Requirement(line) for line in lines if re.match(r"[\w.-]+==", line)]


BOOK = ("requirements-torch.txt", "requirements.txt")
ALL = (*BOOK, "requirements-test.txt")


def pins(*files: str) -> dict[str, str]:
    return {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in pinned(*files or ALL)
    }


# Dependencies and pins


def test_every_dependency_is_pinned_within_its_bounds():
    extras = project()["optional-dependencies"]
    for named, files in (
        ([*project()["dependencies"], *extras["book"], *extras["lab"]], BOOK),
        ([line for lines in extras.values() for line in lines], ALL),
    ):
        for requirement in map(Requirement, named):
            version = pins(*files).get(canonicalize_name(requirement.name))
            assert version is not None, f"{requirement.name} isn't in {files[-1]}"
            assert requirement.specifier.contains(version), f"{requirement} but {version} is pinned"


def test_no_two_files_pin_two_versions():
    pairs = {(canonicalize_name(pin.name), str(pin.specifier)) for pin in pinned(*ALL)}
    assert len(pairs) == len({name for name, _ in pairs})


def test_every_pin_but_pytorchs_has_its_hashes():
    for file in ("requirements.txt", "requirements-test.txt"):
        entries = re.split(r"\n(?=\S)", text(file).strip())[1:]
        assert len(entries) == len(pinned(file))
        without = [entry for entry in entries if "--hash=sha256:" not in entry]
        assert not without, without


@pytest.mark.pinned
def test_what_is_pinned_is_all_that_is_needed():
    """It is installed with --no-deps, so that nothing else can come in."""
    from importlib.metadata import requires

    for named in pinned(*ALL):
        if named.name != "torch" and (named.marker is None or named.marker.evaluate()):
            for needed in map(Requirement, requires(named.name) or []):
                if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                    assert canonicalize_name(needed.name) in pins(), f"{named.name}: {needed}"


def test_the_package_leaves_a_hosts_versions_alone():
    for requirement in map(Requirement, project()["dependencies"]):
        assert {clause.operator for clause in requirement.specifier} == {">="}, requirement


@pytest.mark.pinned
def test_the_environment_holds_the_pinned_versions():
    from importlib.metadata import version

    for pin in pinned(*ALL):
        if pin.marker is None or pin.marker.evaluate():
            assert version(pin.name).partition("+")[0] in pin.specifier, pin.name


def test_by_hand_the_same_files_are_installed_as_by_make():
    for page in ("README.md", "book/appendix/running.md"):
        named = re.findall(r"(?:-r|--requirement) (requirements\S*\.txt)", text(page))
        assert named == [*BOOK], page


def test_versions_agree():
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["version"] == gencomp_utils.__version__
    assert f"## {gencomp_utils.__version__}" in text("CHANGELOG.md")


# Address


def test_the_address_is_the_same_everywhere():
    # What stands for any repository, in help texts, isn't ours.
    other = re.compile(rf"https://github\.com/(?!ORG/){'[^/]+'}/gencomp-book")
    for path in [
        *ROOT.glob("*.*"),
        *(ROOT / "book").rglob("*.md"),
        *ROOT.glob("book/**/*.ipynb"),
        *ROOT.glob("assignments/**/*.ipynb"),
    ]:
        if path.is_file():
            named = set(other.findall(path.read_text(encoding="utf-8")))
            assert named <= {address()}, f"{path.relative_to(ROOT)} names {named}"


def test_readme_and_citation_name_the_address():
    assert address() in text("README.md")
    assert yaml.safe_load(text("CITATION.cff"))["repository-code"] == address()
    assert address() == gencomp_utils.REPOSITORY


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return export_tree(tmp_path)


def set_address(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/address.py", *arguments]
    return subprocess.run(command, cwd=tree, check=False, text=True, capture_output=True)


def test_one_command_sets_the_address_everywhere(tree):
    done = set_address(tree, "https://github.com/example/book-of-digits.git")
    assert done.returncode == 0, done.stderr
    held = [
        str(path.relative_to(tree))
        for path in tree.rglob("*")
        if (path.suffix in {".md", ".yml", ".cff", ".ipynb"} or path.name == "__init__.py")
        and "example/book-of-digits" in path.read_text(encoding="utf-8")
    ]
    named = {
        "_config.yml",
        "README.md",
        "CITATION.cff",
        "gencomp_utils/__init__.py",
        "book/mnist/vae.ipynb",
    }
    assert named <= set(held)
    for name in held:
        assert address().removeprefix("https://github.com/") not in (tree / name).read_text()


@pytest.mark.parametrize(
    "wrong", ["github.com/a/b", "https://gitlab.com/a/b", "https://github.com/a"]
)
def test_an_address_of_another_form_is_refused(tree, wrong):
    done = set_address(tree, wrong)
    assert done.returncode != 0
    assert wrong in done.stderr


def test_an_address_that_begins_with_the_old_one_is_written_once(tree):
    """And back: the files are then what they were."""
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    old = address()
    for new in (f"{old}-book", f"{old}.two", old):
        assert set_address(tree, new).returncode == 0
        config = yaml.safe_load((tree / "_config.yml").read_text(encoding="utf-8"))
        assert config["repository"]["url"] == new
        running = (tree / "book/appendix/running.md").read_text(encoding="utf-8")
        assert f"git clone {new}\ncd {new.rpartition('/')[2]}\n" in running
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before


# Publishing


def release(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/release.py", *arguments]
    return subprocess.run(
        command, cwd=tree, check=False, text=True, capture_output=True,
        env=os.environ | {"PYTHONPATH": str(tree)},
    )  # fmt: skip


def test_links_open_the_edition_that_is_set_and_main_again(tree):
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    assert set_address(tree, "https://github.com/a/b", "--edition", "v1.2.3").returncode == 0
    config = yaml.safe_load((tree / "_config.yml").read_text(encoding="utf-8"))
    assert config["repository"]["branch"] == "v1.2.3"
    vae = (tree / "book/mnist/vae.ipynb").read_text(encoding="utf-8")
    assert 'git+https://github.com/a/b@v1.2.3\\""' in vae
    assert "/blob/v1.2.3/" in (tree / "gencomp_utils/notebook.py").read_text(encoding="utf-8")
    assert set_address(tree, address(), "--edition", "main").returncode == 0
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before
    assert "newest" in set_address(tree, "--edition", "newest").stderr


def test_publishing_refuses_until_address_edition_version_and_notes_are_set(tree):
    version = gencomp_utils.__version__
    said = release(tree, "v9.9.9").stderr.splitlines()
    assert [line.split()[1] for line in said] == ["address", "open", "tag", "has"]
    set_address(tree, "https://github.com/example/book", "--edition", f"v{version}")
    changes = tree / "CHANGELOG.md"
    changes.write_text(changes.read_text().replace("(unreleased)", "(2027-01-01)", 1))
    done = release(tree, f"v{version}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("- The frame:")


def test_publishing_refuses_the_stand_in_and_an_empty_site(tree):
    (tree / "site").mkdir()
    assert "There is no book" in release(tree, "v9.9.9", "--site", "site").stderr
    notice = "images use a stand-in"
    assert f'f"{notice}, ' in text("gencomp_utils/notebook.py")
    (tree / "site" / "data.html").write_text(f"<p>Here {notice}, digits.</p>")
    assert "data.html shows the stand-in" in release(tree, "v9.9.9", "--site", "site").stderr


def test_colabs_list_becomes_constraints_for_what_the_package_needs():
    sys.path.insert(0, str(ROOT / "tools"))
    from colab import constraints

    freeze = (
        "numpy==2.0.2\nzict==3.0.0\n"
        "torch @ https://download.pytorch.org/whl/cu126/torch-2.8.0%2Bcu126-cp312-cp312.whl\n"
        "scipy==1.16.3\nPillow==11.3.0\n"
    )
    assert constraints(freeze) == [
        "numpy==2.0.2",
        "torch==2.8.0",
        "scipy==1.16.3",
        "Pillow==11.3.0",
    ]


def test_a_dead_link_is_found_and_a_live_one_is_not(tmp_path):
    (tmp_path / "there.html").write_text("")
    with serve(tmp_path) as host:
        pages = f'<a href="{host}/there.html#x">a</a> <a href="{host}/gone.html">b</a>'
        (tmp_path / "index.html").write_text(pages)
        command = [sys.executable, ROOT / "tools" / "links.py", tmp_path]
        done = subprocess.run(command, check=False, text=True, capture_output=True)
    assert done.stdout == "2 addresses asked, 1 dead\n"
    assert done.stderr == f"index.html: {host}/gone.html (404)\n"


def workflows() -> dict[str, dict]:
    folder = ROOT / ".github" / "workflows"
    return {path.name: yaml.safe_load(path.read_text("utf-8")) for path in folder.glob("*.yml")}


def test_actions_are_pinned_and_jobs_have_least_rights_and_an_end():
    for name, workflow in workflows().items():
        assert workflow["permissions"] == {}, name
        assert "concurrency" in workflow, name
        for job in workflow["jobs"].values():
            assert job["timeout-minutes"] <= 120, name
            assert job["permissions"], name
            for step in job["steps"]:
                assert re.search(r"@[0-9a-f]{40}$", step.get("uses", "@" + "0" * 40)), step


def test_workflows_try_every_python_that_classifiers_name_and_run_commands_that_exist():
    matrix = workflows()["test.yml"]["jobs"]["package"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert matrix["system"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    for workflow in workflows().values():
        steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
        runs = "\n".join(step.get("run", "") for step in steps)
        for target in re.findall(r"\bmake (\w+)", runs):
            assert re.search(rf"^{target}:", text("Makefile"), re.M), target
        for file in re.findall(r"(?:tools|tests)/\w+\.py", runs):
            assert (ROOT / file).exists(), file


# Layout


def file_of(module: str) -> Path:
    path = ROOT.joinpath("gencomp_utils", *module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imported(module: str) -> set[str]:
    """Modules of the package that a module imports, or imports from."""
    named = set()
    for node in ast.walk(ast.parse(file_of(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in whole if name.removeprefix("gencomp_utils.") in LAYERS}
            named |= modules | ({node.module} if whole - modules else set())
    return {name.removeprefix("gencomp_utils.") for name in named} & set(LAYERS)


def test_every_module_has_its_layer():
    package = ROOT / "gencomp_utils"
    files = {file_of(module) for module in LAYERS} | {package / "__init__.py"}
    assert files == set(package.rglob("*.py"))


@pytest.mark.parametrize("module", LAYERS)
def test_a_module_imports_only_from_those_above_it(module):
    assert imported(module) <= set(LAYERS[: LAYERS.index(module)])


def test_a_module_that_imports_from_below_is_noticed():
    assert {"models.base", "models.game"} <= imported("models.dcgan")
    assert imported("runs") >= {"training", "checkpoints", "models", "metrics.samples"}
    early = LAYERS[: LAYERS.index("training")]
    assert not imported("runs") <= set(early)


def length(module: str) -> int:
    return file_of(module).read_text(encoding="utf-8").count("\n")


@pytest.mark.parametrize("module", LAYERS)
def test_a_module_is_short_enough_to_be_read(module):
    assert length(module) <= LONGEST_MODULE


@pytest.mark.parametrize("module", [*(f"models.{kind}" for kind in MODELS), "training"])
def test_a_training_is_read_from_settings_to_last_epoch_in_one_short_file(module):
    assert length(module) <= LONGEST_MODEL


@pytest.mark.parametrize("kind", ["VAE", "DCGAN", "Classifier"])
def test_nothing_but_a_models_own_file_asks_for_its_type(kind):
    asks = re.compile(rf"(isinstance|case) ?\(?.*\b{kind}\w*\b")
    for module in LAYERS:
        if module != f"models.{kind.lower()}":
            assert not asks.search(file_of(module).read_text(encoding="utf-8")), module


def test_every_module_has_a_test_file_of_its_name():
    tests = {path.stem for path in (ROOT / "tests").glob("test_*.py")}
    for module in LAYERS:
        first = module.partition(".")[0]
        if first not in ("ledger", "figures", "claims") and file_of(module).name != "__init__.py":
            assert file_of_tests(module) in tests, module


def test_the_api_page_shows_every_module():
    shown = re.findall(r"automodule:: gencomp_utils\.([\w.]+)", text("book/appendix/api.md"))
    assert shown == [module for module in LAYERS if module not in PICTURES]


@pytest.mark.parametrize("module", PICTURES)
def test_a_module_of_pictures_is_a_chapters_own(module):
    names = {Path(page).name.replace("-", "_") for page in PAGES}
    assert module in POSTERS or module.removeprefix("figures.") in names


def test_what_theory_chapters_import_leaves_torch_out():
    code = """import importlib, sys
for module in sys.argv[1:]:
    importlib.import_module(f"gencomp_utils.{module}")
    if "torch" in sys.modules:
        sys.exit(f"{module} imports torch")"""
    run([sys.executable, "-c", code, *WITHOUT_TORCH], ROOT)


def test_every_page_is_in_the_table_of_contents():
    there = {
        str(path.relative_to(ROOT).with_suffix(""))
        for pattern in ("*.md", "*.ipynb")
        for path in (ROOT / "book").rglob(pattern)
        if ".ipynb_checkpoints" not in path.parts
    }
    assert there == set(PAGES)


def test_the_intro_lists_every_chapter_with_its_minutes():
    rows = re.findall(r"^\| \[.+?\]\((\S+)\.ipynb\) \|.*\| (\d+) \|$", text("book/intro.md"), re.M)
    opening = {page: read_notebook(page).cells[0].source for page in CHAPTERS}
    minutes = {
        page.removeprefix("book/"): re.search(r"\*\*Minutes\.\*\* (\d+) to read", source)[1]
        for page, source in opening.items()
    }
    assert dict(rows) == minutes
    assert [page for page, _ in rows] == list(minutes), "not in the order of the book"


@pytest.mark.parametrize("command", ["book", "check", "test", "train", "serve", "clean"])
def test_make_helps_by_default_and_knows_the_command(command):
    shown = subprocess.run(["make"], cwd=ROOT, check=True, text=True, capture_output=True).stdout
    assert f"make {command} " in shown


# The map of CONTRIBUTING


def modules_of(chapter: str) -> list[str]:
    """Modules of the package that a chapter's cells and solutions use, in the order of layers."""
    cells = read_notebook(chapter).cells
    fences = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
    code = [cell.source for cell in cells if cell.cell_type == "code" and cell.id != "set-up"]
    code += [part for cell in cells for part in fences.findall(cell.source)]
    nodes = [node for part in code for node in ast.walk(ast.parse(part))]
    imported = {
        f"{node.module}.{alias.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gencomp_utils")
        for alias in node.names
    }
    reached = {
        f"gencomp_utils.{node.value.id}.{node.attr}"
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and f"gencomp_utils.{node.value.id}" in imported
    }
    used = set()
    for name in imported | reached:
        module, _, attribute = name.rpartition(".")
        if module.removeprefix("gencomp_utils.") in LAYERS:
            thing = getattr(importlib.import_module(module), attribute, None)
            used.add(getattr(thing, "__module__", None) or module)
    # A claim is found on its number, in whatever file its row stands.
    ours = {re.sub(r"^claims\..*", "claims", name.removeprefix("gencomp_utils.")) for name in used}
    return [
        name
        for name in LAYERS
        if name in ours - {"notebook", "progress", "models"}
        if not name.startswith("figures")
    ]


def file_of_tests(module: str) -> str:
    """Name the file of a module's tests."""
    first, _, last = module.partition(".")
    if module == "live.core":
        return "test_live"
    return f"test_live_{last}" if first == "live" else f"test_{last or first}"


def row_of(chapter: str) -> str:
    modules = modules_of(chapter)
    title = read_notebook(chapter).cells[0].source.splitlines()[0].removeprefix("# ")
    kinds = [module.removeprefix("models.") for module in modules if module.startswith("models.")]
    recorded = [kind for kind in kinds if (ROOT / "gencomp_utils/recorded" / kind).exists()]
    runs = recorded if "runs" in modules else []
    columns = (modules, [*map(file_of_tests, modules)], [f"{k}*" for k in runs])
    shown = [", ".join(f"`{name}`" for name in column) or "–" for column in columns]
    return f"| [{title}]({chapter}.ipynb) | {' | '.join(shown)} |"


def test_the_map_leads_from_each_chapter_to_its_code_tests_and_runs():
    told = re.findall(r"^\| \[.+?\]\(book/.+$", text("CONTRIBUTING.md"), flags=re.MULTILINE)
    expected = [row_of(chapter) for chapter in CHAPTERS]
    assert told == expected, "The map should be:\n" + "\n".join(expected)
    for name in re.findall(r"`(test_\w+)`", "\n".join(told)):
        assert (ROOT / "tests" / f"{name}.py").exists(), name


def test_contributing_names_files_and_commands_that_exist():
    contributing = text("CONTRIBUTING.md")
    for name in re.findall(r"tests/test_\w+\.py", contributing):
        assert (ROOT / name).exists(), name
    for command in re.findall(r"`make (\w+)", contributing):
        assert re.search(rf"^{command}:", text("Makefile"), flags=re.MULTILINE), command


def complaints(docstring: str) -> str:
    """What docutils says of a docstring as the built book shows it, Sphinx's own roles aside."""
    for role in ("attr", "class", "data", "doc", "func", "meth", "mod", "ref"):
        roles.register_local_role(role, lambda *args: ([], []))
    said = io.StringIO()
    text = str(NumpyDocstring(docstring, Config(napoleon_use_ivar=True)))
    publish_doctree(text, settings_overrides={"warning_stream": said})
    return said.getvalue()


def test_docstrings_are_marked_up_without_a_mistake():
    assert "Inline emphasis" in complaints("Points, shape (*shape, 2).")
    found = {
        f"{path.name}: {node.name}": said
        for path in (ROOT / "gencomp_utils").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"
        if (said := complaints(ast.get_docstring(node) or ""))
    }
    assert found == {}
