"""A run on disk is whole or not there, and a training that was cut short ends as if it wasn't."""

import contextlib
import hashlib
import io
import json
import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import disk_with_room_for, make_pipe
from PIL import Image

from gencomp_utils import checkpoints, data, models, runs, training
from gencomp_utils.models import MODELS, ClassifierConfig, DCGANConfig, VAEConfig
from gencomp_utils.models.base import split

CONFIG = VAEConfig(epochs=3, batch_size=50)
SLOW = replace(CONFIG, batch_size=5)
GAME = DCGANConfig(epochs=12)
CLASSIFIER = ClassifierConfig(epochs=1, batch_size=100)
RECORDED = sorted(path.parent for path in runs.RECORDED.glob("*/run.json"))
LIMIT_MB = 16

# Trains on the stand-in; the settings are slow enough to be caught in the middle of an epoch.
# A shell that starts the tests in the background lets its children ignore Ctrl-C: not this one.
TRAIN = f"""
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from gencomp_utils import data, runs
from gencomp_utils.models import VAEConfig
runs.train({SLOW!r}, data.load_stand_in(), Path("run"), "cpu")
"""

# For each line that is read: trains a DCGAN that kills itself at the n-th step, or before the n-th
# file is in its place. Says how each ended.
TRAIN_AND_DIE = """
import itertools, os, signal, sys
from pathlib import Path
from test_runs import GAME, few_digits
from gencomp_utils import runs, training
from gencomp_utils.models import game
def deadly(work, last):
    counter = itertools.count()
    def worked(*arguments):
        if next(counter) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return work(*arguments)
    return worked
for line in sys.stdin:
    child = os.fork()
    if not child:
        sys.stdout = sys.stderr
        folder, step, file = line.split()
        training.seconds_a_step = lambda *_: 0.0  # which takes steps, too
        game.descend = deadly(game.descend, int(step))
        os.replace = deadly(os.replace, int(file))
        runs.train(GAME, few_digits(), Path(folder), "cpu")
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
ROUNDS = int(os.environ.get("GENCOMP_ROUNDS", "1"))
NEVER = 10**9


def few_digits() -> data.Digits:
    digits = data.load_stand_in()
    return replace(
        digits, train_images=digits.train_images[:300], train_labels=digits.train_labels[:300]
    )


@pytest.fixture(scope="module")
def digits() -> data.Digits:
    return data.load_stand_in()


@pytest.fixture(scope="module")
def whole(digits, tmp_path_factory) -> runs.Run:
    """The run that nothing interrupts."""
    return runs.train(CONFIG, digits, tmp_path_factory.mktemp("whole"), "cpu")


@pytest.fixture(scope="module")
def slow(digits, tmp_path_factory) -> runs.Run:
    """The same with more steps, so that it can be caught in the middle of an epoch."""
    return runs.train(SLOW, digits, tmp_path_factory.mktemp("slow"), "cpu")


def same(first: runs.Run, second: runs.Run) -> bool:
    return (
        all(torch.equal(first.weights[key], second.weights[key]) for key in first.weights)
        and first.history == second.history
        and np.array_equal(first.samples, second.samples)
        and np.array_equal(first.losses, second.losses)
    )


# Interruptions


def interrupt(folder: Path, how: signal.Signals, epochs: int, delay: float) -> None:
    """Train in a process of its own, and end it a while after the given number of epochs."""
    process = subprocess.Popen([sys.executable, "-c", TRAIN], cwd=folder, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while process.poll() is None and finished_epochs(folder) < epochs:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(how)
    process.communicate()
    assert process.returncode != 0, "the training ended before it was interrupted"
    assert not (folder / "run" / "run.json").exists()


def finished_epochs(folder: Path) -> int:
    path = folder / "run" / "checkpoint.pt"
    return len(checkpoints.read(path)["history"]) if path.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize(("epochs", "delay"), [(1, 0.0), (1, 0.4), (2, 0.2)])
def test_a_training_interrupted_by_ctrl_c_ends_with_the_same_weights(
    epochs, delay, slow, digits, tmp_path
):
    interrupt(tmp_path, signal.SIGINT, epochs, delay)
    assert finished_epochs(tmp_path) == epochs
    assert same(runs.train(SLOW, digits, tmp_path / "run", "cpu"), slow)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "arrays.safetensors",
        "run.json",
        "samples.png",
    ]


@pytest.mark.slow
def test_an_interruption_before_the_first_checkpoint_starts_afresh(slow, digits, tmp_path):
    interrupt(tmp_path, signal.SIGKILL, epochs=0, delay=1.5)
    assert same(runs.train(SLOW, digits, tmp_path / "run", "cpu"), slow)


@pytest.fixture(scope="module")
def whole_game(tmp_path_factory) -> runs.Run:
    """A DCGAN's training that nothing interrupts."""
    return runs.train(GAME, few_digits(), tmp_path_factory.mktemp("game"), "cpu")


@pytest.mark.slow
@pytest.mark.parametrize("round", range(ROUNDS))
def test_twenty_kills_at_random_steps_change_nothing(round, whole_game, tmp_path):
    """A DCGAN's training dies 20 times: in a step, or while a checkpoint is being written."""
    chance = np.random.default_rng(round)
    epoch = 2 * GAME.steps(len(few_digits().train_images))
    progress = []
    path = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    with subprocess.Popen(
        [sys.executable, "-c", TRAIN_AND_DIE], cwd=tmp_path, text=True, bufsize=1,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as trainer:  # fmt: skip
        for kill in range(20):
            left = GAME.epochs - finished_epochs(tmp_path)
            step, file = int(chance.integers(min(3 * epoch // 2, left * epoch))), NEVER
            if kill % 4 == 3:
                step, file = NEVER, 0
            trainer.stdin.write(f"run {step} {file}\n")
            assert int(trainer.stdout.readline()) == -signal.SIGKILL
            progress.append(finished_epochs(tmp_path))
        trainer.stdin.close()
    assert 1 < progress[-1] < GAME.epochs
    assert same(runs.train(GAME, few_digits(), tmp_path / "run", "cpu"), whole_game)


# Checkpoints


@pytest.fixture
def begun(digits, tmp_path) -> Path:
    """A run's folder with a checkpoint and no more."""

    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            resume(tmp_path / "run", digits)
    return tmp_path / "run"


def resume(folder: Path, digits: data.Digits, **changes: object) -> runs.Run:
    config = replace(CONFIG, **{"epochs": 1, "batch_size": 100, **changes})
    return runs.train(config, digits, folder, "cpu")


def test_a_checkpoint_is_taken_up(begun, digits):
    assert len(resume(begun, digits).history) == 1


@pytest.mark.parametrize("change", [{"seed": 1}, {"learning_rate": 2e-3}, {"latent_dim": 3}])
def test_a_checkpoint_of_other_settings_is_refused(begun, digits, change):
    with pytest.raises(runs.RunError, match="belongs to other settings or data"):
        resume(begun, digits, **change)


def test_a_checkpoint_of_other_data_is_refused(begun, digits):
    other = replace(digits, train_images=digits.train_images[::-1].copy())
    with pytest.raises(runs.RunError, match="belongs to other settings or data"):
        resume(begun, other)


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.999])
def test_a_cut_checkpoint_is_named(begun, digits, kept):
    path = begun / "checkpoint.pt"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(runs.RunError, match=r"checkpoint\.pt has been cut or altered"):
        resume(begun, digits)


def test_an_altered_checkpoint_is_named(begun, digits):
    path = begun / "checkpoint.pt"
    flip_a_bit(path)
    with pytest.raises(runs.RunError, match=r"checkpoint\.pt has been cut or altered"):
        resume(begun, digits)


def flip_a_bit(path: Path) -> None:
    """Change the file within its values, which its format doesn't notice."""
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)


def test_a_checkpoint_of_other_networks_is_named(begun, digits, monkeypatch):
    """As after an update that changed a network, but not its settings."""
    larger = training.start(replace(CONFIG, latent_dim=5))
    monkeypatch.setattr(training, "start", lambda *_: larger)
    with pytest.raises(runs.RunError, match=r"checkpoint\.pt doesn't fit the networks"):
        resume(begun, digits)


def test_a_full_disk_is_named_and_leaves_nothing_half_written(digits, tmp_path):
    config = replace(CONFIG, epochs=1, batch_size=300)
    with disk_with_room_for(10_000), pytest.raises(runs.RunError, match="can't be written"):
        runs.train(config, digits, tmp_path / "run", "cpu")
    assert list((tmp_path / "run").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(digits, tmp_path):
    (tmp_path / "file").write_text("no folder")
    config = replace(CONFIG, epochs=1, batch_size=300)
    with pytest.raises(runs.RunError, match="can't be written") as caught:
        runs.train(config, digits, tmp_path / "file" / "run", "cpu")
    assert str(tmp_path / "file") in str(caught.value)


# Runs


def test_a_run_comes_back_as_it_was_saved(whole, tmp_path):
    runs.save(whole, tmp_path / "copy")
    assert same(runs.load(tmp_path / "copy"), whole)


def test_a_finished_run_is_not_trained_again(whole, digits, tmp_path, monkeypatch):
    runs.save(whole, tmp_path / "run")
    monkeypatch.setattr(training, "train", None)
    assert same(runs.train(CONFIG, digits, tmp_path / "run"), whole)


@pytest.mark.parametrize("name", ["run.json", "arrays.safetensors", "samples.png"])
@pytest.mark.parametrize("harm", ["missing", "cut"])
def test_a_damaged_run_is_named(whole, tmp_path, name, harm):
    runs.save(whole, tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    if harm == "cut":
        (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(runs.RunError, match="can't be read") as caught:
        runs.load(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", ["arrays.safetensors", "samples.png"])
def test_an_altered_run_is_named(whole, tmp_path, name):
    runs.save(whole, tmp_path)
    flip_a_bit(tmp_path / name)
    with pytest.raises(runs.RunError, match=f"{name} isn't the file that was written"):
        runs.load(tmp_path)


def test_weights_of_another_shape_are_refused(whole):
    with pytest.raises(runs.RunError, match="don't fit"):
        replace(whole, config=replace(CONFIG, latent_dim=5)).network()


def test_missing_weights_are_named(whole):
    with pytest.raises(runs.RunError, match="was recorded without weights"):
        replace(whole, weights={}).network()


@pytest.mark.parametrize(
    ("config", "lengths"),
    [(replace(GAME, epochs=1), (3, 64)), (CLASSIFIER, (3, 0))],
    ids=["dcgan", "classifier"],
)
def test_every_kind_of_run_comes_back_as_it_was_saved(config, lengths, tmp_path):
    run = runs.train(config, few_digits(), tmp_path, "cpu")
    assert run.config == config
    assert (len(run.losses), run.samples.shape[1]) == lengths
    runs.save(run, tmp_path / "copy")
    assert same(runs.load(tmp_path / "copy"), run)


def test_a_run_says_where_and_on_what_it_was_trained(whole, digits):
    told = whole.provenance
    assert (told["device"], told["precision"]) == (platform.machine(), "float32")
    assert (told["data"], told["data_sha256"]) == (digits.name, digits.digest)


def test_a_generative_model_is_measured_after_each_epoch(whole):
    assert {"frechet_distance", "precision", "recall", "test_loss"} <= whole.history[0].keys()
    assert whole.history[-1]["test_loss"] < whole.history[0]["test_loss"]
    shares = [whole.history[0][f"share_{digit}"] for digit in range(10)]
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("kind", MODELS.values())
def test_other_settings_have_another_name(kind):
    config = kind()
    names = {runs.name(config)}
    for setting in fields(kind):
        value = getattr(config, setting.name)
        other = (not value) if isinstance(value, bool) else (value or 1) * 0.5
        if isinstance(value, int) and not isinstance(value, bool):
            other = value + 1
        names.add(runs.name(replace(config, **{setting.name: other})))
    assert len(names) == len(fields(kind)) + 1


def test_a_recorded_run_needs_neither_data_nor_training(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(runs, "load_digits", None)
    assert runs.load_or_train(VAEConfig()).weights
    assert not list(tmp_path.iterdir())


def test_other_settings_are_trained_once_and_kept(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("GENCOMP_STAND_IN", "1")
    config = VAEConfig(epochs=1, batch_size=500, seed=3)
    first = runs.load_or_train(config, "cpu")
    assert "on cpu: about" in capsys.readouterr().out
    assert same(runs.load_or_train(config, "cpu"), first)
    assert "Training" not in capsys.readouterr().out


def test_the_estimate_is_of_the_epochs_that_are_left(digits, monkeypatch, capsys):
    config = replace(CONFIG, epochs=3)
    images, labels, *_ = split(config, digits)
    state = training.start(config)
    state.history = [{}]
    a_minute_an_epoch = 60 / config.steps(len(images))
    monkeypatch.setattr(training, "seconds_a_step", lambda *_: a_minute_an_epoch)
    runs._announce(config, state, images, labels, bfloat16=False)
    assert "about 2.0 min" in capsys.readouterr().out


# What lies in a run's folder, and what was asked for


@pytest.mark.parametrize("change", [{"latent_dim": 7}, {"seed": 1}, {"epochs": 4}])
def test_a_finished_run_of_other_settings_is_not_taken_for_the_one_asked_for(
    whole, digits, tmp_path, change
):
    runs.save(whole, tmp_path)
    with pytest.raises(runs.RunError, match="was asked for, but its folder holds"):
        runs.train(replace(CONFIG, **change), digits, tmp_path)


@pytest.mark.parametrize("sha256", ["0" * 64, "f" * 64])
def test_a_finished_run_on_other_data_is_not_taken_for_the_one_asked_for(
    whole, digits, tmp_path, sha256
):
    other = replace(whole, provenance=whole.provenance | {"data_sha256": sha256})
    runs.save(other, tmp_path)
    with pytest.raises(runs.RunError, match="its folder holds one on scikit-learn's"):
        runs.train(CONFIG, digits, tmp_path)


def test_a_recorded_run_under_another_name_is_refused(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "RECORDED", tmp_path)
    runs.save(whole, tmp_path / runs.name(VAEConfig()))
    with pytest.raises(runs.RunError, match="was asked for, but its folder holds"):
        runs.recorded(VAEConfig())


def test_a_recorded_folder_without_its_summary_is_not_a_run(whole, tmp_path, monkeypatch):
    """As a kill while a run was being recorded leaves it."""
    monkeypatch.setattr(runs, "RECORDED", tmp_path)
    monkeypatch.setattr(runs, "train", lambda config, *others: (config, "trained"))
    monkeypatch.setenv("GENCOMP_STAND_IN", "1")
    runs.save(whole, tmp_path / runs.name(CONFIG))
    assert runs.is_recorded(CONFIG)
    (tmp_path / runs.name(CONFIG) / "run.json").unlink()
    assert not runs.is_recorded(CONFIG)
    assert runs.load_or_train(CONFIG) == (CONFIG, "trained")


def test_a_name_tells_what_differs_from_the_defaults_and_no_more():
    assert runs.name(VAEConfig()) == "vae"
    assert runs.name(VAEConfig(beta=1)) == "vae"
    assert runs.name(DCGANConfig(weight_std=None, seed=2)) == "dcgan-weight_std=None-seed=2"
    assert runs.name(VAEConfig(beta=-0.0)) == runs.name(VAEConfig(beta=0)) == "vae-beta=0.0"


def test_a_name_is_short_enough_for_a_file_and_differs_with_each_setting():
    long = {"learning_rate": 1.2345678901234567e-100, "beta1": 1.2345678901234567e-100}
    long |= {"weight_std": 1.2345678901234567e-100, "k": 2**62, "epochs": 2**62}
    long |= {"batch_size": 2**62, "latent_dim": 2**62, "saturating": True}
    names = {runs.name(DCGANConfig(**long, seed=2**62 + seed)) for seed in range(3)}
    assert len(names) == 3
    assert max(map(len, names)) < 240
    assert not runs.is_recorded(DCGANConfig(**long))


def test_two_processes_train_the_same_settings_side_by_side(digits, tmp_path):
    """The second ends after the first has finished and cleared up."""
    config = replace(CONFIG, epochs=1, batch_size=100)
    other = runs.train(config, digits, tmp_path / "other", "cpu")
    save = runs.save

    def finish_first(run: runs.Run, folder: Path) -> None:
        (folder / "checkpoint.pt").unlink()
        save(other, folder)
        save(run, folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "save", finish_first)
        assert same(runs.train(config, digits, tmp_path / "run", "cpu"), other)


def test_a_run_that_another_process_has_finished_is_kept_as_it_is(digits, tmp_path):
    """Its files belong together: a kill between two of the second run's would part them."""
    config = replace(CONFIG, epochs=1, batch_size=100)
    other = runs.train(config, digits, tmp_path / "other", "cpu")
    theirs = replace(other, metrics={"told": 1.0})
    run = runs.train(
        config, digits, tmp_path / "run", "cpu", lambda _: runs.save(theirs, tmp_path / "run")
    )
    assert run.metrics == theirs.metrics
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


@pytest.mark.slow
def test_two_processes_at_once_end_in_one_run(digits, tmp_path):
    command = [sys.executable, "-c", TRAIN]
    both = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE) for _ in range(2)]
    assert [(process.communicate()[1], process.returncode)[1] for process in both] == [0, 0]
    assert len(runs.load(tmp_path / "run").history) == SLOW.epochs
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert left == {"arrays.safetensors", "run.json", "samples.png"}


def rewrite(folder: Path, **changes: object) -> None:
    """Change a run's summary so that its checksum is right again."""
    path = folder / "run.json"
    summary = json.loads(path.read_text()) | changes
    summary.pop("checksum")
    summary["checksum"] = runs._checksum(summary)
    path.write_text(json.dumps(summary))


def test_a_summary_with_another_number_is_refused(whole, tmp_path):
    runs.save(whole, tmp_path)
    path = tmp_path / "run.json"
    path.write_text(path.read_text().replace('"test_kl": ', '"test_kl": 1'))
    with pytest.raises(runs.RunError, match=r"run\.json isn't what was written"):
        runs.load(tmp_path)


@pytest.mark.parametrize("name", ["../../etc/hostname", "/dev/zero", "arrays.safetensors.bak"])
def test_no_file_is_read_but_a_runs_own(whole, tmp_path, name):
    runs.save(whole, tmp_path)
    sums = json.loads((tmp_path / "run.json").read_text())["sha256"]
    rewrite(tmp_path, sha256={**sums, name: "0" * 64})
    assert same(runs.load(tmp_path), whole)


def test_a_pipe_or_a_device_in_the_place_of_a_file_does_not_hang(whole, tmp_path):
    runs.save(whole, tmp_path)
    (tmp_path / "arrays.safetensors").unlink()
    make_pipe(tmp_path / "arrays.safetensors")
    with pytest.raises(runs.RunError, match="can't be read"):
        runs.load(tmp_path)


def test_a_file_larger_than_any_run_is_refused_unread(whole, tmp_path, monkeypatch):
    runs.save(whole, tmp_path)
    monkeypatch.setattr(runs, "_MOST_BYTES", 1000)
    with pytest.raises(runs.RunError, match="larger than any file of a run"):
        runs.load(tmp_path)


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", "null", "{}", "", "\udc80"])
def test_a_summary_of_another_form_is_named(whole, tmp_path, content):
    (tmp_path / "run.json").write_text(content, errors="surrogatepass")
    with pytest.raises(runs.RunError, match="can't be read"):
        runs.load(tmp_path)


@pytest.mark.parametrize(
    "changes", [{"history": []}, {"history": None}, {"provenance": {}}, {"provenance": 3}]
)
def test_a_summary_that_lacks_what_a_run_has_is_named(whole, digits, tmp_path, changes):
    runs.save(whole, tmp_path)
    rewrite(tmp_path, **changes)
    with pytest.raises(runs.RunError, match="can't be read"):
        runs.train(CONFIG, digits, tmp_path)


@pytest.mark.parametrize("name", ["arrays.safetensors", "samples.png"])
def test_files_of_another_form_are_named_even_where_their_sums_are_right(whole, tmp_path, name):
    runs.save(whole, tmp_path)
    content, chance = (tmp_path / name).read_bytes(), np.random.default_rng(0)
    sums = json.loads((tmp_path / "run.json").read_text())["sha256"]
    for place in [*range(60), *chance.integers(60, len(content), 40)]:
        harmed = bytearray(content)
        harmed[place] ^= 1 << int(chance.integers(8))
        (tmp_path / name).write_bytes(harmed)
        rewrite(tmp_path, sha256=sums | {name: hashlib.sha256(harmed).hexdigest()})
        with contextlib.suppress(runs.RunError):
            runs.load(tmp_path)


@pytest.mark.parametrize("mode", ["1", "RGB", "P", "I;16"])
def test_samples_that_are_no_bytes_are_refused(whole, tmp_path, mode):
    runs.save(whole, tmp_path)
    png = io.BytesIO()
    Image.new(mode, (28 * 64, 28 * CONFIG.epochs)).save(png, format="png")
    (tmp_path / "samples.png").write_bytes(png.getvalue())
    sums = json.loads((tmp_path / "run.json").read_text())["sha256"]
    rewrite(tmp_path, sha256=sums | {"samples.png": hashlib.sha256(png.getvalue()).hexdigest()})
    with pytest.raises(runs.RunError, match=r"samples\.png has"):
        runs.load(tmp_path)


@pytest.mark.parametrize("size", [(10, 10), (28 * 64, 28), (6_000, 6_000)])
def test_samples_of_another_size_are_refused(whole, tmp_path, size, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    runs.save(whole, tmp_path)
    png = io.BytesIO()
    Image.new("1", size).save(png, format="png")
    (tmp_path / "samples.png").write_bytes(png.getvalue())
    sums = json.loads((tmp_path / "run.json").read_text())["sha256"]
    rewrite(tmp_path, sha256=sums | {"samples.png": hashlib.sha256(png.getvalue()).hexdigest()})
    with pytest.raises(runs.RunError, match=r"samples\.png has"):
        runs.load(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(whole, tmp_path, value):
    weights = {key: tensor.clone() for key, tensor in whole.weights.items()}
    next(iter(weights.values())).view(-1)[0] = value
    runs.save(replace(whole, weights=weights), tmp_path)
    with pytest.raises(runs.RunError, match="holds numbers that aren't finite"):
        runs.load(tmp_path)


def test_weights_too_large_for_float16_come_back_as_they_were(whole, tmp_path):
    weights = {key: tensor.clone() for key, tensor in whole.weights.items()}
    first = next(iter(weights))
    weights[first].view(-1)[0] = 7e4
    losses = np.full((2, 2), 1e5, np.float32)
    runs.save(replace(whole, weights=weights, losses=losses), tmp_path)
    again = runs.load(tmp_path)
    assert torch.equal(again.weights[first], weights[first])
    assert again.losses.tolist() == losses.tolist()


# Provenance


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_is_the_checkouts_and_changes_are_said(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-qm", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert runs._commit(tmp_path) == commit
    (tmp_path / "file").write_text("2")
    assert runs._commit(tmp_path) == f"{commit} with changes"
    (tmp_path / "site-packages").mkdir()
    assert runs._commit(tmp_path / "site-packages") == "unknown"


def test_without_git_or_a_checkout_the_commit_is_unknown(tmp_path, monkeypatch):
    assert runs._commit(tmp_path) == "unknown"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert runs._commit(tmp_path) == "unknown"


def test_provenance_says_how_it_was_trained(whole, digits):
    told = whole.provenance
    assert told["data_sha256"] == digits.digest
    assert (told["data"], told["precision"]) == (digits.name, "float32")
    assert (told["torch"], told["threads"]) == (torch.__version__, torch.get_num_threads())
    assert len(told["seconds"]) == CONFIG.epochs


# Accessors


def test_numbers_are_read_by_epoch_and_at_the_end(whole):
    losses = whole.by_epoch("test_loss")
    assert losses.tolist() == [epoch["test_loss"] for epoch in whole.history]
    assert whole.at_end("test_loss") == losses[-1]
    measured = replace(whole, metrics={"test_elbo": -3.0, "test_loss": 7.0})
    assert runs.at_end([measured, whole], "test_loss").tolist() == [7.0, losses[-1]]
    assert measured.at_end("test_elbo") == -3.0


def test_recorded_seeds_are_runs_that_differ_in_their_seed_alone():
    three = runs.recorded_seeds(VAEConfig(), range(3))
    assert [run.config for run in three] == [VAEConfig(seed=seed) for seed in range(3)]


def test_a_run_makes_the_images_that_its_network_makes(whole):
    z = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(whole.sample(z), CONFIG.sample(whole.network(), z))
    with pytest.raises(NotImplementedError, match="ClassifierConfig makes no images"):
        runs.recorded(ClassifierConfig()).sample(z)


def test_samples_of_each_epoch_are_of_the_same_draws(whole):
    z = torch.randn(64, 2, generator=models.stream(CONFIG.seed, "samples"))
    apart = whole.sample(z).int() - torch.tensor(whole.samples[-1]).int()
    assert apart.abs().max() <= 2  # weights come back from float16


# Recorded runs


@pytest.mark.parametrize("kind", MODELS.values())
def test_the_default_settings_are_recorded(kind):
    assert runs.RECORDED / runs.name(kind()) in RECORDED


def test_a_run_that_is_not_recorded_is_named():
    with pytest.raises(runs.RunError, match="can't be read"):
        runs.recorded(VAEConfig(seed=12345))


def test_a_run_recorded_without_weights_is_trained_where_they_are_asked_for(
    whole, monkeypatch, tmp_path
):
    monkeypatch.setattr(runs, "RECORDED", tmp_path)
    runs.save(replace(whole, weights={}), tmp_path / runs.name(CONFIG))
    monkeypatch.setattr(runs, "train", lambda config, *others: (config, "trained"))
    monkeypatch.setenv("GENCOMP_STAND_IN", "1")
    assert runs.recorded(CONFIG).history == whole.history
    assert runs.load_or_train(CONFIG) == (CONFIG, "trained")


@pytest.mark.parametrize("folder", RECORDED, ids=lambda folder: folder.name)
def test_a_recorded_run_says_what_it_is(folder):
    run = runs.load(folder)
    assert folder.name == runs.name(run.config)
    assert len(run.history) == run.config.epochs == len(run.samples)
    assert run.provenance.keys() >= {
        "data_sha256", "device", "precision", "seconds", "commit", "torch", "numpy", "python",
    }  # fmt: skip
    assert len(run.provenance["commit"]) == 40
    assert len(run.provenance["seconds"]) == run.config.epochs
    assert len(run.fingerprint) == 2 * (training.FINGERPRINT_STEPS + 2 * training.BORDER_STEPS)


def test_recorded_weights_fit_their_networks():
    runs.recorded(ClassifierConfig()).network()
    for config in (VAEConfig(), VAEConfig(latent_dim=20)):
        runs.recorded(config).network()
    runs.recorded(DCGANConfig()).network()


@pytest.mark.parametrize("folder", RECORDED, ids=lambda folder: folder.name)
def test_a_recorded_run_was_trained_on_mnist(folder, mnist):
    assert runs.load(folder).provenance["data_sha256"] == data.load_mnist().digest


def test_recorded_runs_stay_small():
    size = sum(path.stat().st_size for path in runs.RECORDED.rglob("*") if path.is_file())
    assert size <= LIMIT_MB * 1e6, f"{size / 1e6:.1f} MB are recorded; {LIMIT_MB} MB are allowed"
