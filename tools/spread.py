"""Spread runs over the workers of a Dask scheduler, one epoch a task.

A task gets a run's working files as bytes, trains an epoch and hands them back. So no folder is
shared; a killed worker costs one epoch, for Dask gives its task to another; and later calls go on.
"""

import contextlib
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import CancelledError
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gencomp_utils import checkpoints, runs
from gencomp_utils.data import Digits
from gencomp_utils.models import ClassifierConfig, Model

try:
    import dask
    import epoch
    from distributed import Client, Future, wait
    from distributed.diagnostics.plugin import UploadFile
except ImportError as error:
    sys.exit(f"--dask needs {error.name}: type .venv/bin/pip install 'dask[distributed]'")

Recording = tuple[Collection[str], Collection[Callable[..., Any]]]
CONNECT_S, LOOK_S = 10, 30
START = """Type `dask scheduler` on one machine; on each that helps, in this checkout's environment,
`dask worker tcp://SCHEDULER:8786 --nthreads 1 --memory-limit 0`."""


def choose(workers: Collection[Mapping[str, Any]]) -> tuple[dict[str, float], int]:
    """Say which resources a task asks for, and how many workers have them: a GPU if any has."""
    gpus = sum(worker["resources"].get("GPU", 0) >= 1 for worker in workers)
    return ({"GPU": 1}, gpus) if gpus else ({}, len(workers))


def connect(address: str, asked: dict[str, str]) -> Client:
    """Reach the scheduler, give its workers what they run, and see whether they may."""
    try:
        client = Client(address, timeout=CONNECT_S)
    except (OSError, ValueError):
        sys.exit(f"No Dask scheduler answers at {address}. {START}")
    try:
        for name in ("train.py", "epoch.py"):
            client.register_plugin(UploadFile(str(Path(__file__).with_name(name))), name=name)
        found = client.run(epoch.objection, asked)
        words = "; ".join(filter(None, found.values())) if found else "there is no worker"
    except Exception as error:
        words = f"a worker can't import gencomp_utils or tools/train.py ({error!r})"
    if words:
        client.close()
        sys.exit(f"Nothing is trained at {address}: {words}. {START}")
    return client


def submit(
    client: Client, config: Model[Any], recording: Recording, work: Path, asked: dict[str, str]
) -> Future[tuple[int, dict[str, bytes]]]:
    """Ask for a run's next epoch."""
    name, (kept, measures) = runs.name(config), recording
    job = (name.partition("-")[0], asdict(config), sorted(kept), [one.__name__ for one in measures])
    files = epoch.contents(work / name)
    # One task, even if two callers ask for it.
    stand = hashlib.sha256(b"".join([repr((job, asked)).encode(), *files.values()])).hexdigest()
    needs, _ = choose(client.scheduler_info(n_workers=-1)["workers"].values())
    # By its name: the scheduler reads the call, and needn't have more than Dask.
    call = lambda *given: __import__("epoch").epoch(*given)  # noqa: E731
    return client.submit(call, job, files, asked, key=f"{name}-{stand}", resources=needs)


def put(config: Model[Any], files: dict[str, bytes], digits: Digits) -> None:
    """Check a run's files and lay them, all or nothing, where recorded runs lie."""
    target = runs.RECORDED / runs.name(config)
    with tempfile.TemporaryDirectory(dir=runs.RECORDED, prefix=".") as folder:
        draft = Path(folder, target.name)
        for name, content in files.items():
            checkpoints.write(draft / Path(name).name, content)
        run = runs.load(draft)
        if run.config != config or run.provenance["data_sha256"] != digits.digest:
            raise checkpoints.RunError(f"another run came back: {run.config}")
        if not runs.is_recorded(config):  # it may be: two callers share tasks
            shutil.rmtree(target, ignore_errors=True)  # half a run, after a kill of the plain way
            draft.rename(target)
    print(f"{target.name} is recorded: {run.history[-1] | run.metrics}", flush=True)


def spread(
    address: str, jobs: Mapping[Model[Any], Recording], digits: Digits, work: Path
) -> Iterator[str]:
    """Record runs that a scheduler's workers train, and yield their names; print what fails."""
    if not runs.is_recorded(ClassifierConfig()):
        sys.exit("The classifier measures the others' samples: first train.py --only classifier")
    asked, waiting, running = epoch.nature(digits), list(jobs), dict[Future[Any], Model[Any]]()
    # Files are part of their task, which the scheduler keeps: on a worker they would die with it.
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"})
    with connect(address, asked) as client:
        while waiting or running:
            try:
                _, places = choose(client.scheduler_info(n_workers=-1)["workers"].values())
                while waiting and len(running) < max(places, 1):
                    config = waiting.pop(0)
                    running[submit(client, config, jobs[config], work, asked)] = config
                with contextlib.suppress(TimeoutError):
                    wait(list(running), LOOK_S, "FIRST_COMPLETED")
                ended = {task: task.exception() or task.result() for task in running if task.done()}
            except (OSError, CancelledError):
                sys.exit(f"{address} is lost; the next call goes on from the last epochs. {START}")
            for task, result in ended.items():
                config = running.pop(task)
                name = runs.name(config)
                try:
                    if isinstance(result, Exception):
                        raise result
                    number, files = result
                    if not number:
                        put(config, files, digits)
                        checkpoints.remove(work / name)
                        yield name
                        continue
                    for file, content in files.items():
                        checkpoints.write(work / name / file, content)
                    print(f"{name}: epoch {number} of {config.epochs}", flush=True)
                    waiting.insert(0, config)  # it comes to its end before others begin
                except Exception as error:
                    print(f"{name} failed: {type(error).__name__}: {error}", flush=True)
