"""What tests of the whole book share, and the rule that no test is left out silently."""

import functools
import http.server
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from filelock import FileLock
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from traitlets import Unicode

from gencomp_utils import data

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from browser import find  # noqa: E402, found by the line above

NO_NETWORK = re.compile(r"NewConnectionError|ConnectTimeoutError|NameResolutionError|ProxyError")
LEFT_OUT = ("skipped", "xfailed", "xpassed")
LONG_FILES = (
    "test_pages.py", "test_notebooks.py", "test_no_data.py", "test_training.py", "test_runs.py",
    "test_course_class.py", "test_live_pages.py", "test_build.py", "test_spread.py",
    "test_site.py", "test_binder.py",
)  # fmt: skip


# Needs root on Debian and makes users: run on demand, and once a week.
collect_ignore = [] if os.environ.get("GENCOMP_HUB") == "1" else ["test_hub.py", "stand_in_lms.py"]


# The book and its chapters


def _files(toc: Any) -> Iterator[str]:
    """Entries of a table of contents, in reading order."""
    if isinstance(toc, list):
        for entry in toc:
            yield from _files(entry)
    elif isinstance(toc, dict):
        yield from (toc[key] for key in ("root", "file") if key in toc)
        yield from _files([value for value in toc.values() if isinstance(value, list)])


PAGES = list(_files(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))))
CHAPTERS = [page for page in PAGES if (ROOT / f"{page}.ipynb").exists()]


@pytest.fixture(scope="module", params=CHAPTERS)
def chapter(request: pytest.FixtureRequest) -> str:
    """Each notebook of the table of contents, without its suffix."""
    return request.param


@pytest.fixture(scope="module", params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    """Each page of the table of contents, without its suffix."""
    return request.param


def read_notebook(chapter: str) -> NotebookNode:
    return nbformat.read(ROOT / f"{chapter}.ipynb", as_version=4)


def run(command: list[str | Path], folder: Path, **options: Any) -> str:
    """Run a command; return what it printed, or fail with it."""
    done = subprocess.run(
        command, cwd=folder, check=False, text=True, **options,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        shown = " ".join(map(str, command))
        pytest.fail(f"{shown} ended with {done.returncode}:\n{done.stdout[-6000:]}", pytrace=False)
    return done.stdout


def export_tree(target: Path) -> Path:
    """Copy what a commit of the working tree would hold."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("an export of the tree needs git and a checkout")
    listed = run(["git", "ls-files", "-z", "-c", "-o", "--exclude-standard"], ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


@pytest.fixture(scope="session")
def mnist() -> Path:
    """Return the folder that holds MNIST."""
    try:
        data.load_mnist()
    except data.DataUnavailable as error:
        pytest.skip(f"this test needs MNIST. {error}")
    named = Path(os.environ.get("GENCOMP_DATA_DIR", "")).expanduser().absolute()
    return named if (named / min(data.MNIST_FILES)).exists() else data.cache_dir() / "mnist"


@pytest.fixture(scope="session")
def site() -> Path:
    """Build the book, and return the folder of its pages; one of several processes builds it."""
    (ROOT / "_build").mkdir(exist_ok=True)
    with FileLock(ROOT / "_build" / "book.lock"):
        run([sys.executable, "tools/book.py"], ROOT)
    return ROOT / "_build" / "html"


def built(page: str) -> str:
    """Name of a page's file in the built book, without its suffix."""
    return "index" if page == PAGES[0] else page


@functools.cache
def parse(file: Path) -> BeautifulSoup:
    """Read a built page."""
    return BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")


@pytest.fixture(scope="module")
def soup(site: Path, page: str) -> BeautifulSoup:
    """Each page of the table of contents as it was built."""
    return parse(site / f"{built(page)}.html")


# Pages in a browser


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serve(folder: Path, how: type[Quiet] = Quiet) -> Iterator[str]:
    """Serve a folder on this machine; the value is its address, without a last slash."""
    handler = functools.partial(how, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Serve the built book, and return where."""
    with serve(site) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Start Chromium, cut off from everything but this machine."""
    found = find()
    from playwright.sync_api import sync_playwright

    if found is None:
        pytest.skip("no browser: `make browser` installs Chromium, or says how")
    switches = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=switches)
        yield chromium
        chromium.close()


# Chapters in a kernel


class _OneInterpreter(KernelSpecManager):
    """Knows the IPython kernel of one interpreter, and none of those registered elsewhere."""

    python = Unicode()

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        start = [self.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=start, display_name=kernel_name, language="python")


class _Client(NotebookClient):
    """Takes what widgets show as outputs of the cell, so that an error among them is one."""

    def handle_comm_msg(self, *message: object) -> None:
        """Draw no widget."""

    def clear_output(self, *message: object) -> None:
        """Keep what was shown."""


@contextmanager
def kernel(
    python: Path | str, folder: Path, environment: dict[str, str]
) -> Iterator[NotebookClient]:
    """Start an interpreter's kernel in a folder."""
    manager = AsyncKernelManager(kernel_spec_manager=_OneInterpreter(python=str(python)))
    client = _Client(
        nbformat.v4.new_notebook(), km=manager, timeout=300, allow_errors=True,
        resources={"metadata": {"path": str(folder)}},
    )  # fmt: skip
    with client.setup_kernel(env=environment, cleanup_kc=True):
        yield client


def execute(client: NotebookClient, cells: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Execute code cells one after the other; return them with their outputs."""
    executed = []
    for cell in cells:
        if cell.cell_type == "code":
            client.nb.cells.append(cell)
            executed.append(client.execute_cell(cell, len(client.nb.cells) - 1))
    return executed


def errors(cells: Iterable[NotebookNode]) -> list[str]:
    """Error of each cell that ended in one, with the cell's name."""
    return [
        f"cell {cell.id}: {output.ename}: {output.evalue}"
        for cell in cells
        for output in cell.outputs
        if output.output_type == "error"
    ]


def printed(cells: Iterable[NotebookNode], stream: str = "stdout") -> str:
    """What the cells wrote to a stream."""
    return "".join(
        output.text for cell in cells for output in cell.outputs if output.get("name") == stream
    )


@pytest.fixture(scope="session")
def reader(mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of a reader who has MNIST, a kernel, no settings, and nothing in the cache."""
    import matplotlib.font_manager  # makes the list of fonts, so that no chapter has to

    ours = ("PYTHONPATH", "GENCOMP_BUILD", "GENCOMP_STAND_IN")
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return inherited | {
        "GENCOMP_DATA_DIR": str(mnist),
        "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython")),
        "MPLCONFIGDIR": matplotlib.get_cachedir(),
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
    }


# What only some systems have


def make_pipe(path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(path)


@contextmanager
def disk_with_room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond the size, as a full disk wouldn't."""
    resource = pytest.importorskip("resource", reason="this system can't limit a file's size")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


# Clean environments


@pytest.fixture(scope="session")
def torch_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment with what a hosted notebook brings: PyTorch and a kernel.

    They are linked to, since the environment at hand has the same.
    """
    folder = tmp_path_factory.mktemp("hosted")
    run([sys.executable, "-m", "venv", "."], folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    for distribution in needed("torch", "ipykernel"):
        for name in {file.parts[0] for file in distribution.files or []}:
            if not (packages / name).exists():
                (packages / name).symlink_to(distribution.locate_file(name))
    return folder


def needed(*names: str) -> list[metadata.Distribution]:
    """Find installed packages and all that they ask for."""
    found: dict[str, metadata.Distribution] = {}
    asked = list(names)
    while asked:
        name = canonicalize_name(asked.pop())
        with suppress(metadata.PackageNotFoundError):
            if name not in found:
                found[name] = metadata.distribution(name)
                entries = map(Requirement, found[name].requires or [])
                asked += [e.name for e in entries if not e.marker or e.marker.evaluate()]
    return [*found.values()]


def leave_out_without_network(said: str) -> None:
    """Skip a test whose pip found nobody to ask for packages."""
    if NO_NETWORK.search(said):
        pytest.skip("this test needs an index of packages, and none answered")


def layer(folder: Path, below: Path) -> Path:
    """Make an environment that sees another's packages; return its interpreter."""
    run([sys.executable, "-m", "venv", "."], folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    (others,) = below.glob("lib/python*/site-packages")
    (packages / "below.pth").write_text(f"{others}\n")
    return folder / "bin" / "python"


# Several processes, no silent skips, and what each chapter costs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files: `make test` gives each file to one of its processes."""
    order = {name: place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


def _left_out(config: pytest.Config) -> list[tuple[str, str]]:
    """Name and reason of each test that didn't say yes or no."""
    stats = config.pluginmanager.get_plugin("terminalreporter").stats
    reports = [report for outcome in LEFT_OUT for report in stats.get(outcome, [])]
    return [(report.nodeid, _reason(report)) for report in reports]


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return f"expected to fail: {getattr(report, 'wasxfail', '')}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    strict = os.environ.get("CI") == "true" and not hasattr(session.config, "workerinput")
    if strict and _left_out(session.config) and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    told = [property for report in reports for property in report.user_properties]
    for kind, title in (("size", "how long chapters are"), ("cost", "what chapters cost")):
        if texts := [text for name, text in told if name == kind]:
            terminalreporter.section(title)
            terminalreporter.write("".join(f"{text}\n" for text in texts))
    if left_out := _left_out(config):
        terminalreporter.section(f"left out: {len(left_out)}, a failure under CI=true")
        for name, reason in left_out:
            terminalreporter.line(f"{name}: {reason}")
