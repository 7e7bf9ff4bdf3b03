"""A run on disk: settings, history, samples, weights, provenance; recorded or fresh."""

import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor

from gencomp_utils import __version__
from gencomp_utils.data import Digits, cache_dir, load_digits
from gencomp_utils.networks import VAE
from gencomp_utils.training import (
    FINGERPRINT_STEPS,
    VAEConfig,
    VAEState,
    start_vae,
    stream,
    train_vae,
    vae_fingerprint,
)

RECORDED = Path(__file__).parent / "recorded"
SAMPLES = 64


class RunError(RuntimeError):
    """A run's folder can't be read or written, or doesn't hold what it should."""


@dataclass(frozen=True)
class Run:
    """A finished training and what came of it.

    Attributes
    ----------
    config : VAEConfig
    history : list of dict
        Losses by epoch, as :class:`gencomp_utils.training.VAEState` has them.
    weights : dict of str to Tensor
        In float16 on disk, so that a run read back differs a little from the trained network.
    samples : numpy.ndarray of uint8, shape (epochs, 64, 28, 28)
        After each epoch, the mean images of the same 64 draws from the prior.
    fingerprint : list of float
        Losses of the first 20 steps in float32 on the CPU.
    provenance : dict
        Data, library versions, device, precision, seconds, commit.
    metrics : dict of str to float
        What was measured on the finished network.
    """

    config: VAEConfig
    history: list[dict[str, float]]
    weights: dict[str, Tensor]
    samples: np.ndarray
    fingerprint: list[float]
    provenance: dict[str, Any]
    metrics: dict[str, float] = field(default_factory=dict)

    def vae(self) -> VAE:
        """Build the trained network, on the CPU in float32.

        Returns
        -------
        VAE

        Raises
        ------
        RunError
            If the weights don't fit the settings.
        """
        vae = VAE(self.config.latent_dim, stream(self.config.seed, "weights"))
        try:
            vae.load_state_dict(self.weights)
        except RuntimeError as error:
            raise RunError(f"the weights don't fit {self.config}: {error}") from error
        return vae.eval()


def name(config: VAEConfig) -> str:
    """Name a run's folder after its settings.

    Parameters
    ----------
    config : VAEConfig

    Returns
    -------
    str

    Examples
    --------
    >>> name(VAEConfig()) == name(VAEConfig(seed=0)), name(VAEConfig()) == name(VAEConfig(seed=1))
    (True, False)
    """
    settings = json.dumps(asdict(config), sort_keys=True)
    digest = hashlib.sha256(settings.encode()).hexdigest()[:8]
    return f"vae-z{config.latent_dim}-seed{config.seed}-{digest}"


def load_or_train(config: VAEConfig, device: str | None = None) -> Run:
    """Return the run of these settings: the recorded one, an earlier fresh one, or a new one.

    A new one is trained here and now, after an estimate of the time and with a progress bar,
    and kept in the user's cache; when interrupted it goes on from its last finished epoch.

    Parameters
    ----------
    config : VAEConfig
    device : str, optional
        Where to train; by default the GPU if there is one.

    Returns
    -------
    Run

    Raises
    ------
    RunError
        If a run's folder can't be read or written.
    """
    recorded = RECORDED / name(config)
    if recorded.exists():
        return load(recorded)
    digits = load_digits()
    folder = cache_dir() / "runs" / f"{name(config)}-{digits.digest[:8]}"
    return train(config, digits, folder, device)


def train(config: VAEConfig, digits: Digits, folder: Path, device: str | None = None) -> Run:
    """Train a run into a folder, or finish the one that was begun there.

    Parameters
    ----------
    config : VAEConfig
    digits : Digits
    folder : pathlib.Path
        A checkpoint is written here after each epoch, atomically, and the run at the end.
    device : str, optional
        Where to train; by default the GPU if there is one.

    Returns
    -------
    Run
        As it is read back from the folder.

    Raises
    ------
    RunError
        If the folder can't be read or written, or holds another experiment.
    """
    if (folder / "run.json").exists():
        return load(folder)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    identity = {"settings": json.dumps(asdict(config)), "data": digits.digest}
    train_images, test_images = map(torch.tensor, (digits.train_images, digits.test_images))
    state, samples, seconds = _resume(folder, config, device, identity)

    started = time.perf_counter()
    fingerprint = vae_fingerprint(config, train_images)
    a_step = (time.perf_counter() - started) / FINGERPRINT_STEPS
    steps = (config.epochs - len(state.history)) * len(train_images) / config.batch_size
    print(f"Training {name(config)} on {device}: on this CPU about {a_step * steps / 60:.1f} min.")

    z = torch.randn(SAMPLES, config.latent_dim, generator=stream(config.seed, "samples")).to(device)
    started = time.perf_counter() - seconds
    for _ in train_vae(state, train_images.to(device), test_images.to(device), config):
        samples.append(_mean_images(state.vae, z))
        seconds = time.perf_counter() - started
        _save_checkpoint(folder, state, samples, seconds, identity)

    weights = {key: value.cpu() for key, value in state.vae.state_dict().items()}
    provenance = _provenance(digits, device, seconds)
    run = Run(config, state.history, weights, np.stack(samples), fingerprint, provenance)
    save(run, folder)
    (folder / _CHECKPOINT).unlink()
    return load(folder)


def save(run: Run, folder: Path) -> None:
    """Write a run; a reader of the folder sees all of it or none.

    Parameters
    ----------
    run : Run
    folder : pathlib.Path

    Raises
    ------
    RunError
        If the folder can't be written.
    """
    weights = {key: value.half() for key, value in run.weights.items()}
    epochs, count, height, width = run.samples.shape
    sheet = run.samples.swapaxes(1, 2).reshape(epochs * height, count * width)
    png = io.BytesIO()
    Image.fromarray(sheet).save(png, format="png", optimize=True)
    files = {"weights.safetensors": safetensors.torch.save(weights), "samples.png": png.getvalue()}
    summary = {
        "settings": asdict(run.config),
        "history": run.history,
        "metrics": run.metrics,
        "fingerprint": run.fingerprint,
        "provenance": run.provenance,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    for name, content in files.items():
        _write(folder / name, content)
    # Last, because this file says that the run is there.
    _write(folder / "run.json", (json.dumps(summary, indent=1) + "\n").encode())


def load(folder: Path) -> Run:
    """Read a run.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    Run

    Raises
    ------
    RunError
        If a file is missing, damaged or altered.
    """
    try:
        summary = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        config = VAEConfig(**summary["settings"])
        files = {name: (folder / name).read_bytes() for name in summary["sha256"]}
        for name, content in files.items():
            if hashlib.sha256(content).hexdigest() != summary["sha256"][name]:
                raise ValueError(f"{name} isn't the file that was written with the run")
        weights = safetensors.torch.load(files["weights.safetensors"])
        with Image.open(io.BytesIO(files["samples.png"])) as image:
            sheet = np.asarray(image)
        samples = sheet.reshape(config.epochs, 28, SAMPLES, 28).swapaxes(1, 2)
        return Run(
            config=config,
            history=summary["history"],
            weights={key: value.float() for key, value in weights.items()},
            samples=samples,
            fingerprint=summary["fingerprint"],
            provenance=summary["provenance"],
            metrics=summary["metrics"],
        )
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise RunError(f"the run in {folder} can't be read: {error!r}") from error


_CHECKPOINT = "checkpoint.safetensors"


def _save_checkpoint(
    folder: Path,
    state: VAEState,
    samples: list[np.ndarray],
    seconds: float,
    identity: dict[str, str],
) -> None:
    tensors = {f"vae.{key}": value for key, value in state.vae.state_dict().items()}
    for index, slots in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{slot}": value for slot, value in slots.items()}
    tensors["samples"] = torch.tensor(np.stack(samples))
    metadata = identity | {
        "progress": json.dumps({"history": state.history, "seconds": seconds}),
        "sha256": _digest(tensors),
    }
    _write(folder / _CHECKPOINT, safetensors.torch.save(tensors, metadata=metadata))


def _digest(tensors: dict[str, Tensor]) -> str:
    """Sum up names and values, which the file format itself does not."""
    sums = hashlib.sha256()
    for key in sorted(tensors):
        sums.update(key.encode() + tensors[key].cpu().contiguous().numpy().tobytes())
    return sums.hexdigest()


def _resume(
    folder: Path, config: VAEConfig, device: str, identity: dict[str, str]
) -> tuple[VAEState, list[np.ndarray], float]:
    """Return the state at the last checkpoint, or a fresh one where there is none."""
    state = start_vae(config, device)
    path = folder / _CHECKPOINT
    if not path.exists():
        return state, [], 0.0
    try:
        with safetensors.safe_open(path, framework="pt", device=device) as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise RunError(f"{path} can't be read: {error}. Delete it to start afresh.") from error
    if {key: metadata.get(key) for key in identity} != identity:
        raise RunError(f"{path} belongs to other settings or data. Delete it to start afresh.")
    if metadata.get("sha256") != _digest(tensors):
        raise RunError(f"{path} has been altered since it was written. Delete it to start afresh.")

    progress = json.loads(metadata["progress"])
    state.history = progress["history"]
    state.vae.load_state_dict(_part(tensors, "vae"))
    saved: dict[int, dict[str, Tensor]] = {}
    for key, value in _part(tensors, "optimizer").items():
        index, slot = key.split(".")
        saved.setdefault(int(index), {})[slot] = value
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": saved, "param_groups": groups})
    return state, list(tensors["samples"].cpu().numpy()), progress["seconds"]


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = prefix + "."
    return {key.removeprefix(start): t for key, t in tensors.items() if key.startswith(start)}


@torch.no_grad()
def _mean_images(vae: VAE, z: Tensor) -> np.ndarray:
    pixels = torch.sigmoid(vae.decode(z)).squeeze(1) * 255
    images: np.ndarray = pixels.round().byte().cpu().numpy()
    return images


def _provenance(digits: Digits, device: str, seconds: float) -> dict[str, Any]:
    here = Path(__file__).parent
    git = shutil.which("git")
    found = git and subprocess.run(
        [git, "-C", str(here), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    on_gpu = torch.device(device).type == "cuda"
    return {
        "data": digits.name,
        "data_sha256": digits.digest,
        "device": torch.cuda.get_device_name() if on_gpu else platform.machine(),
        "threads": torch.get_num_threads(),
        "precision": "float32",
        "seconds": round(seconds, 1),
        "gencomp_utils": __version__,
        "commit": found.stdout.strip() if found and found.returncode == 0 else "unknown",
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _write(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, even after a kill or a full disk."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{path} can't be written: {error.strerror}") from error
