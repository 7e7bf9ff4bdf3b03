"""Settings are checked and brought to their types; seeds, scales, steps and blocks do as told."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from gencomp_utils import data
from gencomp_utils.models import ClassifierConfig, DCGANConfig, VAEConfig, base


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (VAEConfig, "latent_dim", 0),
        (VAEConfig, "latent_dim", 2.0),
        (VAEConfig, "epochs", 0),
        (VAEConfig, "batch_size", -1),
        (VAEConfig, "borrowed", -1),
        (VAEConfig, "seed", -1),
        (VAEConfig, "beta", -0.1),
        (VAEConfig, "beta", math.nan),
        (VAEConfig, "learning_rate", 0.0),
        (VAEConfig, "learning_rate", math.inf),
        (VAEConfig, "rho", 1.0),
        (VAEConfig, "rho", -0.1),
        (VAEConfig, "seed", True),
        (VAEConfig, "seed", "1"),
        (VAEConfig, "beta", False),
        (VAEConfig, "beta", None),
        (VAEConfig, "beta", math.inf),
        (VAEConfig, "anneal", 1),
        (VAEConfig, "beta", 10**400),
        (VAEConfig, "seed", 2**63),
        (DCGANConfig, "batch_size", 1),
        (DCGANConfig, "k", 0),
        (DCGANConfig, "learning_rate", math.nan),
        (DCGANConfig, "beta1", 1.0),
        (DCGANConfig, "beta1", -0.1),
        (DCGANConfig, "average", 1.0),
        (DCGANConfig, "weight_std", 0.0),
        (ClassifierConfig, "batch_size", 1),
        (ClassifierConfig, "learning_rate", -1.0),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name_and_value(kind, name, value):
    with pytest.raises(ValueError, match=rf"{name} is {value!r}, but must"):
        kind(**{name: value})


def test_the_defaults_are_the_reports_settings():
    vae, dcgan = VAEConfig(), DCGANConfig()
    assert (vae.learning_rate, vae.rho, vae.epochs) == (1e-3, 0.9, 7)
    assert (vae.latent_dim, vae.beta) == (2, 1.0)
    assert (dcgan.learning_rate, dcgan.beta1) == (2e-4, 0.5)
    assert (dcgan.batch_size, dcgan.epochs, dcgan.weight_std) == (100, 20, 0.02)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"beta": 1}, VAEConfig()),
        ({"beta": -0.0}, VAEConfig(beta=0)),
        ({"latent_dim": np.int64(2), "beta": np.float32(1)}, VAEConfig()),
        ({"seed": np.uint8(3), "anneal": np.True_}, VAEConfig(seed=3, anneal=True)),
    ],
)
def test_settings_that_mean_the_same_are_the_same_experiment(settings, expected):
    config = VAEConfig(**settings)
    assert config == expected
    for name in settings:
        assert repr(getattr(config, name)) == repr(getattr(expected, name))


@pytest.mark.parametrize(
    ("config", "name", "words"),
    [
        (VAEConfig, "latent_dim", "an integer from 1 up"),
        (VAEConfig, "beta", "a number from 0 up$"),
        (VAEConfig, "learning_rate", "a number above 0$"),
        (VAEConfig, "rho", "a number from 0 up and below 1$"),
        (DCGANConfig, "weight_std", "a number above 0 or None"),
        (DCGANConfig, "batch_size", "an integer from 2 up"),
        (DCGANConfig, "batch_norm", "True or False"),
    ],
)
def test_a_refusal_says_what_would_do(config, name, words):
    with pytest.raises(ValueError, match=f"{name} is -1, but must be {words}"):
        config(**{name: -1})


@pytest.mark.parametrize(
    "settings", [{"beta": 0}, {"rho": 0}, {"rho": 0.999}, {"latent_dim": 1}, {"seed": 0}]
)
def test_settings_at_the_ends_of_their_ranges_are_taken(settings):
    assert VAEConfig(**settings)
    assert DCGANConfig(weight_std=None).weight_std is None


# Seeds


def test_streams_differ_by_seed_purpose_and_epoch_and_come_again():
    seen = {
        base.stream(seed, purpose, epoch).initial_seed()
        for seed in (0, 1)
        for purpose in ("noise", "order")
        for epoch in (0, 1)
    }
    assert len(seen) == 8
    assert base.stream(0, "noise", 1).initial_seed() in seen
    assert base.stream(3, "noise").initial_seed() == base.stream(3, "noise", 0).initial_seed()


# Scales


def test_bytes_become_numbers_and_numbers_bytes():
    levels = torch.tensor([[[0, 51, 102, 255]]], dtype=torch.uint8)
    unit, signed = base.as_unit(levels), base.as_signed(levels)
    assert unit.shape == signed.shape == (1, 1, 1, 4)
    assert torch.allclose(unit.flatten(), torch.tensor([0.0, 0.2, 0.4, 1.0]))
    assert torch.allclose(signed.flatten(), torch.tensor([-1.0, -0.6, -0.2, 1.0]), atol=1e-6)
    assert torch.equal(base.as_bytes(unit), levels)
    assert base.as_bytes(torch.full((1, 1, 1, 1), 0.5 / 255 + 1e-4)).item() == 1


# Data of a training


@pytest.fixture(scope="module")
def digits() -> data.Digits:
    return data.load_stand_in()


def test_borrowed_test_images_are_trained_on_and_not_measured_on(digits):
    images, labels, test_images, test_labels = base.split(VAEConfig(borrowed=7), digits)
    assert len(images) == len(labels) == len(digits.train_images) + 7
    assert torch.equal(images[-7:], torch.tensor(digits.test_images[:7]))
    assert labels[-7:].tolist() == digits.test_labels[:7].tolist()
    assert torch.equal(test_images, torch.tensor(digits.test_images[7:]))
    assert test_labels.tolist() == digits.test_labels[7:].tolist()
    assert labels.dtype == test_labels.dtype == torch.int64


def test_models_that_borrow_nothing_keep_the_files_parts(digits):
    images, _, test_images, _ = base.split(DCGANConfig(), digits)
    assert (len(images), len(test_images)) == (len(digits.train_images), len(digits.test_images))


@pytest.mark.parametrize("more", [0, 1])
def test_not_all_test_images_can_be_borrowed(digits, more):
    borrowed = len(digits.test_images) + more
    with pytest.raises(ValueError, match=f"borrowed is {borrowed}, but must be below 297"):
        base.split(VAEConfig(borrowed=borrowed), digits)


# Steps


@pytest.mark.parametrize(
    ("config", "count", "steps"),
    [
        (VAEConfig(batch_size=10), 30, 3),
        (VAEConfig(batch_size=10), 31, 4),
        (VAEConfig(batch_size=10), 1, 1),
        (ClassifierConfig(batch_size=10), 31, 4),
        (DCGANConfig(batch_size=10), 39, 3),
        (DCGANConfig(batch_size=10, k=2), 59, 2),
        (DCGANConfig(batch_size=10, k=2), 19, 0),
    ],
)
def test_steps_of_an_epoch_are_counted(config, count, steps):
    assert config.steps(count) == steps


def test_a_step_goes_down_the_gradient_of_this_loss_alone():
    weight = nn.Parameter(torch.tensor([2.0]))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    weight.grad = torch.tensor([100.0])
    base.descend(optimizer, 3 * weight.sum())
    assert weight.item() == pytest.approx(2.0 - 0.1 * 3)


@pytest.mark.parametrize(("done", "share"), [(0.0, 1.0), (1 / 3, 0.75), (0.5, 0.5), (1.0, 0.0)])
def test_annealing_follows_half_a_cosine(done, share):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=9.0)
    base.anneal(optimizer, 0.4, done)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.4 * share)


# Blocks


def test_blocks_change_nothing(monkeypatch):
    network = nn.Linear(2, 3).eval()
    x, y = torch.randn(2, 50, 2, generator=torch.Generator().manual_seed(0))
    whole = base.in_blocks(network, lambda a, b: network(a + b), x, y)
    monkeypatch.setattr(base, "_BLOCK", 7)
    assert torch.allclose(base.in_blocks(network, lambda a, b: network(a + b), x, y), whole)
    assert not whole.requires_grad


def test_a_network_in_training_mode_is_not_measured():
    with pytest.raises(ValueError, match="Linear in training mode"):
        base.in_blocks(nn.Linear(1, 1), lambda x: x, torch.zeros(1, 1))


# Initial weights


def test_weights_are_drawn_as_asked_and_biases_are_zero():
    def layers() -> nn.Sequential:
        return nn.Sequential(nn.Linear(100, 400), nn.BatchNorm2d(2000), nn.Conv2d(1, 900, 3))

    glorot, normal = layers(), layers()
    base.initialise(glorot, torch.Generator().manual_seed(0))
    base.initialise(normal, torch.Generator().manual_seed(0), std=0.5)
    for network in (glorot, normal):
        assert network[0].bias.abs().max() == network[2].bias.abs().max() == 0
    assert glorot[0].weight.abs().max().item() == pytest.approx(math.sqrt(6 / 500), rel=0.01)
    assert torch.equal(glorot[1].weight, torch.ones(2000))
    assert normal[0].weight.std().item() == pytest.approx(0.5, rel=0.05)
    assert normal[0].weight.mean().item() == pytest.approx(0.0, abs=0.01)
    assert normal[1].weight.mean().item() == pytest.approx(1.0, abs=0.05)
    assert normal[1].weight.std().item() == pytest.approx(0.5, rel=0.1)
