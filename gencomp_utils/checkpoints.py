"""How far a training has come, on disk: written whole after each epoch, read to go on with it."""

import hashlib
import io
import os
import secrets
import time
from pathlib import Path
from typing import Any

import torch

from gencomp_utils.models.base import State

_FILE = "checkpoint.pt"
_CHECKSUM_BYTES = 32
_LEFT_BEHIND_S = 3600


class RunError(RuntimeError):
    """A run's folder can't be read or written, or doesn't hold what it should."""


def save(state: State, folder: Path, identity: dict[str, Any]) -> None:
    """Replace a folder's checkpoint by a newer one; `identity` says what the training is of.

    A RunError if it can't be written; then the older one is still there.
    """
    content = {
        "identity": identity,
        "networks": {role: network.state_dict() for role, network in state.networks.items()},
        "optimizers": {role: moves.state_dict() for role, moves in state.optimizers.items()},
        "losses": state.losses,
        "history": state.history,
        "samples": state.samples,
        "seconds": state.seconds,
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    saved = buffer.getvalue()
    write(folder / _FILE, hashlib.sha256(saved).digest() + saved)


def resume(state: State, folder: Path, identity: dict[str, Any]) -> None:
    """Bring a fresh start to where the folder's checkpoint stands, if there is one.

    A RunError if the checkpoint can't be read, was altered, or is of another training.
    """
    path = folder / _FILE
    if not path.exists():
        return
    content = read(path)
    if content["identity"] != identity:
        raise RunError(f"{path} belongs to other settings or data. Delete it to start afresh.")
    try:
        for role, network in state.networks.items():
            network.load_state_dict(content["networks"][role])
            state.optimizers[role].load_state_dict(content["optimizers"][role])
        for part in ("losses", "history", "samples", "seconds"):
            setattr(state, part, content[part])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{path} doesn't fit the networks: {error}. Delete it to start afresh."
        ) from error


def read(path: Path) -> dict[str, Any]:
    """Read what :func:`save` wrote; a RunError if it was cut or altered since."""
    try:
        if not path.is_file():  # reading a pipe or a device would never end
            raise OSError("it is no file")
        content = path.read_bytes()
    except (OSError, MemoryError) as error:
        raise RunError(f"{path} can't be read: {error}. Delete it to start afresh.") from error
    checksum, saved = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
    if hashlib.sha256(saved).digest() != checksum:
        raise RunError(
            f"{path} has been cut or altered since it was written. Delete it to start afresh."
        )
    try:
        held: dict[str, Any] = torch.load(io.BytesIO(saved), map_location="cpu", weights_only=True)
        return {"identity": None} | held
    except Exception as error:  # whatever another program's content makes torch raise
        raise RunError(f"{path} is no checkpoint: {error!r}. Delete it to start afresh.") from error


def remove(folder: Path) -> None:
    """Delete a folder's checkpoint, because the run is finished, and drafts that were left behind.

    Another process may train the same settings: its checkpoint may be gone, and its draft is young.
    """
    (folder / _FILE).unlink(missing_ok=True)
    for draft in folder.glob(".*.draft"):
        if time.time() - draft.stat().st_mtime > _LEFT_BEHIND_S:
            draft.unlink(missing_ok=True)


def write(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, even after a kill or a full disk.

    Its folder is made where it is missing. A RunError if it can't be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.draft")
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
