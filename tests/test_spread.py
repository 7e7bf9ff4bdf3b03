"""Runs are trained by a Dask scheduler's workers, and come back as if trained here."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import epoch  # in tools, as train is on a worker
import pytest
import spread
import torch
from conftest import ROOT
from distributed import Client
from test_train import call, train

from gencomp_utils import checkpoints, data, runs
from gencomp_utils.models import ClassifierConfig, VAEConfig

SHORT = {
    VAEConfig(epochs=2, batch_size=100): train.Recording(train.EVERYTHING, (train.codes,)),
    VAEConfig(epochs=2, batch_size=100, seed=1): train.Recording(train.NUMBERS),
}
# Each epoch is long enough to be killed in.
LONG = VAEConfig(epochs=3, batch_size=8)
DIVERGES = VAEConfig(epochs=1, batch_size=100, learning_rate=1e30)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Record in a folder of the test's own, on the stand-in, with one thread as workers have."""
    judge = runs.name(ClassifierConfig())
    shutil.copytree(runs.RECORDED / judge, tmp_path / "recorded" / judge)
    monkeypatch.setattr(runs, "RECORDED", tmp_path / "recorded")
    monkeypatch.setattr(train, "WORK", tmp_path / "work")
    monkeypatch.setattr(train, "load_mnist", data.load_stand_in)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"GENCOMP_STAND_IN": "1", "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            cwd=folder, env=environment, stdout=log, stderr=log,
        )  # fmt: skip


def worker(folder: Path, address: str) -> subprocess.Popen[bytes]:
    # Without a nanny, who would start it anew when it is killed.
    return start(folder, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler with two workers, each a process of its own, on this machine only."""
    folder = tmp_path_factory.mktemp("dask")
    where = folder / "scheduler.json"
    started = [start(
        folder, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
        "--scheduler-file", str(where),
    )]  # fmt: skip
    try:
        while not where.exists() or not where.read_text().endswith("}"):
            assert started[0].poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        address = json.loads(where.read_text())["address"]
        started += [worker(folder, address) for _ in range(2)]
        with Client(address) as client:
            client.wait_for_workers(2, timeout=60)
        yield address
    finally:
        for process in started:
            process.kill()
            process.wait()


def spread_out(monkeypatch: pytest.MonkeyPatch, address: str, recordings: dict) -> None:
    monkeypatch.setattr(train, "RUNS", recordings)
    call(monkeypatch, "--dask", address)


@pytest.mark.slow
def test_runs_are_those_of_the_plain_way(address, tmp_path, monkeypatch, capsys):
    spread_out(monkeypatch, address, SHORT)
    said = capsys.readouterr().out
    assert "0 runs are missing" in said
    assert said.count("epoch 1 of 2") == said.count("epoch 2 of 2") == 2
    there = tmp_path / "recorded"
    monkeypatch.setattr(runs, "RECORDED", tmp_path / "plain")
    shutil.copytree(there / "classifier", tmp_path / "plain" / "classifier")
    call(monkeypatch)
    assert {path.name for path in there.iterdir()} == {*os.listdir(runs.RECORDED)}
    for config in SHORT:
        name, plain = runs.name(config), runs.recorded(config)
        run = runs.load(there / name)
        assert (run.fingerprint, run.history) == (plain.fingerprint, plain.history)
        assert run.metrics == plain.metrics
        assert run.provenance.keys() == plain.provenance.keys()
        files, same = epoch.contents(there / name), epoch.contents(runs.RECORDED / name)
        assert files.keys() == same.keys()
        assert all(files[file] == same[file] for file in files if file != "run.json")


@pytest.mark.slow
def test_a_run_that_fails_stops_no_other(address, monkeypatch, capsys):
    config = next(iter(SHORT))
    with pytest.raises(SystemExit) as ended:
        spread_out(monkeypatch, address, {DIVERGES: train.Recording(), config: SHORT[config]})
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert re.search(rf"{re.escape(runs.name(DIVERGES))} failed: TrainingDiverged: ", said)
    assert "1 runs are missing" in said
    assert runs.is_recorded(config)
    assert not runs.is_recorded(DIVERGES)


@pytest.mark.slow
def test_a_worker_with_another_package_is_refused(address, monkeypatch):
    own = epoch.nature
    monkeypatch.setattr(epoch, "nature", lambda digits: own(digits) | {"gencomp_utils": "other"})
    with pytest.raises(SystemExit, match=r"the worker tcp://\S+ has another gencomp_utils;"):
        spread_out(monkeypatch, address, SHORT)


def kill_who_trains(address: str, begun: Path, killed: list[str]) -> None:
    """Kill a worker in the middle of an epoch after the first."""
    with Client(address, set_as_default=False) as client:
        processes = client.run(os.getpid)
        while not begun.exists():
            time.sleep(0.02)
        while not killed:
            for worker, tasks in client.processing().items():
                time.sleep(0.3 if tasks else 0.02)
                if tasks and client.processing().get(worker) == tasks:
                    os.kill(processes[worker], signal.SIGKILL)
                    killed += tasks


@pytest.mark.slow
def test_a_killed_workers_run_goes_on_with_another(address, tmp_path, monkeypatch, capsys):
    begun, killed = tmp_path / "work" / runs.name(LONG) / "checkpoint.pt", list[str]()
    killer = threading.Thread(target=kill_who_trains, args=(address, begun, killed), daemon=True)
    killer.start()
    spread_out(monkeypatch, address, {LONG: train.Recording(train.WEIGHTS)})
    killer.join()
    assert killed[0].startswith(runs.name(LONG))
    assert re.findall(r"epoch (\d) of 3", capsys.readouterr().out) == ["1", "2", "3"]
    assert not begun.exists()
    whole = runs.train(LONG, data.load_stand_in(), tmp_path / "uninterrupted")
    run = runs.recorded(LONG)
    assert run.history == whole.history
    assert all(torch.equal(run.weights[key], whole.weights[key]) for key in whole.weights)


def test_an_address_where_nothing_answers_is_named(monkeypatch):
    monkeypatch.setattr(spread, "CONNECT_S", 0.5)
    address = "tcp://127.0.0.1:9"
    with pytest.raises(SystemExit, match=f"^No Dask scheduler answers at {address}. Type `dask "):
        spread_out(monkeypatch, address, SHORT)


def test_without_dask_it_says_what_to_install():
    code = "import sys; sys.modules['dask'] = None; import spread"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "tools", check=False, text=True,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "--dask needs dask: type .venv/bin/pip install 'dask[distributed]'\n"


def test_a_gpu_is_asked_for_where_a_worker_has_one():
    cpu, gpu = {"resources": {}}, {"resources": {"GPU": 1.0}}
    assert spread.choose([cpu, cpu, cpu]) == ({}, 3)
    assert spread.choose([cpu, gpu, gpu]) == ({"GPU": 1}, 2)
    assert spread.choose([]) == ({}, 0)


def test_a_run_that_came_back_harmed_or_is_another_leaves_nothing():
    judge, digits = runs.RECORDED / runs.name(ClassifierConfig()), data.load_stand_in()
    files = epoch.contents(judge)
    for config, changed in (
        (ClassifierConfig(seed=5), {}),
        (ClassifierConfig(), {"arrays.safetensors": files["arrays.safetensors"][:-1]}),
    ):
        with pytest.raises(checkpoints.RunError):
            spread.put(config, files | changed, digits)
    assert os.listdir(runs.RECORDED) == [judge.name]
