"""Build the book: find the data, execute what changed, build with warnings as errors."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from gencomp_utils import data
from gencomp_utils.live.networks import write_models

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
PAGE = BUILD / "html" / "index.html"
STAMP = BUILD / "stamp.json"
# What a cell's output depends on beside its own notebook, which jupyter-cache watches.
EXECUTED = ["gencomp_utils", "requirements.txt"]
RENDERED = ["book", "_config.yml", "_toc.yml", "tools/book.py", "tools/published.py"]


def digest(paths: Iterable[str]) -> str:
    """Sum of the files, and of the files below the folders."""
    sums = hashlib.sha256(sys.version.encode())
    for path in map(ROOT.joinpath, paths):
        for file in sorted(path.rglob("*") if path.is_dir() else [path]):
            if file.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(file.parts):
                sums.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return sums.hexdigest()


def find_data() -> data.Digits:
    """Return MNIST, or the stand-in with a line that says so."""
    try:
        return data.load_mnist()
    except data.DataUnavailable:
        digits = data.load_stand_in()
        print(
            f"No MNIST here and none to be downloaded: cells that need images run on a stand-in, "
            f"{digits.name}, and their pages say so."
        )
        return digits


def main() -> int:
    digits = find_data()
    key = {"executed": digest(EXECUTED) + digits.digest, "rendered": digest(RENDERED)}
    last = json.loads(STAMP.read_text()) if STAMP.exists() else {}
    if last == key and PAGE.exists():
        print(f"Nothing changed since the last build. Open {PAGE.as_uri()}")
        return 0
    if last.get("executed") != key["executed"]:
        shutil.rmtree(BUILD / ".jupyter_cache", ignore_errors=True)
    # Each build of a page names its cards anew.
    shutil.rmtree(PAGE.parent / "_static" / "tippy", ignore_errors=True)
    BUILD.mkdir(exist_ok=True)
    STAMP.write_text(json.dumps({"executed": key["executed"]}))

    if not digits.is_mnist:
        os.environ["GENCOMP_STAND_IN"] = "1"
    environment = os.environ | {"GENCOMP_BUILD": "1"}
    if folder := environment.get("GENCOMP_DATA_DIR"):
        environment["GENCOMP_DATA_DIR"] = str(Path(folder).expanduser().absolute())
    command = ["jupyter-book", "build", str(ROOT), "--all", "-W", "-n", "--keep-going"]
    command[0] = str(Path(sys.executable).with_name(command[0]))
    status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    if status == 0:
        write_models(PAGE.parent / "_static" / "live" / "models")
        STAMP.write_text(json.dumps(key))
        print(f"\nThe book is built. Open {PAGE.as_uri()}")
    return status


if __name__ == "__main__":
    sys.exit(main())
