"""A run on disk: settings, history, samples, weights, provenance; recorded or fresh."""

import hashlib
import io
import json
import platform
import shutil
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import safetensors
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor, nn

from gencomp_utils import __version__, checkpoints, experiments
from gencomp_utils.checkpoints import RunError, part, write
from gencomp_utils.data import Digits, cache_dir, load_digits
from gencomp_utils.evaluation import Reference, accuracy, images_of, mean_loss
from gencomp_utils.experiments import State
from gencomp_utils.networks import VAE, Classifier, DCGANGenerator
from gencomp_utils.settings import ClassifierConfig, Config, DCGANConfig, VAEConfig
from gencomp_utils.training import stream

RECORDED = Path(__file__).parent / "recorded"
SAMPLES = 64
KINDS: dict[str, type[Config]] = {
    "vae": VAEConfig,
    "dcgan": DCGANConfig,
    "classifier": ClassifierConfig,
}
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Run:
    """A finished training and what came of it.

    Attributes
    ----------
    config : VAEConfig, DCGANConfig or ClassifierConfig
    history : list of dict
        By epoch, the mean losses (``experiments.LOSSES``) and what was measured
        after it: of a generative model a sample (:class:`~gencomp_utils.evaluation.Reference`),
        of a VAE ``test_loss`` and ``test_kl`` too (nats per image), of a classifier
        ``test_accuracy``.
    losses : numpy.ndarray of float32, shape (steps, 2)
        By step, in float16 on disk; without steps where a recorded run keeps none.
    weights : dict of str to Tensor
        Of the VAE, the generator or the classifier. In float16 on disk, so that a run read back
        differs a little from the trained network; empty where a recorded run keeps none.
    samples : numpy.ndarray of uint8, shape (epochs, 64, 28, 28)
        After each epoch, the images of the same 64 draws from the prior; shape (epochs, 0, 28, 28)
        of a classifier, and where a recorded run keeps none.
    provenance : dict
        Data, library versions, device, precision, seconds by epoch (measuring left out), commit.
    fingerprint : list of float
        By :func:`~gencomp_utils.experiments.fingerprint`; of recorded runs only.
    metrics : dict of str to float
        What was measured on the finished network.
    """

    config: Config
    history: list[dict[str, float]]
    losses: np.ndarray
    weights: dict[str, Tensor]
    samples: np.ndarray
    provenance: dict[str, Any]
    fingerprint: list[float] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)

    def vae(self) -> VAE:
        """Build the trained VAE, on the CPU in float32.

        Returns
        -------
        VAE

        Raises
        ------
        RunError
            If this is a run of something else, or its weights are missing or don't fit.
        """
        return self._trained("vae", VAE)

    def generator(self) -> DCGANGenerator:
        """Build the trained generator, on the CPU in float32.

        Returns
        -------
        DCGANGenerator

        Raises
        ------
        RunError
            As :meth:`vae` does.
        """
        return self._trained("generator", DCGANGenerator)

    def classifier(self) -> Classifier:
        """Build the trained classifier, on the CPU in float32.

        Returns
        -------
        Classifier

        Raises
        ------
        RunError
            As :meth:`vae` does.
        """
        return self._trained("classifier", Classifier)

    def _trained(self, role: str, kind: type[Network]) -> Network:
        network = experiments.start(self.config).networks.get(role)
        if not isinstance(network, kind):
            raise RunError(f"{name(self.config)} has no {role}")
        if not self.weights:
            raise RunError(f"{name(self.config)} was recorded without weights")
        try:
            network.load_state_dict(self.weights)
        except RuntimeError as error:
            raise RunError(f"the weights don't fit {self.config}: {error}") from error
        return network.eval()


def name(config: Config) -> str:
    """Name a run's folder after its settings.

    Parameters
    ----------
    config : VAEConfig, DCGANConfig or ClassifierConfig

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
    size = f"-z{config.latent_dim}" if isinstance(config, VAEConfig) else ""
    return f"{_kind(config)}{size}-seed{config.seed}-{digest}"


def _kind(config: Config) -> str:
    return next(kind for kind, settings in KINDS.items() if isinstance(config, settings))


def recorded(config: Config) -> Run:
    """Return the run of these settings that ships with the book.

    Parameters
    ----------
    config : VAEConfig, DCGANConfig or ClassifierConfig

    Returns
    -------
    Run
        Perhaps without weights and losses by step.

    Raises
    ------
    RunError
        If there is none, or it can't be read.
    """
    return load(RECORDED / name(config))


def load_or_train(config: Config, device: str | None = None) -> Run:
    """Return a run of these settings with its weights: recorded, trained before, or trained now.

    A new one is trained here and now, after an estimate of the time and with a progress bar,
    and kept in the user's cache; when interrupted it goes on from its last finished epoch.

    Parameters
    ----------
    config : VAEConfig, DCGANConfig or ClassifierConfig
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
    if (RECORDED / name(config)).exists():
        run = recorded(config)
        if run.weights:
            return run
    digits = load_digits()
    folder = cache_dir() / "runs" / f"{name(config)}-{digits.digest[:8]}"
    return train(config, digits, folder, device)


def train(config: Config, digits: Digits, folder: Path, device: str | None = None) -> Run:
    """Train a run into a folder, or finish the one that was begun there.

    Parameters
    ----------
    config : VAEConfig, DCGANConfig or ClassifierConfig
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
    ValueError
        If there are too few images for the settings.
    """
    if (folder / "run.json").exists():
        return load(folder)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    bfloat16 = experiments.gains_from_bfloat16(config, device)
    images, labels, test_images, test_labels = split(config, digits)
    identity = {"settings": json.dumps(asdict(config)), "data": digits.digest}
    checkpoint = checkpoints.resume(folder, config, device, identity)
    state, samples, seconds = checkpoint.state, checkpoint.samples, checkpoint.seconds

    images, labels = images.to(device), labels.to(device)
    steps = (config.epochs - len(state.history)) * experiments.steps_in_epoch(config, images)
    minutes = steps * experiments.seconds_a_step(config, images, labels, bfloat16) / 60
    print(
        f"Training {name(config)} on {device}: about {minutes:.1f} min, and some seconds an epoch "
        "to measure what came of it."
    )

    test_images, test_labels = test_images.to(device), test_labels.to(device)
    reference = _reference(config, test_images)
    started = time.perf_counter()
    for _ in experiments.train(state, config, images, labels, bfloat16):
        seconds.append(time.perf_counter() - started)
        state.model.eval()
        state.history[-1] |= _measure(state, config, test_images, test_labels, reference)
        samples.append(_samples(state.model, config, test_images.device))
        checkpoints.save(checkpoint, folder, identity)
        started = time.perf_counter()

    run = Run(
        config=config,
        history=state.history,
        losses=torch.cat(state.losses).numpy(),
        weights={key: value.cpu() for key, value in state.model.state_dict().items()},
        samples=np.stack(samples),
        provenance=_provenance(digits, device, bfloat16, seconds),
    )
    save(run, folder)
    checkpoints.remove(folder)
    return load(folder)


def split(config: Config, digits: Digits) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Split images and labels as the settings ask for.

    Parameters
    ----------
    config : VAEConfig, DCGANConfig or ClassifierConfig
    digits : Digits

    Returns
    -------
    images, labels, test_images, test_labels : Tensor
        Bytes, shape (n, 28, 28), and int64, shape (n,): to train on, and to measure on.

    Raises
    ------
    ValueError
        If the settings borrow all test images.
    """
    borrowed = config.borrowed if isinstance(config, VAEConfig) else 0
    if borrowed >= len(digits.test_images):
        raise ValueError(
            f"borrowed is {borrowed}, but must be below {len(digits.test_images)}, the number of "
            "test images"
        )
    images = torch.tensor(np.concatenate([digits.train_images, digits.test_images]))
    labels = torch.tensor(np.concatenate([digits.train_labels, digits.test_labels])).long()
    count = len(digits.train_images) + borrowed
    return images[:count], labels[:count], images[count:], labels[count:]


def _reference(config: Config, images: Tensor) -> Reference | None:
    """Return what a generative model's samples are measured beside."""
    if isinstance(config, ClassifierConfig):
        return None
    return Reference(recorded(ClassifierConfig()).classifier().to(images.device), images)


def _measure(
    state: State, config: Config, images: Tensor, labels: Tensor, reference: Reference | None
) -> dict[str, float]:
    """Measure on test images what an epoch has come to."""
    epoch = len(state.history) - 1
    match state.model, reference:
        case VAE() | DCGANGenerator() as model, Reference():
            z = torch.randn(
                len(images), model.latent_dim, generator=stream(config.seed, "measured", epoch)
            )
            measured = reference.compare(images_of(model, z.to(images.device)))
            if isinstance(config, VAEConfig) and isinstance(model, VAE):
                noise = stream(config.seed, "test noise", epoch)
                loss, kl = mean_loss(model, images, noise, config.beta)
                measured |= {"test_loss": loss, "test_kl": kl}
            return measured
        case Classifier() as classifier, _:
            return {"test_accuracy": accuracy(classifier, images, labels)}
    raise TypeError(f"there is no measure for a {type(state.model).__name__}")


def _samples(model: nn.Module, config: Config, device: torch.device) -> np.ndarray:
    """Return the images of the draws that are looked at after each epoch."""
    if not isinstance(model, VAE | DCGANGenerator):
        return np.empty((0, 28, 28), np.uint8)
    z = torch.randn(SAMPLES, model.latent_dim, generator=stream(config.seed, "samples"))
    images: np.ndarray = images_of(model, z.to(device)).cpu().numpy()
    return images


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
    arrays = {f"weights.{key}": _small(value) for key, value in run.weights.items()}
    arrays["losses"] = torch.tensor(run.losses).half()
    files = {"arrays.safetensors": safetensors.torch.save(arrays)}
    if run.samples.size:
        epochs, count, height, width = run.samples.shape
        sheet = run.samples.swapaxes(1, 2).reshape(epochs * height, count * width)
        png = io.BytesIO()
        Image.fromarray(sheet).save(png, format="png", optimize=True)
        files["samples.png"] = png.getvalue()
    summary = {
        "kind": _kind(run.config),
        "settings": asdict(run.config),
        "history": run.history,
        "metrics": run.metrics,
        "fingerprint": run.fingerprint,
        "provenance": run.provenance,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    for name, content in files.items():
        write(folder / name, content)
    # Last, because this file says that the run is there.
    write(folder / "run.json", (json.dumps(summary, indent=1) + "\n").encode())


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
        config = KINDS[summary["kind"]](**summary["settings"])
        files = {name: (folder / name).read_bytes() for name in summary["sha256"]}
        for name, content in files.items():
            if hashlib.sha256(content).hexdigest() != summary["sha256"][name]:
                raise ValueError(f"{name} isn't the file that was written with the run")
        arrays = safetensors.torch.load(files["arrays.safetensors"])
        samples = np.empty((config.epochs, 0, 28, 28), np.uint8)
        if "samples.png" in files:
            with Image.open(io.BytesIO(files["samples.png"])) as image:
                sheet = np.asarray(image)
            samples = sheet.reshape(config.epochs, 28, SAMPLES, 28).swapaxes(1, 2)
        return Run(
            config=config,
            history=summary["history"],
            losses=arrays["losses"].float().numpy(),
            weights={key: _large(value) for key, value in part(arrays, "weights").items()},
            samples=samples,
            fingerprint=summary["fingerprint"],
            provenance=summary["provenance"],
            metrics=summary["metrics"],
        )
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise RunError(f"the run in {folder} can't be read: {error!r}") from error


def _small(tensor: Tensor) -> Tensor:
    return (tensor.half() if tensor.is_floating_point() else tensor).contiguous()


def _large(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _provenance(
    digits: Digits, device: str, bfloat16: bool, seconds: list[float]
) -> dict[str, Any]:
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
        "precision": "bfloat16 products" if bfloat16 else "float32",
        "seconds": [round(epoch, 1) for epoch in seconds],
        "gencomp_utils": __version__,
        "commit": found.stdout.strip() if found and found.returncode == 0 else "unknown",
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
