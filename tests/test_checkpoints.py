"""A checkpoint holds all of a training or is refused, and is replaced whole or not at all."""

import hashlib
import io
import os
import time
from pathlib import Path

import pytest
import torch
from conftest import make_pipe

from gencomp_utils import checkpoints, data, training
from gencomp_utils.checkpoints import RunError
from gencomp_utils.models import ClassifierConfig, DCGANConfig, State

CONFIG = DCGANConfig(epochs=3, batch_size=20)
IDENTITY = {"settings": {"seed": 0}, "data": "sum"}


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.tensor(data.load_stand_in().train_images[:60])


@pytest.fixture(scope="module")
def state(images) -> State:
    """A training after two of its three epochs."""
    state = training.start(CONFIG)
    for _ in training.train(state, CONFIG, images, images):
        state.samples.append(images[: len(state.history)])
        if len(state.history) == 2:
            break
    return state


@pytest.fixture
def saved(state, tmp_path) -> Path:
    checkpoints.save(state, tmp_path / "run", IDENTITY)
    return tmp_path / "run" / "checkpoint.pt"


def end(state: State, images: torch.Tensor) -> State:
    for _ in training.train(state, CONFIG, images, images):
        pass
    return state


def test_a_resumed_training_has_all_that_it_had_and_ends_the_same(saved, state, images):
    resumed = training.start(CONFIG)
    checkpoints.resume(resumed, saved.parent, IDENTITY)
    assert resumed.history == state.history
    assert resumed.seconds == state.seconds
    for part in ("losses", "samples"):
        pairs = zip(getattr(resumed, part), getattr(state, part), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
    whole, again = end(training.start(CONFIG), images), end(resumed, images)
    assert again.history == whole.history
    for role, network in whole.networks.items():
        for key, value in network.state_dict().items():
            assert torch.equal(again.networks[role].state_dict()[key], value), key


def test_optimizer_state_keeps_its_order_in_memory(saved):
    """Fused optimisers take weights and their slots in the order of memory."""
    resumed = training.start(CONFIG)
    checkpoints.resume(resumed, saved.parent, IDENTITY)
    for role, network in resumed.networks.items():
        slots = resumed.optimizers[role].state
        for weight in network.parameters():
            assert slots[weight]["exp_avg"].stride() == weight.stride()


def test_without_a_checkpoint_a_training_starts_afresh(tmp_path):
    fresh = training.start(CONFIG)
    checkpoints.resume(fresh, tmp_path, IDENTITY)
    assert fresh.history == []


@pytest.mark.parametrize("change", [{"settings": {"seed": 1}}, {"data": "other"}])
def test_a_checkpoint_of_something_else_is_refused(saved, change):
    with pytest.raises(RunError, match="belongs to other settings or data"):
        checkpoints.resume(training.start(CONFIG), saved.parent, IDENTITY | change)


def test_every_flipped_bit_is_noticed(tmp_path):
    """In the sum, in the archive's headers, in history, types, shapes and values."""
    saved = tmp_path / "checkpoint.pt"
    checkpoints.save(training.start(ClassifierConfig()), tmp_path, IDENTITY)
    content = saved.read_bytes()
    places = [*range(0, 4000, 37), *range(0, len(content), len(content) // 150), len(content) - 1]
    for place in places:
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        saved.write_bytes(changed)
        with pytest.raises(RunError, match="has been cut or altered"):
            checkpoints.read(saved)
    saved.write_bytes(content)
    assert checkpoints.read(saved)["identity"] == IDENTITY


@pytest.mark.parametrize("kept", [0, 10, 32, 1000])
def test_a_cut_checkpoint_is_named(saved, kept):
    saved.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(RunError, match=r"checkpoint\.pt has been cut or altered.*Delete it"):
        checkpoints.read(saved)


def test_a_folder_in_a_checkpoints_place_is_named(tmp_path):
    (tmp_path / "checkpoint.pt").mkdir()
    with pytest.raises(RunError, match="can't be read"):
        checkpoints.resume(training.start(CONFIG), tmp_path, IDENTITY)


def test_a_pipe_in_a_checkpoints_place_does_not_hang(tmp_path):
    make_pipe(tmp_path / "checkpoint.pt")
    with pytest.raises(RunError, match="can't be read: it is no file"):
        checkpoints.read(tmp_path / "checkpoint.pt")


@pytest.mark.parametrize("held", [b"", b"no archive", [], {}, {"identity": IDENTITY}, Path("x")])
def test_what_another_program_wrote_with_the_right_sum_is_named(tmp_path, held):
    saved = io.BytesIO(held if isinstance(held, bytes) else b"")
    if not isinstance(held, bytes):
        torch.save(held, saved)
    content = hashlib.sha256(saved.getvalue()).digest() + saved.getvalue()
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(RunError, match=r"checkpoint\.pt (is|belongs|doesn't fit).*Delete it"):
        checkpoints.resume(training.start(CONFIG), tmp_path, IDENTITY)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="open files are listed in /proc")
def test_a_checkpoint_that_was_resumed_from_is_neither_open_nor_mapped(saved):
    """Windows replaces no file that is."""
    resumed = training.start(CONFIG)
    checkpoints.resume(resumed, saved.parent, IDENTITY)
    assert str(saved) not in Path("/proc/self/maps").read_text(encoding="utf-8")
    held = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert str(saved) not in held


def test_a_checkpoint_of_other_networks_is_named(saved):
    larger = training.start(DCGANConfig(latent_dim=5))
    with pytest.raises(RunError, match="doesn't fit the networks"):
        checkpoints.resume(larger, saved.parent, IDENTITY)


# Writing


def test_a_file_is_replaced_whole_and_no_draft_stays(tmp_path):
    path = tmp_path / "new" / "file"
    for content in (b"first", b"second"):
        checkpoints.write(path, content)
        assert path.read_bytes() == content
        assert [file.name for file in path.parent.iterdir()] == ["file"]


def test_two_writers_of_a_file_never_share_a_draft(tmp_path, monkeypatch):
    """As processes of two containers, which may both be the first of theirs."""
    swap, path = os.replace, tmp_path / "file"

    def write_in_between(draft: Path, target: Path) -> None:
        monkeypatch.setattr(os, "replace", swap)
        checkpoints.write(path, b"the other's")
        swap(draft, target)

    monkeypatch.setattr(os, "replace", write_in_between)
    checkpoints.write(path, b"ours")
    assert path.read_bytes() == b"ours"


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch):
    path = tmp_path / "file"
    checkpoints.write(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RunError, match="file can't be written: No space left on device"):
        checkpoints.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_the_content_is_on_disk_before_it_takes_the_files_place(tmp_path, monkeypatch):
    done = []
    sync, swap = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: done.append("sync") or sync(file))
    monkeypatch.setattr(os, "replace", lambda *paths: done.append("swap") or swap(*paths))
    checkpoints.write(tmp_path / "file", b"content")
    assert done == ["sync", "swap"]


def test_a_finished_run_clears_its_checkpoint_and_what_kills_left_behind(saved):
    left, young = (saved.parent / f".run.json.{process}.draft" for process in (1, 2))
    left.touch()
    young.touch()
    os.utime(left, (time.time() - 4000,) * 2)
    checkpoints.remove(saved.parent)
    assert [file.name for file in saved.parent.iterdir()] == [young.name]
    checkpoints.remove(saved.parent)  # as another process has done already
