"""What a Dask worker does for tools/spread.py, which gives it this file and train.py: one epoch."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import torch
from distributed import Worker, get_worker

from gencomp_utils import checkpoints, runs
from gencomp_utils.data import DataError, Digits, load_digits
from gencomp_utils.models import MODELS, ClassifierConfig
from gencomp_utils.models.base import State

Files = dict[str, bytes]
Job = tuple[str, dict[str, Any], list[str], list[str]]  # model, settings, what is kept, measures


class EpochDone(Exception):
    """The epoch of a task is done; the value says which."""


def digest() -> str:
    """Sum the package's code and the classifier that judges samples."""
    judge = runs.RECORDED / runs.name(ClassifierConfig())
    files = [*sorted(runs.PACKAGE.rglob("*.py")), *sorted(judge.glob("*"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


# Of what this process has imported, even if files change later and this one is given to it anew.
LOADED: str = globals().get("LOADED") or digest()


def nature(digits: Digits) -> dict[str, str]:
    """Give what must be the same at the caller's and on a worker, so that its runs are the same."""
    version = torch.__version__.partition("+")[0]
    return {"gencomp_utils": LOADED, "torch": version, "data": digits.digest}


def objection(asked: dict[str, str], dask_worker: Worker) -> str:
    """Say why this worker would train another experiment than is asked for; or nothing."""
    try:
        own = nature(load_digits())
        other = [part for part in asked if own[part] != asked[part]]
    except DataError as error:
        other = [f"data ({error})"]
    if dask_worker.state.nthreads != 1:
        other.append("--nthreads")
    if not other:
        return ""
    return f"the worker {dask_worker.address} has another {', another '.join(other)}; start it anew"


def contents(folder: Path) -> Files:
    """Read a run's files; a dot begins the name of a draft that a kill left."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("[!.]*"))}


def epoch(job: Job, files: Files, asked: dict[str, str]) -> tuple[int, Files]:
    """Train an epoch: its number and the working files; after the last one 0 and a run's files."""
    import train

    def stop(state: State) -> None:
        raise EpochDone(len(state.history))

    kind, settings, kept, measures = job
    config, worker = MODELS[kind](**settings), get_worker()
    if words := objection(asked, worker):
        raise checkpoints.RunError(words)
    recording = train.Recording(frozenset(kept), tuple(getattr(train, one) for one in measures))
    with tempfile.TemporaryDirectory(dir=worker.local_directory) as folder:
        work, recorded = Path(folder, "work"), Path(folder, "recorded")
        for name, content in files.items():
            checkpoints.write(work / runs.name(config) / name, content)
        try:
            train.record(config, recording, load_digits(), work, recorded, stop)
        except EpochDone as done:
            return done.args[0], contents(work / runs.name(config))
        return 0, contents(recorded / runs.name(config))
