"""Setting up: every Python that is allowed, sentences in place of walls of text, and a browser."""

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from test_repository import ALL, pinned

spec = importlib.util.spec_from_file_location("browser", ROOT / "tools" / "browser.py")
browser = importlib.util.module_from_spec(spec)
spec.loader.exec_module(browser)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# With each of their patches, as far as they are out: pins have left out single ones.
PYTHONS = [f"3.{minor}.{patch}" for minor in (11, 12, 13, 14) for patch in range(16)]
# What make's recipe needs, and so what a machine without git has.
COMMANDS = ("sh", "make", "grep", "sed", "expand", "cat", "rm", "mkdir", "touch", "uname")

# An interpreter that says it is another, and makes environments with a pip that ends as it is told.
PYTHON = """#!/bin/sh
case "$1" in
  -V) echo "Python {version}" ;;
  -c) exec {real} -c "import sys; {change}; exec(sys.argv[1])" "$2" ;;
  -m) mkdir -p "$3/bin" && echo "$0" > "$3/made_by" || exit 1
      printf '#!/bin/sh\\necho "$*" >> pip.log\\nexit {pip}\\n' > "$3/bin/pip"
      /bin/chmod +x "$3/bin/pip" ;;
esac
"""


# Versions


@pytest.mark.pinned
def test_every_pin_installs_on_every_python_that_the_project_takes():
    asked = [version for version in PYTHONS if version in SpecifierSet(PROJECT["requires-python"])]
    assert {"3.11.0", "3.11.2", "3.14.1"} <= {*asked}
    for pin in pinned(*ALL):
        if pin.marker is None or pin.marker.evaluate():
            takes = metadata(pin.name).get("Requires-Python") or ""
            refused = [version for version in asked if version not in SpecifierSet(takes)]
            assert not refused, f"{pin} needs Python {takes}"


def test_makefile_readme_and_project_ask_for_the_same_python():
    (least,) = re.findall(r"^>=(3\.\d+)$", PROJECT["requires-python"])
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"sys.version_info < ({least.replace('.', ', ')})" in makefile
    assert {*re.findall(r"(3\.\d+)\"?[\s\\]+\"?or later", makefile)} == {least}
    assert f"Python {least} or later" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_lowest_versions_are_those_of_the_project():
    command = [sys.executable, ROOT / "tools" / "lowest.py"]
    shown = subprocess.run(command, check=True, text=True, capture_output=True).stdout
    lowest = {pin.name: pin for pin in map(Requirement, shown.splitlines())}
    assert len(lowest) == len(PROJECT["dependencies"])
    for requirement in map(Requirement, PROJECT["dependencies"]):
        (bound,) = requirement.specifier
        (pin,) = lowest[requirement.name].specifier
        assert (pin.operator, pin.version) == ("==", bound.version)


# The environment


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with what a fresh copy of the project needs for its environment."""
    for name in ("Makefile", *ALL, "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "path").mkdir()
    for name in COMMANDS:
        (tmp_path / "path" / name).symlink_to(shutil.which(name))
    return tmp_path


def python(bare: Path, name: str, version: str = "3.12.1", change: str = "0", pip: int = 0) -> None:
    file = bare / "path" / name
    file.write_text(PYTHON.format(version=version, change=change, pip=pip, real=sys.executable))
    file.chmod(0o755)


def make(bare: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", ".venv/.ready", *arguments], cwd=bare, check=False, text=True,
        capture_output=True, env={"PATH": str(bare / "path")},
    )  # fmt: skip


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """What was said before make's own line."""
    assert done.returncode != 0
    *said, last = done.stderr.strip().splitlines()
    assert "***" in last
    assert len(said) == 1, done.stderr
    return said[0]


def test_the_environment_is_made_by_the_python_that_is_named(bare):
    python(bare, "python3")
    assert make(bare).returncode == 0
    assert (bare / ".venv" / "made_by").read_text().strip().endswith("/python3")
    torch, pins, package = (bare / "pip.log").read_text().splitlines()
    assert torch.endswith("-r requirements-torch.txt")
    assert pins.endswith("--no-deps --require-hashes -r requirements.txt")
    assert package.endswith("--no-deps --no-build-isolation -e .")
    assert "up to date" in make(bare).stdout


def test_the_tests_extras_come_only_with_the_tests(bare):
    python(bare, "python3")
    make(bare)
    assert "requirements-test.txt" not in (bare / "pip.log").read_text()
    assert make(bare, ".venv/.tests").returncode == 0
    last = (bare / "pip.log").read_text().splitlines()[-1]
    assert last.endswith("--no-deps --require-hashes -r requirements-test.txt")
    for command, told in (("book", False), ("lab", False), ("check", True), ("test", True)):
        (bare / ".venv" / ".tests").unlink(missing_ok=True)
        shown = subprocess.run(
            ["make", "--dry-run", command], cwd=bare, check=True, text=True, capture_output=True
        )
        assert ("-r requirements-test.txt" in shown.stdout) == told, command


def test_uv_installs_the_same_pins_and_hashes_where_there_is_one(bare):
    python(bare, "python3")
    uv = bare / "path" / "uv"
    uv.write_text(
        '#!/bin/sh\necho "uv $*" >> pip.log\n'
        '[ "$1" = pip ] || { mkdir -p .venv/bin; cp path/true .venv/bin/pip; }\n'
    )
    uv.chmod(0o755)
    (bare / "path" / "cp").symlink_to(shutil.which("cp"))
    (bare / "path" / "true").symlink_to(shutil.which("true"))
    done = make(bare, ".venv/.tests")
    assert done.returncode == 0, done.stderr
    venv, *installed = (bare / "pip.log").read_text().splitlines()
    assert venv.startswith("uv venv ")
    assert all(line.startswith("uv pip install ") for line in installed)
    pins, package, tests = installed
    assert pins.endswith("--no-deps --require-hashes -r requirements.txt")
    assert package.endswith("-e .")
    assert tests.endswith("--no-deps --require-hashes -r requirements-test.txt")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("sys.version_info = (3, 9, 18)", r"python3 is Python 3\.9, .*PYTHON=python3\.12$"),
        ("sys.version_info = (3, 10, 99)", r"python3 is Python 3\.10, "),
        ("sys.modules['ensurepip'] = None", r"apt-get install python3\.\d+-venv$"),
        ("sys.modules['venv'] = None", r"apt-get install python3\.\d+-venv$"),
        (
            "sys.platform = 'darwin'; import platform; platform.machine = lambda: 'x86_64'",
            "^PyTorch is no longer made for Intel Macs",
        ),
    ],
)
def test_a_python_that_can_make_none_is_told_in_a_sentence(bare, change, said):
    python(bare, "python3", change=change)
    assert re.search(said, sentence(make(bare)))
    assert not (bare / ".venv").exists()


def test_a_missing_python_is_told_in_a_sentence(bare):
    assert sentence(make(bare)).startswith("There is no python3 here: ")
    assert not (bare / ".venv").exists()


def test_after_a_failed_try_another_python_begins_anew(bare):
    python(bare, "python3", pip=1)
    assert make(bare).returncode != 0
    assert not (bare / ".venv").exists()
    (bare / ".venv").mkdir()  # what a killed try leaves
    (bare / ".venv" / "half-made").touch()
    python(bare, "python3.12")
    assert make(bare, "PYTHON=python3.12").returncode == 0
    assert (bare / ".venv" / "made_by").read_text().strip().endswith("/python3.12")
    assert not (bare / ".venv" / "half-made").exists()


def test_an_environment_that_works_survives_pins_that_cannot_be_had(bare):
    python(bare, "python3")
    assert make(bare).returncode == 0
    os.utime(bare / ".venv" / ".ready", (0, 0))
    (bare / ".venv" / "bin" / "pip").unlink()
    python(bare, "python3", pip=1)
    assert make(bare).returncode != 0
    assert (bare / ".venv" / ".ready").exists()


# The browser


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PATH, a Playwright that can install nothing, and an account that isn't root's."""
    command(tmp_path, "python", "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return tmp_path


def command(folder: Path, name: str, does: str = "exit 0") -> Path:
    """Write a command that notes how it was called."""
    file = folder / name
    file.write_text(f'#!/bin/sh\necho "{name} $*" >> {folder}/calls\n{does}\n')
    file.chmod(0o755)
    return file


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_a_browser_on_the_path_is_taken_and_nothing_is_installed(path, name):
    there = command(path, name)
    browser.main()
    assert browser.find() == str(there)
    assert calls(path) == [f"{name} --version"] * 2


def test_a_browser_that_does_not_start_is_passed_over(path):
    command(path, "chromium", "exit 127")
    there = command(path, "google-chrome")
    assert browser.find() == str(there)


def test_playwrights_own_browser_is_installed_and_found(path):
    own = path / "own"
    command(path, "python", f'[ "$2" = playwright ] && /bin/ln -s /bin/true {own}; echo {own}')
    assert browser.find() is None
    browser.main()
    assert browser.find() == str(own)
    assert "python -m playwright install chromium" in calls(path)


@pytest.mark.parametrize(("user", "prefix"), [(0, ""), (1000, "sudo -n ")])
def test_else_the_system_installs_one(path, monkeypatch, user, prefix):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    command(path, "sudo", 'shift; exec "$@"')
    command(path, "apt-get", f'[ "$2" = install ] && /bin/ln -s /bin/true {path}/chromium')
    browser.main()
    assert browser.find() == str(path / "chromium")
    asked = [call for call in calls(path) if call.startswith(prefix or "apt-get")]
    assert asked == [
        f"{prefix}apt-get -qq update",
        f"{prefix}apt-get -qq install --yes chromium libatomic1",
    ]
    assert ("sudo" in " ".join(calls(path))) == bool(prefix)


@pytest.mark.parametrize(
    ("platform", "manager", "typed"),
    [
        ("linux", "apt-get", "sudo apt-get install chromium"),
        ("linux", "dnf", "sudo dnf install chromium"),
        ("linux", "pacman", "sudo pacman -S chromium"),
        ("linux", "none", "python -m playwright install --with-deps chromium"),
        ("darwin", "none", "brew install --cask google-chrome"),
    ],
)
def test_where_none_can_be_had_a_sentence_says_what_to_type(
    path, monkeypatch, platform, manager, typed
):
    monkeypatch.setattr(sys, "platform", platform)
    command(path, manager, "exit 1")
    with pytest.raises(SystemExit) as caught:
        browser.main()
    assert str(caught.value).endswith(typed)
    assert "\n" not in str(caught.value)


# What is served


def test_a_book_that_is_not_there_and_a_port_that_is_taken_are_told_in_a_sentence(tmp_path):
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "serve.py", tmp_path / "tools")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, tmp_path / "tools" / "serve.py", str(port)]
        done = subprocess.run(command, check=False, text=True, capture_output=True)
        assert (done.returncode, done.stderr) == (1, "There is no book yet: type make book\n")
        (tmp_path / "_build" / "html").mkdir(parents=True)
        (tmp_path / "_build" / "html" / "index.html").touch()
        done = subprocess.run(command, check=False, text=True, capture_output=True)
    assert done.stderr.startswith(f"Port {port} can't be had")
    assert done.stderr.endswith(f"make serve PORT={port + 1}\n")


@pytest.mark.parametrize(("user", "flag"), [(0, " --allow-root"), (1000, "")])
def test_jupyterlab_starts_for_root_too(bare, user, flag):
    python(bare, "python3")
    assert make(bare).returncode == 0
    command(bare / "path", "id", f"echo {user}")
    command(bare / ".venv" / "bin", "jupyter")
    subprocess.run(["make", "lab"], cwd=bare, check=True, env={"PATH": str(bare / "path")})
    assert calls(bare / ".venv" / "bin") == [f"jupyter lab{flag} book"]


def test_make_test_looks_for_the_browser_first(bare):
    python(bare, "python3")
    make(bare)
    shown = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "test"],
        cwd=bare,
        check=True,
        text=True,
        capture_output=True,
    ).stdout
    assert 0 < shown.index("tools/browser.py") < shown.index("pytest")
