"""Faults in bulk: flipped bits, killed trainings, mirrors that misbehave, each a few times.

GENCOMP_FAULTS=all makes it 10,000 bits, 200 kills and 40 mirrors, and takes half an hour.
"""

import hashlib
import http.server
import json
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_runs import few_digits, same
from tqdm import tqdm

from gencomp_utils import checkpoints, data, runs, training
from gencomp_utils.models import ClassifierConfig, VAEConfig

ALL = os.environ.get("GENCOMP_FAULTS") == "all"
FLIPS, KILLS = (10_000, 200) if ALL else (300, 4)
MADE = VAEConfig(epochs=2, batch_size=150)
KILLED = ClassifierConfig(epochs=6, batch_size=50, width=4)
IDENTITY = {"settings": {"seed": 0}, "data": "sum"}


# Flipped bits


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    runs.train(MADE, few_digits(), folder, "cpu")
    return folder


def equal(first: object, second: object) -> bool:
    """Whether two contents of a checkpoint are the same to the bit."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(
            equal(first[key], second[key]) for key in first
        )
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(equal, first, second))
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        return torch.equal(first, second)
    return first == second


def flips(path: Path, count: int, seed: int) -> Iterator[None]:
    """Flip one bit of a file after the other, each alone; a tenth of them among the first."""
    whole, chance = path.read_bytes(), random.Random(seed)
    for number in range(count):
        place = chance.randrange(min(len(whole), 2000) if number % 10 == 0 else len(whole))
        path.write_bytes(
            whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :]
        )
        yield
    path.write_bytes(whole)


@pytest.mark.parametrize("name", ["run.json", "arrays.safetensors", "samples.png"])
def test_a_run_with_a_flipped_bit_is_refused_or_the_same(run, name):
    whole, refused = runs.load(run), 0
    for _ in flips(run / name, FLIPS // 4, seed=0):
        try:
            read = runs.load(run)
        except runs.RunError:
            refused += 1
        else:
            assert same(read, whole)
            told = "config", "provenance", "metrics", "fingerprint"
            assert all(getattr(read, part) == getattr(whole, part) for part in told)
    assert refused > 0.9 * (FLIPS // 4)
    assert same(runs.load(run), whole)


def test_a_checkpoint_with_a_flipped_bit_is_refused(tmp_path):
    state, path = training.start(ClassifierConfig(width=4)), tmp_path / "checkpoint.pt"
    checkpoints.save(state, tmp_path, IDENTITY)
    whole = checkpoints.read(path)
    for _ in flips(path, FLIPS // 4, seed=1):
        with pytest.raises(checkpoints.RunError):
            checkpoints.resume(state, tmp_path, IDENTITY)
    assert equal(checkpoints.read(path), whole)


# Kills


def start(folder: Path, digits: data.Digits) -> int:
    """Train in a child, and return its number; it begins with its parent's libraries loaded."""
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            sys.stderr = (folder.parent / "errors").open("a")
            runs.train(KILLED, digits, folder, "cpu", after=lambda _: None)
            os._exit(0)
        os._exit(1)
    return child


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills by SIGKILL need a system that has it")
def test_trainings_killed_at_any_instant_end_with_the_same_weights(tmp_path, capsys, monkeypatch):
    """A DCGAN's are killed in test_runs; here nothing but trainings takes time."""
    monkeypatch.setattr(runs, "_onlooker", lambda *_: lambda state: state.samples.append(blank))
    blank, few = torch.empty((0, 28, 28), dtype=torch.uint8), few_digits()
    few = replace(few, train_images=few.train_images[:100], train_labels=few.train_labels[:100])
    chance, stages, tries = random.Random(0), [], 0
    monkeypatch.setattr(tqdm, "monitor_interval", 0)  # its thread may hold a lock at a fork
    # What PyTorch makes ready at its first step is then ready in each child.
    whole = runs.train(KILLED, few, tmp_path / "whole", "cpu", after=lambda _: None)
    started = time.monotonic()
    os.waitpid(start(tmp_path / "again", few), 0)
    seconds = time.monotonic() - started
    while len(stages) < KILLS:
        folder, tries = tmp_path / str(tries), tries + 1
        child = start(folder, few)
        time.sleep(chance.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL:
            stages.append((folder / "checkpoint.pt").exists())
        _, status = os.waitpid(start(folder, few), 0)
        assert status == 0, (tmp_path / "errors").read_text()
        assert same(runs.load(folder), whole)
    with capsys.disabled():
        print(f"\n{len(stages)} kills, {sum(stages)} of them with a checkpoint")


# Mirrors


REAL = sorted(data.MNIST_FILES)
LOAD = """
import json, sys, time, warnings
from pathlib import Path
warnings.simplefilter("error")
from gencomp_utils import data
def written():
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])
before, started = written(), time.monotonic()
right = data.load_mnist().is_mnist
print(json.dumps([right, time.monotonic() - started, written() - before]))
"""

# What a bad mirror sends: a pattern of bytes again and again, so many at a time, so often.
PACES = {
    "trickle 1 B/s": (1, 1.0), "1 kB/s": (100, 0.1), "5 kB/s": (500, 0.1), "9 kB/s": (900, 0.1),
    "9.9 kB/s": (990, 0.1), "11 kB/s": (1100, 0.1), "20 kB/s": (2000, 0.1),
    "60 kB/s": (6000, 0.1), "200 kB/s": (20_000, 0.1), "300 kB/s": (30_000, 0.1),
}  # fmt: skip
MANNERS = [
    *(f"{kind} {pace}" for kind in ("right", "wrong") for pace in PACES),
    "mute", "closing", "resetting", "forbidden", "down", "circular", "altered", "cut", "halting",
    "sticking", "endless", "endless lines", "endless chunk size", "tiny chunks", "endless trailers",
    "bomb", "many headers", "long header", "dripping headers", "continuing", "garrulous", "no HTTP",
    "negative length", "empty",
]  # fmt: skip
TRIED = MANNERS if ALL else ["wrong 11 kB/s", "endless", "cut"]


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends what the folder of the address says."""

    files: Path

    def do_GET(self) -> None:
        _, manner, name = self.path.split("/")
        manner = manner.replace("%20", " ")
        content = (self.files / name).read_bytes()
        kind, _, pace = manner.partition(" ")
        with suppress(OSError):
            if pace in PACES:
                if kind == "wrong":
                    content = bytes(len(content))
                self.head(200, f"Content-Length: {len(content)}")
                self.pour(content, *PACES[pace])
            else:
                self.misbehave(manner, content, name)

    def head(self, status: int, *lines: str) -> None:
        text = "\r\n".join([f"HTTP/1.1 {status} Whatever", "Connection: close", *lines, "", ""])
        self.wfile.write(text.encode())

    def pour(self, content: bytes, size: int, pause: float) -> None:
        for start in range(0, len(content), size):
            self.wfile.write(content[start : start + size])
            time.sleep(pause)

    def forever(self, piece: bytes, pause: float = 0) -> None:
        while True:
            self.wfile.write(piece)
            time.sleep(pause)

    def misbehave(self, manner: str, content: bytes, name: str) -> None:
        whole = f"Content-Length: {len(content)}"
        match manner:
            case "good":
                self.head(200, whole)
                self.wfile.write(content)
            case "mute":
                time.sleep(300)
            case "resetting":
                self.head(200, whole)
                self.wfile.write(content[:1000])
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(*self.linger, linger)
                self.connection.close()
            case "forbidden" | "down":
                self.head({"forbidden": 403, "down": 503}[manner])
                self.forever(bytes(100_000))
            case "circular":
                self.head(302, f"Location: {self.path}", "Content-Length: 0")
            case "garrulous":
                self.head(302, f"Location: /mute/{name}")
                self.forever(bytes(100_000))
            case "altered":
                self.head(200, whole)
                self.wfile.write(content[:-1] + bytes([content[-1] ^ 1]))
            case "cut":
                self.head(200, whole)
                self.wfile.write(content[:-1])
            case "halting":
                self.head(200, whole)
                self.wfile.write(content[:-1])
                time.sleep(300)
            case "sticking":
                self.head(200, whole)
                self.wfile.write(content[: len(content) // 2])
                self.pour(content[len(content) // 2 :], 1, 1)
            case "endless":
                self.head(200)
                self.forever(bytes(100_000))
            case "endless lines":
                self.head(200, "Transfer-Encoding: chunked")
                self.forever(b"1\r\n0\r\n" * 10_000)
            case "endless chunk size":
                self.head(200, "Transfer-Encoding: chunked")
                self.forever(b"1" * 100_000)
            case "tiny chunks":
                self.head(200, "Transfer-Encoding: chunked")
                self.forever(b"1\r\n0\r\n", 0.01)
            case "endless trailers":
                self.head(200, "Transfer-Encoding: chunked")
                self.wfile.write(b"0\r\n")
                self.forever(b"X-Word: la\r\n" * 1000)
            case "bomb":
                self.head(200, "Content-Encoding: gzip")
                self.wfile.write(content)
                self.forever(bytes(100_000))
            case "many headers":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                self.forever(b"X-Word: la\r\n" * 1000)
            case "long header":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Word: ")
                self.forever(b"la" * 10_000)
            case "dripping headers":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                self.forever(b"X: la\r\n", 5)
            case "continuing":
                self.forever(b"HTTP/1.1 100 Continue\r\n\r\n", 0.001)
            case "no HTTP":
                self.forever(b"220 mail.example.org ESMTP\r\n")
            case "negative length":
                self.head(200, "Content-Length: -1")
                self.wfile.write(content[:-1])
            case "empty":
                self.head(200, "Content-Length: 0")
            case "closing":
                pass

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serving(files: Path) -> Iterator[str]:
    import socket

    handler = type("Handler", (Handler,), {"files": files})
    handler.linger = socket.SOL_SOCKET, socket.SO_LINGER
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads, server.block_on_close = True, False
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def load(address: str, manner: str, folder: Path) -> tuple[str, bool, float, int, list[str]]:
    """Load MNIST in a process of its own, first from a bad mirror, then from a good one."""
    mirrors = f"{address}/{manner.replace(' ', '%20')} {address}/good"
    cache = folder / manner.replace("/", "")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GENCOMP_")}
    done = subprocess.run(
        [sys.executable, "-c", LOAD], capture_output=True, text=True, check=False,
        env=ours | {"GENCOMP_MIRRORS": mirrors, "XDG_CACHE_HOME": str(cache)},
    )  # fmt: skip
    assert done.returncode == 0, f"{manner}: {done.stderr[-3000:]}"
    right, seconds, written = json.loads(done.stdout)
    return manner, right, seconds, written, sorted(p.name for p in cache.rglob("*") if p.is_file())


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="what is written is read in /proc")
def test_a_bad_mirror_costs_a_minute_and_no_room(mnist, tmp_path, capsys):
    """With the real files and limits; what is written is counted by the system."""
    sums = {hashlib.sha256((mnist / name).read_bytes()).hexdigest() for name in REAL}
    assert sums == {*data.MNIST_FILES.values()}
    with serving(mnist) as address, ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda manner: load(address, manner, tmp_path), TRIED))
    slowest, most = max(told, key=lambda row: row[2]), max(told, key=lambda row: row[3])
    with capsys.disabled():
        print(f"\n{len(told)} mirrors; slowest: {slowest[0]}, {slowest[2]:.1f} s; most written: "
              f"{most[0]}, {most[3] / 1e6:.1f} MB")  # fmt: skip
    for manner, right, seconds, written, left in told:
        assert right, manner
        assert seconds < 60, manner
        assert written < 25_000_000, manner
        assert left == REAL, manner
