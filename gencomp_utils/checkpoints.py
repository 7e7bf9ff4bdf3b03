"""How far a training has come, on disk: written whole after each epoch, read to go on with it."""

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from gencomp_utils import experiments
from gencomp_utils.experiments import State
from gencomp_utils.settings import Config

_FILE = "checkpoint.safetensors"


class RunError(RuntimeError):
    """A run's folder can't be read or written, or doesn't hold what it should."""


@dataclass(frozen=True)
class Checkpoint:
    """A training after an epoch.

    Attributes
    ----------
    state : State
    samples : list of array of uint8, shape (64, 28, 28)
        One entry an epoch: images of draws that stay the same.
    seconds : list of float
        One entry an epoch.
    """

    state: State
    samples: list[np.ndarray] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def save(checkpoint: Checkpoint, folder: Path, identity: dict[str, str]) -> None:
    """Replace a folder's checkpoint by a newer one.

    Parameters
    ----------
    checkpoint : Checkpoint
    folder : pathlib.Path
    identity : dict of str to str
        What the training is of; asked for again by :func:`resume`.

    Raises
    ------
    RunError
        If it can't be written; then the older one is still there.
    """
    state = checkpoint.state
    tensors = {"samples": torch.tensor(np.stack(checkpoint.samples))}
    for epoch, losses in enumerate(state.losses):
        tensors[f"losses.{epoch}"] = losses
    for role, network in state.networks.items():
        tensors |= {f"{role}.weights.{key}": value for key, value in network.state_dict().items()}
        for index, slots in state.optimizers[role].state_dict()["state"].items():
            tensors |= {f"{role}.slots.{index}.{slot}": value for slot, value in slots.items()}
    progress = {"history": state.history, "seconds": checkpoint.seconds}
    tensors = {key: value.contiguous() for key, value in tensors.items()}
    metadata = identity | {"progress": json.dumps(progress), "sha256": _digest(tensors)}
    write(folder / _FILE, safetensors.torch.save(tensors, metadata=metadata))


def resume(folder: Path, config: Config, device: str, identity: dict[str, str]) -> Checkpoint:
    """Return what the last checkpoint holds, or a fresh start where there is none.

    Parameters
    ----------
    folder : pathlib.Path
    config : VAEConfig, DCGANConfig or ClassifierConfig
    device : str
        Where the training goes on.
    identity : dict of str to str

    Returns
    -------
    Checkpoint

    Raises
    ------
    RunError
        If the checkpoint can't be read, was altered, or is of another training.
    """
    state = experiments.start(config, device)
    path = folder / _FILE
    if not path.exists():
        return Checkpoint(state)
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
    losses = part(tensors, "losses")
    state.losses = [losses[str(epoch)].cpu() for epoch in range(len(state.history))]
    try:
        for role, network in state.networks.items():
            network.load_state_dict(part(tensors, f"{role}.weights"))
            weights = list(network.parameters())
            slots: dict[int, dict[str, Tensor]] = {}
            for key, value in part(tensors, f"{role}.slots").items():
                index, slot = key.split(".")
                slots.setdefault(int(index), {})[slot] = _laid_out(value, weights[int(index)])
            groups = state.optimizers[role].state_dict()["param_groups"]
            state.optimizers[role].load_state_dict({"state": slots, "param_groups": groups})
    except (RuntimeError, ValueError) as error:
        raise RunError(
            f"{path} doesn't fit the networks: {error}. Delete it to start afresh."
        ) from error
    return Checkpoint(state, list(tensors["samples"].cpu().numpy()), progress["seconds"])


def remove(folder: Path) -> None:
    """Delete a folder's checkpoint, because the run is finished.

    Parameters
    ----------
    folder : pathlib.Path
    """
    (folder / _FILE).unlink()


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Give the tensors whose names begin with a prefix and a dot, without these.

    Parameters
    ----------
    tensors : dict of str to Tensor
    prefix : str

    Returns
    -------
    dict of str to Tensor

    Examples
    --------
    >>> part({"losses.0": torch.zeros(2), "samples": torch.zeros(3)}, "losses")
    {'0': tensor([0., 0.])}
    """
    start = prefix + "."
    return {key.removeprefix(start): t for key, t in tensors.items() if key.startswith(start)}


def write(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, even after a kill or a full disk.

    Parameters
    ----------
    path : pathlib.Path
        Its folder is made where it is missing.
    content : bytes

    Raises
    ------
    RunError
        If it can't be written.
    """
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


def _laid_out(slot: Tensor, weight: Tensor) -> Tensor:
    """Order an optimiser's slot in memory as its weight is.

    Fused optimisers take both in the order of memory, whatever their strides say.
    """
    return torch.empty_like(weight).copy_(slot) if slot.shape == weight.shape else slot


def _digest(tensors: dict[str, Tensor]) -> str:
    """Sum up names and values, which the file format itself does not."""
    sums = hashlib.sha256()
    for key in sorted(tensors):
        sums.update(key.encode() + tensors[key].cpu().contiguous().numpy().tobytes())
    return sums.hexdigest()
