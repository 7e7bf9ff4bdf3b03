"""`make train` records what is missing, and stops and goes on as it is told."""

import importlib.util
import shutil
import sys

import pytest
from conftest import ROOT

from gencomp_utils import data, runs
from gencomp_utils.models import ClassifierConfig, DCGANConfig, VAEConfig

spec = importlib.util.spec_from_file_location("train", ROOT / "tools" / "train.py")
train = importlib.util.module_from_spec(spec)
spec.loader.exec_module(train)

VAE = VAEConfig(epochs=2, batch_size=100)
DCGAN = DCGANConfig(epochs=1)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Record two small trainings on the stand-in, in a folder of the test's own."""
    classifier = runs.name(ClassifierConfig())
    shutil.copytree(runs.RECORDED / classifier, tmp_path / "recorded" / classifier)
    monkeypatch.setattr(runs, "RECORDED", tmp_path / "recorded")
    monkeypatch.setattr(train, "WORK", tmp_path / "work")
    monkeypatch.setattr(
        train,
        "RUNS",
        {
            VAE: train.Recording(train.WEIGHTS, (*train.OF_VAE, train.copies)),
            DCGAN: train.Recording(train.SAMPLES),
        },
    )
    monkeypatch.setattr(train, "load_mnist", data.load_stand_in)


def call(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    train.main()


@pytest.mark.slow
def test_what_is_missing_is_recorded_and_what_is_asked_for_is_kept(monkeypatch, capsys):
    call(monkeypatch)
    vae, dcgan = runs.recorded(VAE), runs.recorded(DCGAN)
    assert vae.weights
    assert (vae.losses.size, vae.samples.size) == (0, 0)
    assert vae.metrics["test_elbo"] < vae.metrics["test_importance_weighted"] < 0
    assert 0.1 < vae.metrics["test_vote"] < 1
    assert vae.metrics["copies"] <= vae.metrics["copies_asked"]
    assert dcgan.samples.shape == (1, 64, 28, 28)
    assert not dcgan.weights
    assert len(vae.fingerprint) == len(dcgan.fingerprint) == 32
    assert "0 runs are missing" in capsys.readouterr().out
    call(monkeypatch)
    assert "Training" not in capsys.readouterr().out
    call(monkeypatch, "--measure", "codes")
    assert runs.recorded(VAE).metrics == pytest.approx(vae.metrics)
    assert capsys.readouterr().out.startswith(f"{runs.name(VAE)}: ")


# The interruption may come while a file is open; the garbage collector closes it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
def test_the_time_that_is_given_ends_a_call_and_the_next_goes_on(monkeypatch, capsys):
    call(monkeypatch, "--only", "vae", "--minutes", "0.01")
    assert "The time is over" in capsys.readouterr().out
    assert not (runs.RECORDED / runs.name(VAE)).exists()
    call(monkeypatch, "--only", "vae", "--minutes", "10")
    assert "0 runs are missing" in capsys.readouterr().out
    assert len(runs.recorded(VAE).history) == 2
    assert not (runs.RECORDED / runs.name(DCGAN)).exists()
