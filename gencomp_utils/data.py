"""MNIST: find, download, verify, read and scale it; and a stand-in for when it can't be had."""

import contextlib
import functools
import gzip
import hashlib
import os
import secrets
import shutil
import textwrap
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
import requests
from tqdm import tqdm

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
# Bytes a second: a tenth of a megabit, as slow as a working line gets, brings MNIST in 20 minutes;
# what is slower than a good line waits until the other mirrors have been tried.
_LEAST_RATE, _GOOD_RATE = 10_000, 250_000
_MOST_BYTES = 10_000_000  # the largest file has 9.9 MB


class DataError(RuntimeError):
    """A data file or folder is there, but can't be used."""


class DataUnavailable(DataError):
    """MNIST is in none of the places where it was looked for."""


class _MirrorError(Exception):
    """A mirror doesn't give what it should."""


class _SlowMirrorError(_MirrorError):
    """A mirror gives it, but slower than another may."""


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
    addresses = os.environ.get("GENCOMP_MIRRORS", " ".join(MIRRORS)).split()
    mirrors = [(address, _GOOD_RATE) for address in addresses]
    while lacking and mirrors:
        mirror, rate = mirrors[0]
        url = f"{mirror.rstrip('/')}/{lacking[0]}"
        try:
            _download(url, cache / lacking[0], rate if len(mirrors) > 1 else _LEAST_RATE)
            lacking.pop(0)
        except _SlowMirrorError:
            mirrors = [*mirrors[1:], (mirror, _LEAST_RATE)]
        except _MirrorError as error:
            tried.append(f"{url}: {error}")
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
        if path.exists() and path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path} can't be read: it is larger than any of MNIST's files")
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


def _download(url: str, target: Path, rate: float) -> None:
    """Download one file, or raise and leave nothing behind."""
    target.parent.mkdir(parents=True, exist_ok=True)
    content = _fetched(url, MNIST_FILES[target.name], rate)
    draft = target.with_name(f".download-{secrets.token_hex(8)}")
    try:
        with draft.open("xb") as file:
            file.write(content)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _fetched(url: str, right: str, rate: float) -> bytes:
    """Return a mirror's file of the right sum, at the rate or faster, or a _MirrorError.

    A thread asks: the look-up of a name may hang, and so may a read to which a byte comes now and
    then.
    """
    answered: Future[requests.Response] = Future()
    whole: Future[None] = Future()
    content = bytearray()

    def ask() -> None:
        try:
            plain, hooks = {"Accept-Encoding": "identity"}, {"response": _without_a_body}
            patience = 2 * _PATIENCE_S  # longer than is waited for
            answer = requests.get(url, stream=True, timeout=patience, headers=plain, hooks=hooks)
            answered.set_result(answer)
            answer.raise_for_status()
            # Nothing is decoded: some servers call a .gz file the encoding of what is in it.
            while piece := answer.raw.read(256, decode_content=False):
                content.extend(piece)
                if len(content) > _MOST_BYTES:
                    raise ValueError(f"sent more than {_MOST_BYTES} bytes")
            if (found := hashlib.sha256(content).hexdigest()) != right:
                encoding = answer.headers.get("Content-Encoding", "none")
                raise ValueError(f"sent a file of SHA-256 {found} (Content-Encoding: {encoding})")
            whole.set_result(None)
        except Exception as error:  # whatever a server makes libraries raise
            reason = getattr(next(iter(error.args), None), "reason", error)
            whole.set_exception(_MirrorError(textwrap.shorten(str(reason), 200)))

    threading.Thread(target=ask, daemon=True).start()
    if not wait([answered, whole], _PATIENCE_S, FIRST_COMPLETED).done:
        raise _MirrorError(f"no answer within {_PATIENCE_S:.0f} s")
    started, before = time.monotonic(), 0
    try:
        with tqdm(desc=url.rpartition("/")[2], unit="B", unit_scale=True) as bar:
            while not wait([whole], 0.1).done:
                bar.update(len(content) - bar.n)
                if time.monotonic() - started > _PATIENCE_S:
                    came = (len(content) - before) / _PATIENCE_S
                    if came < _LEAST_RATE:
                        raise _MirrorError(f"sent less than {_LEAST_RATE} bytes a second")
                    if came < rate:
                        raise _SlowMirrorError
                    started, before = time.monotonic(), len(content)
            bar.update(len(content) - bar.n)
        whole.result()
        return bytes(content)
    finally:
        with contextlib.suppress(ValueError, RuntimeError, OSError):  # it is over already
            answered.result(0).raw.shutdown()


def _without_a_body(answer: requests.Response, **_: object) -> None:
    """Leave out a redirect's body, which would be read to its end, and may have none."""
    if answer.is_redirect:
        answer.raw.close()
        answer.raw = None
