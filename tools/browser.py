"""Find the browser that opens the book's pages in tests; run by itself, install one if need be."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find() -> str | None:
    """Return a Chromium that starts: one on the PATH, or the one that Playwright installed."""
    for look in (*(partial(shutil.which, name) for name in NAMES), playwrights):
        path = look()
        if path and not subprocess.run([path, "--version"], capture_output=True).returncode:
            return path
    return None


def playwrights() -> str | None:
    """Return where Playwright keeps its own Chromium, if it does."""
    if importlib.util.find_spec("playwright") is None:
        return None
    # A process of its own, since Playwright can be started only once in each.
    code = (
        "from playwright.sync_api import sync_playwright as start\n"
        "with start() as playwright: print(playwright.chromium.executable_path)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], check=False, text=True, capture_output=True
    )
    path = shown.stdout.strip()
    return path if Path(path).is_file() else None


def installers() -> Iterator[list[list[str]]]:
    """Yield what may install one on this machine, each as commands to run in turn."""
    yield [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get"):
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        apt = ["apt-get"] if root else ["sudo", "-n", "apt-get"]
        if shutil.which(apt[0]):
            # The last is what Playwright's driver needs, and the barest Debian lacks.
            wanted = ["chromium", "libatomic1"]
            yield [[*apt, "-qq", "update"], [*apt, "-qq", "install", "--yes", *wanted]]


def advice() -> str:
    """Return the command that installs one on this system."""
    if sys.platform == "darwin":
        return "brew install --cask google-chrome"
    managers = {"apt-get": "install", "dnf": "install", "zypper": "install", "pacman": "-S"}
    known = next(filter(shutil.which, managers), None)
    if known:
        return f"sudo {known} {managers[known]} chromium"
    return f"{sys.executable} -m playwright install --with-deps chromium"


def main() -> None:
    if find():
        return
    for commands in installers():
        print(f"No browser for the tests here. Trying: {' '.join(commands[-1])}", flush=True)
        for command in commands:
            subprocess.run(command, check=False, capture_output=True)
        if find():
            return
    sys.exit(f"Tests open the pages in Chromium, and none could be installed; type: {advice()}")


if __name__ == "__main__":
    main()
