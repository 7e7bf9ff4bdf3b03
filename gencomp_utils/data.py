"""MNIST: find, download, verify, read and scale it; and a stand-in for when it can't be had."""

import gzip
import hashlib
import os
import queue
import tempfile
import threading
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pooch
import requests
from tqdm import tqdm

# SHA-256 of the four files as Yann LeCun published them.
MNIST_FILES = {
    "train-images-idx3-ubyte.gz": (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "train-labels-idx1-ubyte.gz": (
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
    ),
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# A mirror that sends less than this in that time is given up: 30 s are to be enough for all.
_PATIENCE_S = 6.0
_LEAST_BYTES = 4096


class DataError(RuntimeError):
    """A data file or folder is there, but can't be used."""


class DataUnavailable(DataError):
    """MNIST is in none of the places where it was looked for."""


@dataclass(frozen=True)
class Digits:
    """Images of handwritten digits with their labels, split into training and test part.

    Attributes
    ----------
    name : str
        Which data set this is.
    train_images, test_images : numpy.ndarray of uint8, shape (n, 28, 28)
        0 for paper, 255 for ink.
    train_labels, test_labels : numpy.ndarray of uint8, shape (n,)
        The digits.
    sha256 : dict of str to str
        Sum of each file that the images come from; empty where they come from no file.
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

    @property
    def digest(self) -> str:
        """SHA-256 of all images and labels, by which a run knows what it was trained on."""
        sums = hashlib.sha256()
        for part in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            sums.update(part.tobytes())
        return sums.hexdigest()


def load_digits() -> Digits:
    """Load MNIST, or the stand-in where ``$GENCOMP_STAND_IN`` asks for it.

    The book's build asks for it when MNIST can't be had, so that it still ends in a book.

    Returns
    -------
    Digits

    Raises
    ------
    DataError
        As :func:`load_mnist` does.
    """
    return load_stand_in() if os.environ.get("GENCOMP_STAND_IN") else load_mnist()


def load_mnist() -> Digits:
    """Load MNIST: 60,000 training and 10,000 test images.

    Looks in ``$GENCOMP_DATA_DIR``, then in the user's cache folder, then downloads into the
    cache from ``$GENCOMP_MIRRORS`` (addresses, separated by spaces) or from the known mirrors.
    Every file is checked by its SHA-256, wherever it comes from.

    Returns
    -------
    Digits

    Raises
    ------
    DataUnavailable
        If MNIST is nowhere to be had, within 30 s where no mirror answers; the message says
        what was tried and where to put the files by hand.
    DataError
        If a file in ``$GENCOMP_DATA_DIR`` is truncated, altered or unreadable, or the cache
        folder can't be written.
    """
    tried: list[str] = []
    cache = cache_dir() / "mnist"
    named = os.environ.get("GENCOMP_DATA_DIR")
    if not named:
        tried.append("$GENCOMP_DATA_DIR: not set")
    elif missing := _missing(Path(named)):
        tried.append(f"$GENCOMP_DATA_DIR, {named}: no {', '.join(missing)} there")
    else:
        return _read(Path(named))
    tried += _download_missing(cache)
    if any(not (cache / name).exists() for name in MNIST_FILES):
        attempts = "\n".join(f"  - {attempt}" for attempt in tried)
        raise DataUnavailable(
            f"MNIST could not be had. Tried:\n{attempts}\n"
            f"Put the four files ({', '.join(MNIST_FILES)}) into {cache}, or into a folder that "
            f"$GENCOMP_DATA_DIR names."
        )
    return _read(cache)


def load_stand_in() -> Digits:
    """Load scikit-learn's bundled digits (8 by 8 pixels), scaled up to 28 by 28.

    Returns
    -------
    Digits
        1,500 training and 297 test images.

    Examples
    --------
    >>> digits = load_stand_in()
    >>> digits.train_images.shape, digits.is_mnist
    ((1500, 28, 28), False)
    """
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits as load_small_digits

    small, labels = load_small_digits(return_X_y=True)
    large = zoom(small.reshape(-1, 8, 8), (1, 3, 3), order=1)
    images = np.pad(np.rint(large * 255 / 16), ((0, 0), (2, 2), (2, 2))).astype(np.uint8)
    labels = labels.astype(np.uint8)
    name = "scikit-learn's 8×8 digits, scaled up"
    return Digits(name, images[:1500], labels[:1500], images[1500:], labels[1500:], sha256={})


def cache_dir() -> Path:
    """Return the user's folder for downloads and fresh runs.

    Returns
    -------
    pathlib.Path
        ``~/.cache/gencomp`` on Linux; it follows ``$XDG_CACHE_HOME``.
    """
    return Path(pooch.os_cache("gencomp"))


def _missing(folder: Path) -> list[str]:
    try:
        present = os.listdir(folder)
    except FileNotFoundError:
        present = []
    except OSError as error:
        raise DataError(f"$GENCOMP_DATA_DIR, {folder}, can't be read: {error.strerror}") from error
    return [name for name in MNIST_FILES if name not in present]


def _read(folder: Path) -> Digits:
    contents = {name: _verified(folder / name, sha256) for name, sha256 in MNIST_FILES.items()}
    images, labels, test_images, test_labels = (
        _parse_idx(name, content) for name, content in contents.items()
    )
    return Digits("MNIST", images, labels, test_images, test_labels, sha256=dict(MNIST_FILES))


def _verified(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(
            f"{path} is truncated or altered: its {len(content)} bytes have SHA-256 {found}, "
            f"but MNIST's file has {sha256}. Delete it, or put the right file there."
        )
    return content


def _parse_idx(name: str, compressed: bytes) -> np.ndarray:
    """Read the IDX format: a magic number, the sizes (big-endian), then bytes."""
    try:
        content = gzip.decompress(compressed)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name} is no gzip file: {error}") from error
    dimensions = 3 if "idx3" in name else 1
    header = np.frombuffer(content[: 4 * (1 + dimensions)], dtype=">u4")
    magic = 0x800 + dimensions
    if len(header) != 1 + dimensions or header[0] != magic:
        raise DataError(f"{name} doesn't begin with {magic} and {dimensions} sizes, as IDX does")
    shape = tuple(int(size) for size in header[1:])
    values = np.frombuffer(content, dtype=np.uint8, offset=header.nbytes)
    if values.size != np.prod(shape):
        raise DataError(f"{name} announces {shape}, but holds {values.size} bytes")
    return values.reshape(shape)


def _download_missing(cache: Path) -> list[str]:
    """Download what the cache lacks; return what failed, mirror by mirror."""
    failures: list[str] = []
    mirrors = os.environ.get("GENCOMP_MIRRORS", " ".join(MIRRORS)).split()
    for name, sha256 in MNIST_FILES.items():
        if _is_intact(cache / name, sha256):
            continue
        if not failures:
            failures.append(f"the cache, {cache}: no intact {name} there")
        while mirrors:
            url = mirrors[0].rstrip("/") + "/" + name
            try:
                _download(url, cache / name, sha256)
                break
            except (requests.RequestException, TimeoutError, ValueError) as error:
                failures.append(f"{url}: {_cause(error)}")
                mirrors.pop(0)
            except OSError as error:
                raise DataError(
                    f"{cache} can't be written: {error.strerror}. Make room or mend its "
                    f"permissions, or point $GENCOMP_DATA_DIR at a folder that holds MNIST."
                ) from error
    return failures


def _cause(error: Exception) -> str:
    if isinstance(error, requests.HTTPError):
        return f"answered {error.response.status_code}"
    if isinstance(error, TimeoutError | requests.Timeout):
        return f"next to nothing arrived within {_PATIENCE_S:.0f} s"
    if isinstance(error, requests.RequestException):
        return f"no connection ({type(error).__name__})"
    return "sent a file with another SHA-256 than MNIST's"


def _is_intact(path: Path, sha256: str) -> bool:
    try:
        _verified(path, sha256)
    except DataError:
        return False
    return True


def _download(url: str, target: Path, sha256: str) -> None:
    """Download one file, or raise and leave nothing behind.

    The work is done by a thread, because a look-up of the host's name can block for longer than
    anybody waits, and no time-out covers it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel("WARNING")  # the bar says enough
    outcome: queue.Queue[Exception | None] = queue.Queue()
    with (
        tempfile.TemporaryDirectory(
            dir=target.parent, prefix=".download-", ignore_cleanup_errors=True
        ) as folder,
        _Bar(desc=target.name) as bar,
    ):

        def work() -> None:
            try:
                downloader = pooch.HTTPDownloader(progressbar=bar, timeout=_PATIENCE_S)
                pooch.retrieve(url, sha256, fname=target.name, path=folder, downloader=downloader)
                outcome.put(None)
            except Exception as error:  # handed to the waiting thread, which raises it
                outcome.put(error)

        threading.Thread(target=work, daemon=True).start()
        while True:
            try:
                failure = outcome.get(timeout=0.1)
                break
            except queue.Empty:
                if bar.silent_for() > _PATIENCE_S:
                    bar.given_up = True
                    raise TimeoutError from None
        if failure is not None:
            raise failure
        os.replace(Path(folder) / target.name, target)


class _Bar(tqdm):  # type: ignore[misc]
    """A progress bar that knows how long next to nothing has arrived."""

    def __init__(self, desc: str) -> None:
        super().__init__(desc=desc, unit="B", unit_scale=True)
        self.given_up = False
        self._arrived = 0
        self._last_beat = time.monotonic()

    def __bool__(self) -> bool:
        return True  # pooch asks; tqdm would answer by the size that a server may not tell

    def update(self, n: float | None = 1) -> bool | None:
        """Count bytes; stop the download that nobody waits for any more."""
        if self.given_up:
            raise TimeoutError
        self._arrived += int(n or 0)
        if self._arrived >= _LEAST_BYTES:
            self._arrived, self._last_beat = 0, time.monotonic()
        return bool(super().update(n))

    def silent_for(self) -> float:
        """Seconds since the last few kilobytes arrived."""
        return time.monotonic() - self._last_beat
