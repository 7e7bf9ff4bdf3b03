"""A model is one file and one line: here is a fourth, and everything works with it."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import matplotlib
import numpy as np
import pytest
import torch
from test_train import call, train
from torch import Tensor, nn

from gencomp_utils import data, figures, runs, training
from gencomp_utils.models import MODELS, ClassifierConfig, Model, base
from gencomp_utils.models.base import State, number, stream, whole

# The file, as a contributor would write it. ---------------------------------------------------


class MeanImage(nn.Module):
    """A Gaussian around one image, with a spread that is the same for all pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels = nn.Parameter(torch.zeros(1, 28, 28))
        self.log_std = nn.Parameter(torch.zeros(()))

    def forward(self, noise: Tensor) -> Tensor:
        return self.pixels + self.log_std.exp() * noise.unflatten(1, (1, 28, 28))


@dataclass(frozen=True)
class GaussianConfig(Model[MeanImage]):
    """What defines the fit: steps down minus the log-density, nats per pixel."""

    latent_dim: int = whole(784, least=784)
    epochs: int = whole(2, least=1)
    batch_size: int = whole(100, least=1)
    learning_rate: float = number(0.1, above=0)
    seed: int = whole(0, least=0)

    losses: ClassVar = ("train_loss", "train_spread")

    def networks(self) -> dict[str, nn.Module]:
        return {"gaussian": MeanImage()}

    def optimizer(self, network: nn.Module) -> torch.optim.Adam:
        return torch.optim.Adam(network.parameters(), self.learning_rate)

    def epoch(self, state: State, images: Tensor, labels: Tensor, epoch: int) -> Iterator[Tensor]:
        network, optimizer = state.networks["gaussian"], state.optimizers["gaussian"]
        order = torch.randperm(len(images), generator=stream(self.seed, "order", epoch))
        for batch in order.to(images.device).split(self.batch_size):
            distance = (base.as_unit(images[batch]) - network.pixels).square().mean()
            loss = network.log_std + 0.5 * distance * torch.exp(-2 * network.log_std)
            base.descend(optimizer, loss)
            yield torch.stack([loss.detach(), network.log_std.detach().exp()])

    def pixels(self, network: MeanImage, z: Tensor) -> Tensor:
        return network(z).clamp(0, 1)

    def measure(self, network: MeanImage, images: Tensor, labels: Tensor, epoch: int) -> dict:
        return {"test_distance": (base.as_unit(images) - network.pixels).square().mean().item()}


# ----------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line."""
    monkeypatch.setitem(MODELS, "gaussian", GaussianConfig)


@pytest.fixture(scope="module")
def digits() -> data.Digits:
    return data.load_stand_in()


def test_it_is_trained_measured_and_read_back(digits, tmp_path):
    run = runs.train(GaussianConfig(), digits, tmp_path, "cpu")
    assert run.history[0].keys() >= {
        "train_loss", "train_spread", "test_distance", "frechet_distance", "share_9",
    }  # fmt: skip
    assert run.by_epoch("test_distance")[1] < run.by_epoch("test_distance")[0]
    assert run.network().pixels.shape == (1, 28, 28)
    assert run.sample(torch.zeros(3, 784)).shape == (3, 28, 28)
    assert runs.name(replace(run.config, seed=3)) == "gaussian-seed=3"


def test_it_goes_on_where_it_was_stopped(digits, tmp_path, monkeypatch):
    whole = runs.train(GaussianConfig(), digits, tmp_path / "whole", "cpu")
    epochs = training.train

    def first_epoch(*arguments):
        yield next(epochs(*arguments))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "train", first_epoch)
        with pytest.raises(KeyboardInterrupt):
            runs.train(GaussianConfig(), digits, tmp_path / "run", "cpu")
    assert (tmp_path / "run" / "checkpoint.pt").exists()
    again = runs.train(GaussianConfig(), digits, tmp_path / "run", "cpu")
    assert again.history == whole.history
    assert all(torch.equal(again.weights[key], whole.weights[key]) for key in whole.weights)


def test_it_is_recorded_by_the_same_command(monkeypatch, tmp_path, capsys):
    judge = runs.name(ClassifierConfig())
    (tmp_path / "recorded").mkdir()
    (tmp_path / "recorded" / judge).symlink_to(runs.RECORDED / judge)
    monkeypatch.setattr(runs, "RECORDED", tmp_path / "recorded")
    monkeypatch.setattr(train, "WORK", tmp_path / "work")
    monkeypatch.setattr(train, "RUNS", {GaussianConfig(): train.Recording(train.EVERYTHING)})
    monkeypatch.setattr(train, "load_mnist", data.load_stand_in)
    call(monkeypatch)
    assert "0 runs are missing" in capsys.readouterr().out
    run = runs.recorded(GaussianConfig())
    assert len(run.fingerprint) == 2 * (training.FINGERPRINT_STEPS + 2 * training.BORDER_STEPS)
    assert runs.load_or_train(GaussianConfig()).samples.shape == (2, 64, 28, 28)


def test_it_is_shown_as_the_others_are(digits, tmp_path):
    run = runs.train(GaussianConfig(), digits, tmp_path, "cpu")
    fig = figures.image_rows({"Gaussian": run.samples[-1][:8], "digits": digits.test_images[:8]})
    assert isinstance(fig, matplotlib.figure.Figure)
    fig, ax = figures.new()
    figures.curves(ax, {"Gaussian": run}, "frechet_distance")
    assert np.array_equal(ax.lines[0].get_ydata(), run.by_epoch("frechet_distance"))


def test_nothing_of_it_is_known_to_the_package():
    for name, module in list(sys.modules.items()):
        if name.startswith("gencomp_utils"):
            assert not hasattr(module, "GaussianConfig"), name
