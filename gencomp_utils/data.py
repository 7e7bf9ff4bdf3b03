"""MNIST: find, download, verify, read and scale it; and a stand-in for when it can't be had."""

import contextlib
import functools
import gzip
import hashlib
import os
import secrets
import shutil
import threading
import time
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError

# SHA-256 of the four files as Yann LeCun published them.
MNIST_FILES = {
    f"{part}-ubyte.gz": sha256
    for part, sha256 in (
        ("train-images-idx3", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        ("train-labels-idx1", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        ("t10k-images-idx3", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        ("t10k-labels-idx1", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    )
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# A mirror from which nothing comes for so long is given up: 30 s are to be enough for both.
_PATIENCE_S = 6.0
# Bytes a second: a tenth of a megabit, as slow as a working line gets, brings MNIST in 20 minutes.
_LEAST_RATE = 10_000
_MOST_BYTES = 16_000_000  # the largest file has 9.9 MB


class DataError(RuntimeError):
    """A data file or folder is there, but can't be used."""


class DataUnavailable(DataError):
    """MNIST is in none of the places where it was looked for."""


@dataclass(frozen=True)
class Digits:
    """Images of handwritten digits with their labels, split into training and test part.

    Images are bytes of shape (n, 28, 28), 0 for paper and 255 for ink; labels are bytes of shape
    (n,). `sha256` holds the sum of each file that they come from, and nothing for the stand-in.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    sha256: dict[str, str]

    @property
    def is_mnist(self) -> bool:
        """Whether these are the real files."""
        return self.sha256 == MNIST_FILES

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of all images and labels, by which a run knows what it was trained on."""
        parts = (self.train_images, self.train_labels, self.test_images, self.test_labels)
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def load_digits() -> Digits:
    """Load MNIST, or the stand-in where ``$GENCOMP_STAND_IN`` is set, as a build without does."""
    return load_stand_in() if os.environ.get("GENCOMP_STAND_IN") else load_mnist()


def load_mnist() -> Digits:
    """Load MNIST: 60,000 training and 10,000 test images, which can't be written to.

    Looks in ``$GENCOMP_DATA_DIR``, then in the user's cache folder, then downloads into it from
    ``$GENCOMP_MIRRORS`` (addresses, separated by spaces) or from the known mirrors. Every file is
    checked by its SHA-256, wherever it comes from.

    Raises
    ------
    DataUnavailable
        If MNIST is nowhere to be had, within 30 s where no mirror answers; says what was tried.
    DataError
        If a file in ``$GENCOMP_DATA_DIR`` is harmed or unreadable, or the cache can't be written.
    """
    tried = ["$GENCOMP_DATA_DIR: not set"]
    if named := os.environ.get("GENCOMP_DATA_DIR"):
        try:
            return _read(Path(os.path.expanduser(named)))
        except DataUnavailable as missing:
            tried = [f"$GENCOMP_DATA_DIR: {missing}"]
    cache = cache_dir() / "mnist"
    _clear_drafts(cache)
    lacking = []
    for name in MNIST_FILES:
        try:
            _verified(cache / name)
        except DataError as error:
            tried.append(f"the cache: {error}")
            lacking.append(name)
    mirrors = os.environ.get("GENCOMP_MIRRORS", " ".join(MIRRORS)).split()
    while lacking and mirrors:
        url = f"{mirrors[0].rstrip('/')}/{lacking[0]}"
        try:
            _download(url, cache / lacking[0])
            lacking.pop(0)
        except (requests.RequestException, HTTPError, ValueError) as error:
            tried.append(f"{url}: {getattr(next(iter(error.args), None), 'reason', error)}")
            mirrors.pop(0)
        except OSError as error:
            raise DataError(
                f"{cache} can't be written: {error.strerror}. Make room or mend its "
                f"permissions, or point $GENCOMP_DATA_DIR at a folder that holds MNIST."
            ) from error
    if lacking:
        raise DataUnavailable(
            "\n  - ".join(["MNIST could not be had. Tried:", *tried])
            + f"\nPut {', '.join(MNIST_FILES)} into {cache}, or into $GENCOMP_DATA_DIR."
        )
    return _read(cache)


def load_stand_in() -> Digits:
    """Load scikit-learn's digits (8 by 8 pixels), 1,500 and 297 of them, scaled up to 28 by 28."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits as load_small_digits

    small, labels = load_small_digits(return_X_y=True)
    large = zoom(small.reshape(-1, 8, 8), (1, 3, 3), order=1)
    images = np.pad(np.rint(large * 255 / 16), ((0, 0), (2, 2), (2, 2))).astype(np.uint8)
    labels = labels.astype(np.uint8)
    images.flags.writeable = labels.flags.writeable = False  # as MNIST's: one digest is taken
    name = "scikit-learn's 8×8 digits, scaled up"
    return Digits(name, images[:1500], labels[:1500], images[1500:], labels[1500:], sha256={})


def cache_dir() -> Path:
    """Return the user's folder for downloads and fresh runs: ``~/.cache/gencomp`` on Linux."""
    return platformdirs.user_cache_path("gencomp")


def _read(folder: Path) -> Digits:
    return _unpack(*(_verified(folder / name) for name in MNIST_FILES))


@functools.lru_cache(maxsize=1)
def _unpack(*contents: bytes) -> Digits:
    images, labels, test_images, test_labels = map(_pixels, contents)
    return Digits("MNIST", images, labels, test_images, test_labels, dict(MNIST_FILES))


def _pixels(compressed: bytes) -> np.ndarray:
    """Read the IDX format: a magic number that ends in the rank, the sizes, then the bytes."""
    content = gzip.decompress(compressed)
    sizes = np.frombuffer(content, dtype=">u4", offset=4, count=content[3])
    return np.frombuffer(content, dtype=np.uint8, offset=4 + sizes.nbytes).reshape(sizes)


def _verified(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():  # reading a pipe would never end
            raise DataError(f"{path} can't be read: it is no file, but a folder, pipe or device")
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataUnavailable(f"there is no {path}") from error
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}") from error
    found, right = hashlib.sha256(content).hexdigest(), MNIST_FILES[path.name]
    if found != right:
        raise DataError(
            f"{path} is truncated or altered: its SHA-256 is {found}, MNIST's {right}. Replace it."
        )
    return content


def _clear_drafts(cache: Path) -> None:
    """Remove what killed downloads left."""
    for draft in cache.glob(".download-*"):
        with contextlib.suppress(OSError):
            if time.time() - draft.stat().st_mtime > 3600:  # longer than any download takes
                shutil.rmtree(draft) if draft.is_dir() else draft.unlink()


def _download(url: str, target: Path) -> None:
    """Download one file, or raise and leave nothing behind."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".download-{secrets.token_hex(8)}")
    sums, size = hashlib.sha256(), 0
    try:
        with (
            _opened(url) as answer,
            draft.open("xb") as file,
            tqdm(desc=target.name, unit="B", unit_scale=True) as bar,
        ):
            started = time.monotonic()
            # Nothing is decoded: some servers call a .gz file the encoding of what is in it.
            for piece in answer.raw.stream(256, decode_content=False):
                size += len(piece)
                if size > _MOST_BYTES:
                    raise ValueError(f"sent more than {_MOST_BYTES} bytes")
                if time.monotonic() - started > _PATIENCE_S + size / _LEAST_RATE:
                    raise ValueError(f"sent less than {_LEAST_RATE} bytes a second")
                sums.update(piece)
                file.write(piece)
                bar.update(len(piece))
        if sums.hexdigest() != MNIST_FILES[target.name]:
            encoding = answer.headers.get("Content-Encoding", "none")
            raise ValueError(f"sent a file of another SHA-256 (Content-Encoding: {encoding})")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _opened(url: str) -> requests.Response:
    """Return a mirror's answer in time; a thread asks, since the look-up of a name may hang."""
    opened: Future[requests.Response] = Future()

    def ask() -> None:
        try:
            plain = {"Accept-Encoding": "identity"}
            opened.set_result(requests.get(url, stream=True, timeout=_PATIENCE_S, headers=plain))
        except Exception as error:  # raised where the answer is waited for
            opened.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    if not wait([opened], _PATIENCE_S).done:
        raise ValueError(f"no answer within {_PATIENCE_S:.0f} s")
    opened.result().raise_for_status()
    return opened.result()
