"""Build the book: find the data, execute what changed, build with warnings as errors."""

import hashlib
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import nbformat
import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import JupyterCacheAbstract
from jupyter_cache.executors.basic import ExecutionWorkerLocalMProc, ProcessData
from sphinx_external_toc.parsing import parse_toc_yaml

from gencomp_utils import data

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
PAGE = BUILD / "html" / "index.html"
STAMP = BUILD / "stamp.json"
IPYTHON = BUILD / "ipython"
# What a cell's output depends on beside its own notebook, which jupyter-cache watches.
EXECUTED = ["gencomp_utils", "requirements.txt"]
MOST_AT_ONCE = 4  # chapters, of which each may take a gigabyte
RENDERED = ["book", "_config.yml", "_toc.yml", "tools/book.py", "tools/published.py"]


def digest(paths: Iterable[str]) -> str:
    """Sum of the files, and of the files below the folders, but for what tools keep there."""
    sums = hashlib.sha256(sys.version.encode())
    for path in map(ROOT.joinpath, paths):
        for file in sorted(path.rglob("*") if path.is_dir() else [path]):
            name = file.relative_to(ROOT)
            kept = any(part == "__pycache__" or part[0] == "." for part in name.parts)
            if file.is_file() and not kept:
                sums.update(str(name).encode() + file.read_bytes())
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


def execute() -> None:
    """Execute chapters that are new or changed, several at once, for Sphinx to find in its cache.

    One that fails isn't cached: Sphinx executes it again, and says what is wrong.
    """
    cores = os.cpu_count() or 1
    workers = min(cores, MOST_AT_ONCE)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // workers)))
    settle_ipython()
    cache = get_cache(BUILD / ".jupyter_cache")
    forget_spoilt(cache)
    files = [ROOT / f"{page}.ipynb" for page in parse_toc_yaml(ROOT / "_toc.yml")]
    chapters = [
        cache.add_nb_to_project(str(file)).pk
        for file in files
        if file.exists() and not left_alone(file)
    ]
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    work = [
        ProcessData(chapter.pk, chapter.uri, cache, settings["execute"]["timeout"], False)
        for chapter in cache.list_unexecuted(filter_pks=chapters)
    ]
    if work:
        print(f"Executing {len(work)} chapters, {workers} at once.", flush=True)
        with multiprocessing.Pool(workers) as pool:
            pool.map(ExecutionWorkerLocalMProc(), work, chunksize=1)


def forget_spoilt(cache: JupyterCacheAbstract) -> None:
    """Drop outputs with a warning among them: it failed a build, and its cause may be gone."""
    for record in cache.list_cache_records():
        cells = cache.get_cache_bundle(record.pk).nb.cells
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        if any(output.get("name") == "stderr" for output in outputs):
            cache.remove_cache(record.pk)


def settle_ipython() -> None:
    """Keep whoever builds from having their own start-up files run, and kernels from chatting.

    Each would warn that what it says to this machine, and to none other, isn't encrypted.
    """
    profile = IPYTHON / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(
        'get_config().Application.log_level = "ERROR"\n', encoding="utf-8"
    )
    os.environ["IPYTHONDIR"] = str(IPYTHON)


def left_alone(chapter: Path) -> bool:
    """Whether a chapter says that it isn't to be executed."""
    metadata = nbformat.read(chapter, as_version=4).metadata
    return metadata.get("mystnb", {}).get("execution_mode") == "off"


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
    os.environ["GENCOMP_BUILD"] = "1"
    if folder := os.environ.get("GENCOMP_DATA_DIR"):
        os.environ["GENCOMP_DATA_DIR"] = str(Path(folder).expanduser().absolute())
    execute()
    command = ["jupyter-book", "build", str(ROOT), "--all", "-W", "-n", "--keep-going"]
    command[0] = str(Path(sys.executable).with_name(command[0]))
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    if status == 0:
        # Here, since PyTorch takes seconds to import, and most builds find nothing new.
        from gencomp_utils.live.networks import write_models

        write_models(PAGE.parent / "_static" / "live" / "models")
        STAMP.write_text(json.dumps(key))
        print(f"\nThe book is built. Open {PAGE.as_uri()}")
    return status


if __name__ == "__main__":
    sys.exit(main())
