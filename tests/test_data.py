"""MNIST is found, downloaded from mirrors that misbehave, verified, or refused in clear words."""

import functools
import gzip
import hashlib
import http.server
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import disk_with_room_for, make_pipe

from gencomp_utils import data

# The sockets of downloads that were given up are left to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SIZES = {"train": 7, "t10k": 3}
NOBODY = "http://127.0.0.1:9/"
LARGEST = "train-images-idx3-ubyte.gz"
BOMB = gzip.compress(bytes(10_000_000))


def idx(values: np.ndarray) -> bytes:
    """Write the IDX format, as MNIST's files have it."""
    header = struct.pack(f">{1 + values.ndim}I", 0x800 + values.ndim, *values.shape)
    return gzip.compress(header + values.tobytes(), mtime=0)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, bytes]:
    """Small files in the place of MNIST's; no folder or cache of the user's is looked at."""
    rng = np.random.default_rng(0)
    content = {}
    for part, count in SIZES.items():
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        content[f"{part}-images-idx3-ubyte.gz"] = idx(images)
        content[f"{part}-labels-idx1-ubyte.gz"] = idx(rng.integers(0, 10, count, dtype=np.uint8))
    sums = {name: hashlib.sha256(content[name]).hexdigest() for name in data.MNIST_FILES}
    monkeypatch.setattr(data, "MNIST_FILES", sums)
    monkeypatch.setattr(data, "_PATIENCE_S", 0.8)
    monkeypatch.setattr(data, "_MOST_BYTES", 100_000)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GENCOMP_DATA_DIR", raising=False)
    monkeypatch.delenv("GENCOMP_STAND_IN", raising=False)
    monkeypatch.setenv("GENCOMP_MIRRORS", NOBODY)
    return content


@pytest.fixture
def folder(files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that holds the files."""
    target = tmp_path / "data"
    target.mkdir()
    for name, content in files.items():
        (target / name).write_bytes(content)
    monkeypatch.setenv("GENCOMP_DATA_DIR", str(target))
    return target


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the first folder of the path says."""

    server: "Server"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        _, manner, name = self.path.split("/")
        content = self.server.files[name]
        whole = {"Content-Length": str(len(content))}
        zipped = {"Content-Encoding": "gzip"}
        match manner:
            case "mute":
                self.server.stop.wait(60)
            case "forbidden" | "missing" | "down":
                self.answer({"forbidden": 403, "missing": 404, "down": 503}[manner])
            case "circular":
                self.answer(302, Location=self.path)
            case "garrulous":
                self.answer(302, Location=f"/good/{name}")
                self.drip(bytes(50_000_000), 100_000, 0)
            case "shouting":
                self.send_response(503, "x " * 30_000)
                self.end_headers()
            case "chunking":
                self.answer(200, **{"Transfer-Encoding": "chunked"})
                self.drip(b"1" * 50_000_000, 100_000, 0)
            case "babbling":
                self.wfile.write(b"HTTP/1.0 200 OK\r\n")
                self.drip(b"X-Word: la\r\n" * 1000, 1, 0.05)
            case "altered":
                self.answer(200, content[:-1] + b"?", **whole)
            case "cut":
                self.answer(200, content[:-100], **whole)
            case "halting":
                self.answer(200, content[:-100], **whole)
                self.server.stop.wait(60)
            case "dripping":
                self.answer(200, **whole)
                self.drip(content, 1, 0.002)
            case "sticking":
                self.answer(200, content[:-100], **whole)
                self.drip(content[-100:], 1, 0.1)
            case "slow":
                self.answer(200, **whole)
                self.drip(content, 256, 0.05)
            case "endless":
                self.answer(200)
                self.drip(bytes(50_000_000), 100_000, 0)
            case "bomb":
                self.answer(200, BOMB, **zipped)
            case "wrapping":
                self.answer(200, gzip.compress(content), **zipped)
            case "labelling":  # as servers do that know a .gz file as an encoding
                self.answer(200, content, **zipped)
            case "negotiating":
                asked = self.headers.get("Accept-Encoding")
                self.answer(200, content if asked == "identity" else b"another")
            case "good":
                self.answer(200, content)

    def answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def drip(self, content: bytes, size: int, pause: float) -> None:
        for start in range(0, len(content), size):
            self.wfile.write(content[start : start + size])
            self.server.dripped += size
            if self.server.stop.wait(pause):
                return

    def log_message(self, *arguments: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.stop = threading.Event()
        self.asked: list[str] = []
        self.dripped = 0

    def address(self, manner: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{manner}"

    def handle_error(self, *arguments: object) -> None:
        """A client that gives up is what is wanted."""


@pytest.fixture
def server(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server whose good manners are the only mirror."""
    with Server(files) as made:
        threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("GENCOMP_MIRRORS", made.address("good"))
        yield made
        made.stop.set()
        made.shutdown()


def cached(tmp_path: Path) -> list[str]:
    """Everything in the cache, hidden drafts included."""
    return sorted(
        str(path.relative_to(tmp_path / "cache"))
        for path in (tmp_path / "cache").rglob("*")
        if path.is_file() or path.name.startswith(".")
    )


def within(seconds: float, function: Callable[[], object]) -> None:
    """Call a function that may hang, and fail if it does."""
    worker = threading.Thread(target=function, daemon=True)
    worker.start()
    worker.join(seconds)
    assert not worker.is_alive(), "it hangs"


# What the message says of each kind of mirror.
MISBEHAVIOURS = {
    "forbidden": "403",
    "missing": "404",
    "down": "503",
    "circular": "30 redirects",
    "rude": "closed connection without response",
    "altered": r"a file of SHA-256 \w+ \(Content-Encoding: none\)",
    "cut": "IncompleteRead|a file of SHA-256",
    "dripping": "sent less than 10000 bytes a second",
    "mute": "no answer within",
    "babbling": "no answer within",
    "halting": "sent less than 10000 bytes a second",
    "sticking": "sent less than 10000 bytes a second",
    "shouting": "503",
    "chunking": "Invalid|LineTooLong|got more than|chunk",
    "endless": "sent more than 100000 bytes",
    "bomb": r"a file of SHA-256 \w+ \(Content-Encoding: gzip\)",
    "wrapping": r"a file of SHA-256 \w+ \(Content-Encoding: gzip\)",
}


def test_the_real_files_are_sixty_and_ten_thousand_images(mnist):
    digits = data.load_mnist()
    assert digits.is_mnist
    assert digits.train_images.shape == (60_000, 28, 28)
    assert digits.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert digits.test_images.shape == (10_000, 28, 28)
    assert np.bincount(digits.test_labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip


# Files of a folder


def test_images_come_back_byte_for_byte(folder, files):
    digits = data.load_mnist()
    parts = {"train-images": digits.train_images, "train-labels": digits.train_labels}
    parts |= {"t10k-images": digits.test_images, "t10k-labels": digits.test_labels}
    for name, content in files.items():
        part = parts[name.rpartition("-idx")[0]]
        written = gzip.decompress(content)[16 if "images" in name else 8 :]
        assert part.tobytes() == written
        assert len(part) == SIZES[name.partition("-")[0]]
    assert digits.is_mnist, "of the files that stand for MNIST's"


def test_the_folder_may_be_named_from_home(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("GENCOMP_DATA_DIR", "~/data")
    assert len(data.load_mnist().train_images) == SIZES["train"]


def test_the_same_files_are_unpacked_once_and_other_ones_anew(folder, monkeypatch):
    first = data.load_mnist()
    assert data.load_mnist() is first
    name = "t10k-labels-idx1-ubyte.gz"
    other = idx(np.array([1, 2, 3], dtype=np.uint8))
    (folder / name).write_bytes(other)
    monkeypatch.setitem(data.MNIST_FILES, name, hashlib.sha256(other).hexdigest())
    second = data.load_mnist()
    assert second.test_labels.tolist() == [1, 2, 3]
    assert second.digest != first.digest


def test_nobody_writes_into_images_that_others_share(folder):
    for digits in (data.load_mnist(), data.load_stand_in()):
        for part in (digits.train_images, digits.train_labels, digits.test_images):
            with pytest.raises(ValueError, match="read-only"):
                part[0] = 0


@pytest.mark.parametrize("harm", ["truncated", "altered", "empty"])
def test_a_harmed_file_is_named_with_what_was_expected(folder, harm):
    path = folder / LARGEST
    content = path.read_bytes()
    path.write_bytes(
        {"truncated": content[:100], "altered": content[:-1] + b"?", "empty": b""}[harm]
    )
    with pytest.raises(data.DataError, match="truncated or altered") as caught:
        data.load_mnist()
    assert not isinstance(caught.value, data.DataUnavailable)
    assert str(path) in str(caught.value)
    assert data.MNIST_FILES[path.name] in str(caught.value)


@pytest.mark.parametrize("make", [os.mkdir, make_pipe, functools.partial(os.symlink, "/dev/zero")])
def test_what_is_no_file_is_named(folder, make):
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.unlink()
    make(path)
    caught: list[Exception] = []

    def load() -> None:
        try:
            data.load_mnist()
        except data.DataError as error:
            caught.append(error)

    within(5, load)
    assert f"{path} can't be read: it is no file" in str(caught[0])


def test_a_file_too_large_for_memory_is_named_unread(folder, monkeypatch):
    with (folder / LARGEST).open("r+b") as file:
        file.truncate(10**12)  # a hole takes no room
    with pytest.raises(data.DataError, match=f"{LARGEST} can't be read: it is larger than any"):
        data.load_mnist()


def test_an_unreadable_file_is_named(folder, monkeypatch):
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root would be let in
    with pytest.raises(data.DataError, match=r"train-images.* can't be read: Permission denied"):
        data.load_mnist()


def test_a_file_in_place_of_the_folder_is_named(files, tmp_path, monkeypatch):
    monkeypatch.setenv("GENCOMP_DATA_DIR", str(tmp_path / "file"))
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(data.DataError, match=r"file/train.* can't be read: Not a directory"):
        data.load_mnist()


def test_a_folder_without_the_files_is_told_with_what_it_lacks(folder):
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(data.DataUnavailable, match=r"DATA_DIR: there is no .*data/t10k-labels"):
        data.load_mnist()


# Downloads


def test_a_download_is_kept_and_not_repeated(server, files, monkeypatch, tmp_path):
    first = data.load_mnist()
    assert first.digest == data.load_mnist().digest
    assert server.asked == [f"/good/{name}" for name in data.MNIST_FILES]
    assert cached(tmp_path) == sorted(f"gencomp/mnist/{name}" for name in files)


def test_an_address_may_end_with_a_slash(server, monkeypatch):
    monkeypatch.setenv("GENCOMP_MIRRORS", server.address("good") + "/")
    data.load_mnist()
    assert server.asked[0] == f"/good/{LARGEST}"


def test_a_download_has_the_permissions_of_any_new_file(server):
    before = os.umask(0o027)
    try:
        data.load_mnist()
    finally:
        os.umask(before)
    assert (data.cache_dir() / "mnist" / LARGEST).stat().st_mode & 0o777 == 0o640


def test_a_bar_shows_how_much_has_come(server, files, capsys):
    data.load_mnist()
    shown = capsys.readouterr().err
    assert f"{LARGEST}: {len(files[LARGEST]) / 1000:.2f}kB" in shown


@pytest.mark.parametrize("manner", MISBEHAVIOURS)
def test_a_misbehaving_mirror_gives_way_to_the_next(server, manner, monkeypatch, tmp_path, files):
    monkeypatch.setenv("GENCOMP_MIRRORS", f"{server.address(manner)} {server.address('good')}")
    started = time.monotonic()
    assert len(data.load_mnist().train_images) == SIZES["train"]
    assert time.monotonic() - started < 6 * data._PATIENCE_S
    asked = [path for path in server.asked if "good" not in path]
    assert set(asked) == {f"/{manner}/{LARGEST}"}, "it is asked again"
    assert cached(tmp_path) == sorted(f"gencomp/mnist/{name}" for name in files)


@pytest.mark.parametrize("manner", MISBEHAVIOURS)
def test_misbehaving_mirrors_alone_end_in_one_error_and_leave_nothing(
    server, manner, monkeypatch, tmp_path
):
    monkeypatch.setenv("GENCOMP_MIRRORS", f"{server.address(manner)} {NOBODY}")
    with pytest.raises(data.DataUnavailable) as caught:
        data.load_mnist()
    lines = str(caught.value).splitlines()
    (said,) = (line for line in lines if f"{server.address(manner)}/{LARGEST}: " in line)
    assert re.search(MISBEHAVIOURS[manner], said)
    assert "refused" not in said
    (said,) = (line for line in lines if NOBODY in line)
    assert said.endswith("Connection refused")
    assert "$GENCOMP_DATA_DIR: not set" in lines[1]
    assert str(tmp_path / "cache") in lines[-1]
    assert "$GENCOMP_DATA_DIR" in lines[-1]
    assert all(name in lines[-1] for name in data.MNIST_FILES)
    assert cached(tmp_path) == []


@pytest.mark.parametrize("address", ["", "nowhere", "ftp://127.0.0.1/", "http://[::1"])
def test_what_is_no_address_of_a_mirror_is_told(files, monkeypatch, address):
    monkeypatch.setenv("GENCOMP_MIRRORS", address)
    with pytest.raises(data.DataUnavailable) as caught:
        data.load_mnist()
    assert address in str(caught.value)
    assert "refused" not in str(caught.value)


@pytest.mark.parametrize("manner", ["labelling", "negotiating"])
def test_the_file_is_taken_as_it_is(server, monkeypatch, manner):
    monkeypatch.setenv("GENCOMP_MIRRORS", server.address(manner))
    assert len(data.load_mnist().train_images) == SIZES["train"]


def test_an_endless_file_is_read_no_further_than_needed(server, monkeypatch):
    monkeypatch.setenv("GENCOMP_MIRRORS", server.address("endless"))
    with pytest.raises(data.DataUnavailable):
        data.load_mnist()
    assert server.dripped < 30_000_000, "what fits into the buffers of a connection is less"


def test_a_file_may_be_as_large_as_the_limit(server, monkeypatch, files):
    monkeypatch.setattr(data, "_MOST_BYTES", len(files[LARGEST]) - 1)
    with pytest.raises(data.DataUnavailable, match="sent more than"):
        data.load_mnist()
    monkeypatch.setattr(data, "_MOST_BYTES", len(files[LARGEST]))
    assert len(data.load_mnist().train_images) == SIZES["train"]


def test_a_slow_line_that_goes_on_is_kept(server, monkeypatch, files):
    """5 kB a second, for longer than a silent mirror is waited for."""
    monkeypatch.setattr(data, "_PATIENCE_S", 0.5)
    monkeypatch.setattr(data, "_LEAST_RATE", 1000)
    monkeypatch.setenv("GENCOMP_MIRRORS", server.address("slow"))
    started = time.monotonic()
    assert len(data.load_mnist().train_images) == SIZES["train"]
    assert time.monotonic() - started > data._PATIENCE_S


def test_a_slow_mirror_waits_for_the_others_and_is_taken_where_they_are_no_better(
    server, monkeypatch, tmp_path
):
    monkeypatch.setattr(data, "_PATIENCE_S", 0.4)
    monkeypatch.setattr(data, "_LEAST_RATE", 700)
    slow, good = server.address("slow"), server.address("good")
    monkeypatch.setenv("GENCOMP_MIRRORS", f"{slow} {good}")
    assert len(data.load_mnist().train_images) == SIZES["train"]
    assert server.asked == [f"/slow/{LARGEST}", *(f"/good/{name}" for name in data.MNIST_FILES)]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    monkeypatch.setenv("GENCOMP_MIRRORS", f"{slow} {server.address('missing')}")
    assert len(data.load_mnist().train_images) == SIZES["train"]


def test_a_redirect_is_followed_and_its_body_left_alone(server, monkeypatch):
    monkeypatch.setenv("GENCOMP_MIRRORS", server.address("garrulous"))
    within(5, data.load_mnist)
    assert (data.cache_dir() / "mnist" / LARGEST).exists()
    assert server.dripped < 30_000_000, "what fits into the buffers of four connections is less"


def test_limits_suit_mnist():
    largest, whole = 9_912_422, 11_594_722
    assert largest < data._MOST_BYTES < 2 * largest
    assert data._MOST_BYTES / data._GOOD_RATE < 60 - 3 * data._PATIENCE_S
    assert 10 * 60 < whole / data._LEAST_RATE < 30 * 60
    assert data._MOST_BYTES / data._LEAST_RATE < 3600, "or a living draft would be removed"
    # A mirror may be silent twice: before its answer and within it.
    assert 5 <= data._PATIENCE_S <= 30 / (2 * len(data.MIRRORS))


def test_hanging_look_ups_of_all_known_mirrors_end_within_thirty_seconds(files, monkeypatch):
    end = threading.Event()
    monkeypatch.delenv("GENCOMP_MIRRORS")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **named: end.wait(60) and [])
    started = time.monotonic()
    with pytest.raises(data.DataUnavailable) as caught:
        data.load_mnist()
    # Time runs faster here: the patience with a mirror is 6 s otherwise.
    assert time.monotonic() - started < 30 * data._PATIENCE_S / 6
    end.set()
    for mirror in data.MIRRORS:
        assert f"{mirror}{LARGEST}: no answer within" in str(caught.value)


def test_a_hanging_look_up_keeps_no_program_from_its_end(files, tmp_path):
    code = """
import socket, time
from gencomp_utils import data
socket.getaddrinfo = lambda *arguments, **named: time.sleep(60)
data._PATIENCE_S = 0.1
data.load_mnist()"""
    environment = os.environ | {"GENCOMP_MIRRORS": "http://nowhere.invalid/"}
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, env=environment, capture_output=True, timeout=30
    )
    assert b"DataUnavailable" in done.stderr


# The cache


def test_a_cache_that_cannot_be_made_is_named(server, tmp_path):
    (tmp_path / "cache").write_text("no folder")
    with pytest.raises(data.DataError, match="can't be written: Not a directory") as caught:
        data.load_mnist()
    assert str(tmp_path / "cache") in str(caught.value)


def test_a_full_disk_is_named_and_nothing_half_written_stays(server, tmp_path):
    with (
        disk_with_room_for(1000),
        pytest.raises(data.DataError, match=r"can't be written: File too large.*Make room"),
    ):
        data.load_mnist()
    assert cached(tmp_path) == []


@pytest.mark.parametrize("harm", [Path.touch, make_pipe])
def test_only_what_is_harmed_in_the_cache_is_downloaded_again(server, harm):
    digest = data.load_mnist().digest
    name = "t10k-images-idx3-ubyte.gz"
    (data.cache_dir() / "mnist" / name).unlink()
    harm(data.cache_dir() / "mnist" / name)
    server.asked.clear()
    within(5, data.load_mnist)
    assert data.load_mnist().digest == digest
    assert server.asked == [f"/good/{name}"]


def test_a_harmed_file_of_the_cache_is_told_where_no_mirror_answers(server, monkeypatch):
    data.load_mnist()
    (data.cache_dir() / "mnist" / LARGEST).write_bytes(b"")
    monkeypatch.setenv("GENCOMP_MIRRORS", NOBODY)
    with pytest.raises(data.DataUnavailable, match=r"the cache: .*truncated or altered"):
        data.load_mnist()


def test_what_a_killed_download_left_is_removed_when_nobody_writes_to_it(server, tmp_path):
    cache = data.cache_dir() / "mnist"
    (cache / ".download-folder").mkdir(parents=True)
    for name in (".download-folder/part", ".download-old", ".download-young", "other"):
        (cache / name).touch()
    for name, age in ((".download-folder", 4000), (".download-old", 4000), ("other", 4000)):
        os.utime(cache / name, (time.time() - age,) * 2)
    os.utime(cache / ".download-young", (time.time() - 3000,) * 2)
    data.load_mnist()
    left = {path.name for path in cache.iterdir()} - {*data.MNIST_FILES}
    assert left == {".download-young", "other"}


def test_the_cache_follows_the_user(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", os.path.join(os.sep, "elsewhere"))
    assert data.cache_dir() == Path(os.sep, "elsewhere", "gencomp")


# The stand-in, and what tells data sets apart


def test_the_stand_in_is_used_only_where_it_is_asked_for(folder, monkeypatch):
    assert data.load_digits().name == "MNIST"
    monkeypatch.setenv("GENCOMP_STAND_IN", "1")
    stand_in = data.load_digits()
    assert not stand_in.is_mnist
    assert stand_in.sha256 == {}
    assert "scikit-learn" in stand_in.name


def test_the_stand_in_shows_the_small_digits_in_a_blank_frame():
    from sklearn.datasets import load_digits as load_small_digits

    small, labels = load_small_digits(return_X_y=True)
    stand_in = data.load_stand_in()
    images = np.concatenate([stand_in.train_images, stand_in.test_images])
    assert (len(stand_in.train_images), images.shape) == (1500, (1797, 28, 28))
    assert np.concatenate([stand_in.train_labels, stand_in.test_labels]).tolist() == [*labels]
    assert (images.dtype, stand_in.test_labels.dtype) == (np.uint8, np.uint8)
    corners = images[:, [2, 2, 25, 25], [2, 25, 2, 25]]
    assert corners.tolist() == np.rint(small[:, [0, 7, 56, 63]] * 255 / 16).tolist()
    assert images.max() == 255
    images[:, 2:26, 2:26] = 0
    assert not images.any()


def test_the_digest_is_of_all_images_and_labels_in_turn():
    digits = data.load_stand_in()
    parts = [digits.train_images, digits.train_labels, digits.test_images, digits.test_labels]
    whole = b"".join(part.tobytes() for part in parts)
    assert digits.digest == hashlib.sha256(whole).hexdigest()
    assert digits.digest is digits.digest, "it is computed twice"
