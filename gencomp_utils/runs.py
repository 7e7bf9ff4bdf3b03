"""A run on disk: settings, history, samples, weights, provenance; recorded or fresh."""

import hashlib
import io
import json
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor

from gencomp_utils import __version__, checkpoints, training
from gencomp_utils.checkpoints import RunError, write
from gencomp_utils.data import Digits, cache_dir, load_digits
from gencomp_utils.metrics.samples import Reference
from gencomp_utils.models import MODELS, ClassifierConfig
from gencomp_utils.models.base import Measured, Model, State, split, stream

PACKAGE = Path(__file__).parent
RECORDED = PACKAGE / "recorded"
SAMPLES = 64
_SUMMARY, _ARRAYS, _SHEET = "run.json", "arrays.safetensors", "samples.png"
_MOST_BYTES = 100_000_000
_LONGEST_NAME = 200  # a file system takes 255 bytes


@dataclass(frozen=True)
class Run:
    """A finished training and what came of it.

    Attributes
    ----------
    history
        By epoch, the mean losses (by the names in ``config.losses``) and what was measured after
        it: of a model that makes images a sample
        (:class:`~gencomp_utils.metrics.samples.Reference`), of a VAE ``test_loss`` and ``test_kl``
        too (nats per image), of a classifier ``test_accuracy``.
    losses, weights
        By step, shape (steps, 2), and of the network that the training was for. In float16 on disk,
        so that a run read back differs a little from the trained network; empty where a recorded
        run keeps none.
    samples
        Bytes, shape (epochs, 64, 28, 28): after each epoch, the images of the same 64 draws from
        the prior; shape (epochs, 0, 28, 28) where there are none.
    provenance
        Data, library versions, device, precision, seconds by epoch (measuring left out), commit.
    fingerprint, metrics
        Of recorded runs, by :func:`~gencomp_utils.training.fingerprint`; and what was measured on
        the finished network.
    """

    config: Model[Any]
    history: list[Measured]
    losses: np.ndarray
    weights: dict[str, Tensor]
    samples: np.ndarray
    provenance: dict[str, Any]
    fingerprint: list[float] = field(default_factory=list)
    metrics: Measured = field(default_factory=dict)

    def network(self) -> Any:
        """Build the trained network, on the CPU; a RunError if weights are missing or don't fit."""
        network = next(iter(self.config.networks().values()))
        if not self.weights:
            raise RunError(f"{name(self.config)} was recorded without weights")
        try:
            network.load_state_dict(self.weights)
        except RuntimeError as error:
            raise RunError(f"the weights don't fit {self.config}: {error}") from error
        return network.eval()

    def sample(self, z: Tensor) -> Tensor:
        """Turn draws from N(0, I), shape (n, latent_dim), into bytes, shape (n, 28, 28)."""
        return self.config.sample(self.network(), z)

    def by_epoch(self, key: str) -> np.ndarray:
        """Give a loss or a measurement after each epoch, shape (epochs,)."""
        return np.array([epoch[key] for epoch in self.history])

    def at_end(self, key: str) -> float:
        """Give a measurement of the finished network, or that after the last epoch."""
        return (self.history[-1] | self.metrics)[key]


def at_end(some: Iterable[Run], key: str) -> np.ndarray:
    """Give a measurement of each of several finished networks, shape (runs,)."""
    return np.array([run.at_end(key) for run in some])


def name(config: Model[Any]) -> str:
    """Name a run's folder after its model and the settings that differ from the defaults.

    So a setting that is added later renames no run. Too many for a file's name become their sum.

    Examples
    --------
    >>> from gencomp_utils.models import VAEConfig
    >>> name(VAEConfig()), name(VAEConfig(latent_dim=20, seed=1))
    ('vae', 'vae-latent_dim=20-seed=1')
    """
    changes = [
        f"{setting.name}={value}"
        for setting in fields(config)
        if (value := getattr(config, setting.name)) != setting.default
    ]
    told = "-".join([_kind(config), *changes])
    sums = hashlib.sha256(told.encode()).hexdigest()
    return told if len(told) <= _LONGEST_NAME else f"{_kind(config)}-{sums}"


def _kind(config: Model[Any]) -> str:
    return next(kind for kind, settings in MODELS.items() if type(config) is settings)


def is_recorded(config: Model[Any]) -> bool:
    """Say whether a run of these settings ships with the book."""
    return (RECORDED / name(config) / _SUMMARY).exists()


def recorded(config: Model[Any]) -> Run:
    """Return the run of these settings that ships with the book; a RunError without one."""
    return _of(config, load(RECORDED / name(config)))


def recorded_seeds(config: Model[Any], seeds: Sequence[int]) -> list[Run]:
    """Return the recorded runs of these settings with each of several seeds."""
    return [recorded(replace(config, seed=seed)) for seed in seeds]


def load_or_train(config: Model[Any], device: str | None = None) -> Run:
    """Return a run of these settings with its weights: recorded, trained before, or trained now.

    A new one is trained here and now (on `device`, by default the GPU if there is one), after an
    estimate of the time and with a progress bar, and kept in the user's cache; when interrupted it
    goes on from its last finished epoch. A RunError if a run's folder can't be read or written.
    """
    if is_recorded(config):
        run = recorded(config)
        if run.weights:
            return run
    digits = load_digits()
    folder = cache_dir() / "runs" / f"{name(config)}-{digits.digest[:8]}"
    return train(config, digits, folder, device)


def train(
    config: Model[Any],
    digits: Digits,
    folder: Path,
    device: str | None = None,
    after: Callable[[State], None] | None = None,
) -> Run:
    """Train a run into a folder, or finish the one that was begun there.

    A checkpoint is written there after each epoch, atomically, and the run at the end, which is
    returned as it is read back. Without a `device`, the GPU trains if there is one. `after` is
    called after each checkpoint, and may raise to stop there; then no time is estimated.

    Raises
    ------
    RunError
        If the folder can't be read or written, or holds another experiment.
    ValueError
        If there are too few images for the settings.
    """
    if (folder / _SUMMARY).exists():
        return _of(config, load(folder), digits)
    device = device or training.fastest_device()
    bfloat16 = training.gains_from_bfloat16(config, device)
    images, labels, *unseen = (part.to(device) for part in split(config, digits))
    identity = {"settings": asdict(config), "data": digits.digest}
    state = training.start(config, device, bfloat16)
    checkpoints.resume(state, folder, identity)
    if after is None:
        _announce(config, state, images, labels, bfloat16)
    look = _onlooker(config, *unseen)
    for _ in training.train(state, config, images, labels):
        look(state)
        checkpoints.save(state, folder, identity)
        if after is not None:
            after(state)
    run = Run(
        config=config,
        history=state.history,
        losses=torch.cat(state.losses).numpy(),
        weights={key: value.cpu() for key, value in state.network.state_dict().items()},
        samples=torch.stack(state.samples).numpy(),
        provenance=_provenance(digits, device, bfloat16, state.seconds),
    )
    if not (folder / _SUMMARY).exists():  # or another process was quicker
        save(run, folder)
    checkpoints.remove(folder)
    return _of(config, load(folder), digits)


def _of(config: Model[Any], run: Run, digits: Digits | None = None) -> Run:
    """Refuse a run of other settings or data than were asked for."""
    if run.config != config:
        raise RunError(f"a run of {config} was asked for, but its folder holds {run.config}")
    if digits is not None and run.provenance["data_sha256"] != digits.digest:
        raise RunError(
            f"a run on {digits.name} was asked for, but its folder holds one on "
            f"{run.provenance['data']}"
        )
    return run


def _announce(
    config: Model[Any], state: State, images: Tensor, labels: Tensor, bfloat16: bool
) -> None:
    """Print how long the training will take."""
    if epochs := config.epochs - len(state.history):
        a_step = training.seconds_a_step(config, images, labels, bfloat16)
        minutes = epochs * config.steps(len(images)) * a_step / 60
        print(
            f"Training {name(config)} on {images.device}: about {minutes:.1f} min, and some "
            "seconds an epoch to measure what came of it."
        )


def _onlooker(config: Model[Any], images: Tensor, labels: Tensor) -> Callable[[State], None]:
    """Return what measures on test images, after each epoch, what has become of a training."""
    makes_images = config.latent_dim > 0
    if makes_images:
        judge = recorded(ClassifierConfig()).network().to(images.device)
        reference = Reference(judge, images)

    def made(state: State, count: int, purpose: str, epoch: int = 0) -> Tensor:
        z = torch.randn(count, config.latent_dim, generator=stream(config.seed, purpose, epoch))
        return config.sample(state.network, z)

    def look(state: State) -> None:
        epoch = len(state.history) - 1
        state.history[-1] |= config.measure(state.network, images, labels, epoch)
        if makes_images:
            state.history[-1] |= reference.compare(made(state, len(images), "measured", epoch))
            state.samples.append(made(state, SAMPLES, "samples"))
        else:
            state.samples.append(torch.empty((0, 28, 28), dtype=torch.uint8))

    return look


def save(run: Run, folder: Path) -> None:
    """Write a run, all or nothing; a RunError if the folder can't be written."""
    arrays = {f"weights.{key}": _small(value) for key, value in run.weights.items()}
    arrays["losses"] = _small(torch.tensor(run.losses))
    files = {_ARRAYS: safetensors.torch.save(arrays)}
    if run.samples.size:
        epochs, count, height, width = run.samples.shape
        sheet = run.samples.swapaxes(1, 2).reshape(epochs * height, count * width)
        png = io.BytesIO()
        Image.fromarray(sheet).save(png, format="png", optimize=True)
        files[_SHEET] = png.getvalue()
    summary = {
        "kind": _kind(run.config),
        "settings": asdict(run.config),
        "history": run.history,
        "metrics": run.metrics,
        "fingerprint": run.fingerprint,
        "provenance": run.provenance,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    summary["checksum"] = _checksum(summary)
    for name, content in files.items():
        write(folder / name, content)
    # Last, because this file says that the run is there.
    write(folder / _SUMMARY, (json.dumps(summary, indent=1) + "\n").encode())


def load(folder: Path) -> Run:
    """Read a run; a RunError if a file is missing, damaged or altered."""
    try:
        return _load(folder)
    except Exception as error:  # whatever a file of another form makes libraries raise
        raise RunError(f"the run in {folder} can't be read: {error!r}") from error


def _load(folder: Path) -> Run:
    summary = json.loads(_content(folder / _SUMMARY))
    if summary.pop("checksum") != _checksum(summary):
        raise ValueError(f"{_SUMMARY} isn't what was written with the run")
    config = MODELS[summary["kind"]](**summary["settings"])
    if len(summary["history"]) != config.epochs or "data_sha256" not in summary["provenance"]:
        raise ValueError(f"{_SUMMARY} doesn't tell of each epoch, or not of the data")
    files = {name: _content(folder / name) for name in {_ARRAYS, _SHEET} & set(summary["sha256"])}
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != summary["sha256"][name]:
            raise ValueError(f"{name} isn't the file that was written with the run")
    arrays = {key: _large(value) for key, value in safetensors.torch.load(files[_ARRAYS]).items()}
    samples = np.empty((config.epochs, 0, 28, 28), np.uint8)
    if _SHEET in files:
        with Image.open(io.BytesIO(files[_SHEET])) as image:
            if (image.mode, image.size) != ("L", (28 * SAMPLES, 28 * config.epochs)):
                raise ValueError(f"{_SHEET} has {image.size} pixels, which are not its samples")
            sheet = np.asarray(image)
        samples = sheet.reshape(config.epochs, 28, SAMPLES, 28).swapaxes(1, 2)
    return Run(
        config=config,
        history=summary["history"],
        losses=arrays.pop("losses").numpy(),
        weights={key.removeprefix("weights."): value for key, value in arrays.items()},
        samples=samples,
        fingerprint=summary["fingerprint"],
        provenance=summary["provenance"],
        metrics=summary["metrics"],
    )


def _content(path: Path) -> bytes:
    """Read a file of a run, which is a file and of a run's size."""
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path.name} is no file, or larger than any file of a run")
    return path.read_bytes()


def _checksum(summary: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(summary, sort_keys=True).encode()).hexdigest()


def _small(tensor: Tensor) -> Tensor:
    """Halve the bytes of numbers, unless one of them doesn't fit into float16."""
    half = tensor.half() if tensor.is_floating_point() else tensor
    return (half if half.isfinite().all() else tensor).contiguous()


def _large(tensor: Tensor) -> Tensor:
    if not tensor.isfinite().all():
        raise ValueError(f"{_ARRAYS} holds numbers that aren't finite")
    return tensor.float() if tensor.is_floating_point() else tensor


def _provenance(
    digits: Digits, device: str, bfloat16: bool, seconds: list[float]
) -> dict[str, Any]:
    kind = torch.device(device).type
    ours = platform.machine() + " GPU" * (kind == "mps")
    return {
        "data": digits.name,
        "data_sha256": digits.digest,
        "device": torch.cuda.get_device_name() if kind == "cuda" else ours,
        "threads": torch.get_num_threads(),
        "precision": "bfloat16 products" if bfloat16 else "float32",
        "seconds": [round(epoch, 1) for epoch in seconds],
        "gencomp_utils": __version__,
        "commit": _commit(PACKAGE.parent),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _commit(root: Path) -> str:
    """Name the commit of a checkout and whether files differ; a folder within one has none."""

    def git(*arguments: str) -> str:
        command = [shutil.which("git") or "git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != root.resolve():
            return "unknown"
        return git("rev-parse", "HEAD") + (" with changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
