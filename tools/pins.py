"""Write the pins: the versions, with their hashes, that the book is built and tested with."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOOK, TEST = "book", "test"
FILES = {BOOK: "requirements.txt", TEST: "requirements-test.txt"}
EXTRAS = {BOOK: ("book", "lab"), TEST: ("book", "lab", "test", "dask", "course")}
TITLES = {
    BOOK: "# What the book is built with; install after requirements-torch.txt, with --no-deps.",
    TEST: "# What tests need beside requirements.txt; install with --no-deps.",
}
# PyTorch is pinned by itself, and its GPU libraries come with the builds that want them.
TORCHS = re.compile(r"torch|triton|nvidia-.+|cuda-.+")


def compile_pins(kind: str, upgrade: bool) -> list[str]:
    """Resolve for every system and Python; return one pin with its hashes an entry."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    command = ["uv", "pip", "compile", "pyproject.toml", "-", "--quiet", "--universal"]
    command += ["--generate-hashes", "--no-annotate", "--no-header"]
    command += ["--fork-strategy", "fewest", "--constraint", "requirements-torch.txt"]
    command += ["--python-version", project["requires-python"].removeprefix(">=")]
    command += [option for extra in EXTRAS[kind] for option in ("--extra", extra)]
    for file in FILES.values():
        # Versions that are pinned already stay, and the tests' agree with the book's.
        if not upgrade or (kind == TEST and file == FILES[BOOK]):
            command += ["--constraint", file]
    done = subprocess.run(
        command, cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE, input="setuptools>=77\n"
    )
    if done.returncode:
        sys.exit(done.returncode)
    entries = re.split(r"\n(?=\S)", done.stdout.strip())
    return [entry for entry in entries if not TORCHS.fullmatch(entry.partition("==")[0])]


def main() -> None:
    if shutil.which("uv") is None:
        sys.exit("Pins are resolved by uv, which isn't installed: type pip install uv")
    book: list[str] = []
    for kind, file in FILES.items():
        entries = compile_pins(kind, upgrade="--upgrade" in sys.argv[1:])
        entries = [entry for entry in entries if entry not in book]
        book = book or entries
        (ROOT / file).write_text("\n".join([TITLES[kind], *entries, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
