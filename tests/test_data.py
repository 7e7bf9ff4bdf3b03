"""MNIST is found, downloaded from mirrors that misbehave, verified, or refused in clear words."""

import gzip
import hashlib
import http.server
import os
import resource
import signal
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gencomp_utils import data

# pooch leaves the sockets of failed downloads to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SIZES = {"train": 7, "t10k": 3}


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
    monkeypatch.setattr(data, "_PATIENCE_S", 1.0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GENCOMP_DATA_DIR", raising=False)
    monkeypatch.delenv("GENCOMP_STAND_IN", raising=False)
    monkeypatch.setenv("GENCOMP_MIRRORS", "http://127.0.0.1:9/")
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


@pytest.fixture
def server(files: dict[str, bytes]) -> Iterator[str]:
    """A server whose first folder of the path says how it misbehaves."""
    stop = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, manner, name = self.path.split("/")
            content = files[name]
            if manner == "mute":
                stop.wait(60)
                return
            self.send_response({"forbidden": 403, "missing": 404, "down": 503}.get(manner, 200))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if manner == "altered":
                content = content[:-1] + b"?"
            elif manner == "cut":
                content = content[: len(content) // 2]
            elif manner == "dripping":
                for byte in content:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    if stop.wait(0.05):
                        return
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments: object) -> None:
            """A client that gives up is what is wanted."""

    with Server(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        stop.set()
        made.shutdown()


def cached(tmp_path: Path) -> list[str]:
    """Everything in the cache, hidden drafts included."""
    return sorted(
        str(path.relative_to(tmp_path / "cache"))
        for path in (tmp_path / "cache").rglob("*")
        if path.is_file() or path.name.startswith(".")
    )


MISBEHAVIOURS = ["forbidden", "missing", "down", "altered", "cut", "dripping", "mute"]


def test_the_real_files_are_sixty_and_ten_thousand_images(mnist):
    digits = data.load_mnist()
    assert digits.is_mnist
    assert digits.train_images.shape == (60_000, 28, 28)
    assert digits.test_images.shape == (10_000, 28, 28)
    assert np.bincount(digits.test_labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip


def test_the_named_folder_is_read(folder):
    digits = data.load_mnist()
    assert len(digits.train_images) == SIZES["train"]
    assert len(digits.test_labels) == SIZES["t10k"]


def test_images_come_back_byte_for_byte(folder, files):
    digits = data.load_mnist()
    images = gzip.decompress(files["t10k-images-idx3-ubyte.gz"])[16:]
    assert digits.test_images.tobytes() == images


def test_a_download_is_kept_and_not_repeated(server, files, monkeypatch, tmp_path):
    monkeypatch.setenv("GENCOMP_MIRRORS", f"{server}/good/")
    first = data.load_mnist()
    monkeypatch.setenv("GENCOMP_MIRRORS", "http://127.0.0.1:9/")
    assert data.load_mnist().digest == first.digest
    assert cached(tmp_path) == sorted(f"gencomp/mnist/{name}" for name in files)


@pytest.mark.parametrize("manner", MISBEHAVIOURS)
def test_a_misbehaving_mirror_gives_way_to_the_next(server, manner, monkeypatch, tmp_path, files):
    monkeypatch.setenv("GENCOMP_MIRRORS", f"{server}/{manner} {server}/good")
    assert len(data.load_mnist().train_images) == SIZES["train"]
    assert cached(tmp_path) == sorted(f"gencomp/mnist/{name}" for name in files)


@pytest.mark.parametrize("manner", MISBEHAVIOURS)
def test_misbehaving_mirrors_alone_end_in_one_error_and_leave_nothing(
    server, manner, monkeypatch, tmp_path
):
    monkeypatch.setenv("GENCOMP_MIRRORS", f"{server}/{manner} http://127.0.0.1:9/")
    with pytest.raises(data.DataUnavailable) as caught:
        data.load_mnist()
    message = str(caught.value)
    assert f"{server}/{manner}" in message
    assert "127.0.0.1:9" in message
    assert "$GENCOMP_DATA_DIR" in message
    assert str(tmp_path / "cache") in message
    time.sleep(0.3)  # a download that was given up may still be unwinding
    assert cached(tmp_path) == []


def test_a_mute_mirror_is_given_up_in_time_for_all_known_ones():
    assert data._PATIENCE_S * len(data.MIRRORS) <= 20


@pytest.mark.slow
def test_mute_mirrors_are_given_up_within_thirty_seconds(server, monkeypatch, files):
    monkeypatch.setattr(data, "_PATIENCE_S", 6.0)
    monkeypatch.setenv("GENCOMP_MIRRORS", " ".join([f"{server}/mute"] * len(data.MIRRORS)))
    started = time.monotonic()
    with pytest.raises(data.DataUnavailable):
        data.load_mnist()
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("harm", ["truncated", "altered", "empty"])
def test_a_harmed_file_is_named_with_what_was_expected(folder, harm):
    path = folder / "train-images-idx3-ubyte.gz"
    content = path.read_bytes()
    path.write_bytes(
        {"truncated": content[:100], "altered": content[:-1] + b"?", "empty": b""}[harm]
    )
    with pytest.raises(data.DataError, match="truncated or altered") as caught:
        data.load_mnist()
    assert str(path) in str(caught.value)
    assert data.MNIST_FILES[path.name] in str(caught.value)


def test_a_file_of_another_format_is_refused(folder, monkeypatch):
    name = "train-labels-idx1-ubyte.gz"
    labels = gzip.compress(struct.pack(">II", 2051, 7) + bytes(7))
    (folder / name).write_bytes(labels)
    monkeypatch.setitem(data.MNIST_FILES, name, hashlib.sha256(labels).hexdigest())
    with pytest.raises(data.DataError, match=r"train-labels.*2049"):
        data.load_mnist()


def test_a_file_shorter_than_it_announces_is_refused(folder, monkeypatch):
    name = "train-labels-idx1-ubyte.gz"
    labels = gzip.compress(struct.pack(">II", 2049, 7) + bytes(6))
    (folder / name).write_bytes(labels)
    monkeypatch.setitem(data.MNIST_FILES, name, hashlib.sha256(labels).hexdigest())
    with pytest.raises(data.DataError, match=r"announces \(7,\), but holds 6 bytes"):
        data.load_mnist()


def test_an_unreadable_file_is_named(folder):
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.unlink()
    path.mkdir()  # not even root can read a folder as a file
    with pytest.raises(data.DataError, match="can't be read") as caught:
        data.load_mnist()
    assert str(path) in str(caught.value)


def test_an_unreadable_folder_is_named(files, tmp_path, monkeypatch):
    monkeypatch.setenv("GENCOMP_DATA_DIR", str(tmp_path / "file"))
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(data.DataError, match=r"\$GENCOMP_DATA_DIR, .*file, can't be read"):
        data.load_mnist()


def test_a_folder_without_the_files_is_told_with_what_it_lacks(folder):
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(data.DataUnavailable, match=r"no t10k-labels-idx1-ubyte\.gz there"):
        data.load_mnist()


def test_a_cache_that_cannot_be_made_is_named(server, monkeypatch, tmp_path, files):
    monkeypatch.setenv("GENCOMP_MIRRORS", f"{server}/good")
    (tmp_path / "cache").write_text("no folder")
    with pytest.raises(data.DataError, match="can't be written") as caught:
        data.load_mnist()
    assert str(tmp_path / "cache") in str(caught.value)


def test_a_full_disk_is_named_and_nothing_half_written_stays(server, monkeypatch, tmp_path, files):
    monkeypatch.setenv("GENCOMP_MIRRORS", f"{server}/good")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(data.DataError, match=r"can't be written.*Make room"):
            data.load_mnist()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert cached(tmp_path) == []


def test_a_harmed_file_of_the_cache_is_downloaded_again(server, files, monkeypatch, tmp_path):
    monkeypatch.setenv("GENCOMP_MIRRORS", f"{server}/good")
    digest = data.load_mnist().digest
    harmed = data.cache_dir() / "mnist" / "t10k-images-idx3-ubyte.gz"
    harmed.write_bytes(b"")
    assert data.load_mnist().digest == digest


def test_the_stand_in_is_used_only_where_it_is_asked_for(folder, monkeypatch):
    assert data.load_digits().name == "MNIST"
    monkeypatch.setenv("GENCOMP_STAND_IN", "1")
    stand_in = data.load_digits()
    assert not stand_in.is_mnist
    assert stand_in.train_images.shape[1:] == (28, 28)
    assert stand_in.train_images.max() == 255
    assert set(stand_in.test_labels) == set(range(10))


def test_the_digest_tells_data_sets_apart(folder):
    assert data.load_mnist().digest != data.load_stand_in().digest


def test_the_cache_follows_the_user(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", os.path.join(os.sep, "elsewhere"))
    assert data.cache_dir() == Path(os.sep, "elsewhere", "gencomp")
