"""A training does what its settings say, the same each time, and the recorded ones come again."""

import os
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from conftest import ROOT, run
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from gencomp_utils import data, metrics, models, runs, training
from gencomp_utils.models import (
    MODELS,
    ClassifierConfig,
    DCGANConfig,
    Model,
    State,
    VAEConfig,
    base,
    game,
    vae,
)
from gencomp_utils.models.base import split

RECORDED = sorted(path.parent.name for path in runs.RECORDED.glob("*/run.json"))
NUMBERS = 2 * (training.FINGERPRINT_STEPS + 2 * training.BORDER_STEPS)
SMALL = VAEConfig(epochs=2, batch_size=50)
SMALL_GAME = DCGANConfig(epochs=2, batch_size=50)
SMALL_CLASSIFIER = ClassifierConfig(epochs=2, batch_size=50)


def kind_of(config: Model) -> str:
    return type(config).__name__


@pytest.fixture(scope="module")
def images() -> tuple[torch.Tensor, torch.Tensor]:
    digits = data.load_stand_in()
    return torch.tensor(digits.train_images[:300]), torch.tensor(digits.train_labels[:300]).long()


def train(config: Model, images: tuple[torch.Tensor, torch.Tensor]) -> State:
    state = training.start(config)
    for _ in training.train(state, config, *images):
        pass
    return state


def same_weights(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


# Training


def test_training_lowers_the_loss(images):
    history = train(replace(SMALL, epochs=6), images).history
    assert history[-1]["train_loss"] < history[0]["train_loss"] - 20


@pytest.mark.parametrize("config", [SMALL, SMALL_GAME, SMALL_CLASSIFIER], ids=kind_of)
def test_the_same_settings_give_the_same_weights(images, config):
    few = images[0][:100], images[1][:100]
    first, second = train(config, few), train(config, few)
    assert same_weights(first.network, second.network)
    assert first.history == second.history


@pytest.mark.parametrize(
    ("config", "change"),
    [
        (SMALL, {"seed": 1}),
        (SMALL, {"learning_rate": 1.1e-3}),
        (SMALL, {"beta": 0.9}),
        (SMALL, {"rho": 0.8}),
        (SMALL, {"anneal": True}),
        (SMALL_GAME, {"seed": 1}),
        (SMALL_GAME, {"learning_rate": 1e-3}),
        (SMALL_GAME, {"beta1": 0.9}),
        (SMALL_GAME, {"k": 2}),
        (SMALL_GAME, {"saturating": True}),
        (SMALL_GAME, {"anneal": True}),
        (SMALL_GAME, {"weight_std": None}),
        (SMALL_GAME, {"discriminator_rate": 4e-4}),
        (SMALL_GAME, {"r1": 1.0}),
        (SMALL_GAME, {"average": 0.9}),
        (SMALL_CLASSIFIER, {"seed": 1}),
        (SMALL_CLASSIFIER, {"learning_rate": 1e-3}),
    ],
)
def test_another_setting_gives_other_weights(images, config, change):
    few = images[0][:100], images[1][:100]
    usual, changed = train(config, few), train(replace(config, **change), few)
    assert not same_weights(usual.network, changed.network)


@pytest.mark.parametrize("config", [SMALL, SMALL_GAME, SMALL_CLASSIFIER], ids=kind_of)
def test_the_global_generator_is_left_alone(images, config):
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    train(config, images)
    assert torch.equal(torch.randn(3), expected)


@pytest.mark.parametrize(
    ("config", "scaling"),
    [(SMALL, "as_unit"), (SMALL_GAME, "as_signed"), (SMALL_CLASSIFIER, "as_unit")],
    ids=["vae", "dcgan", "classifier"],
)
def test_each_epoch_sees_every_image_once_in_an_order_of_its_own(config, scaling, monkeypatch):
    seen: list[torch.Tensor] = []
    keep = getattr(base, scaling)
    monkeypatch.setattr(base, scaling, lambda batch: seen.append(batch) or keep(batch))
    state = training.start(config)
    numbered = torch.arange(300, dtype=torch.int16).reshape(-1, 1, 1).expand(-1, 28, 28)
    orders = []
    for epoch in range(2):
        seen.clear()
        list(training.epoch_steps(state, config, numbered, numbered[:, 0, 0].long() % 10, epoch))
        orders.append(torch.cat(seen)[:, 0, 0].tolist())
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(300))
    assert orders[0] != orders[1]


@pytest.mark.parametrize(("k", "iterations"), [(1, 6), (2, 3), (4, 1)])
def test_k_minibatches_are_shown_for_each_generator_step(images, k, iterations):
    config = replace(SMALL_GAME, k=k, epochs=1)
    assert config.steps(len(images[0])) == iterations
    assert train(config, images).losses[0].shape == (iterations, 2)


@pytest.mark.parametrize("config", [SMALL, SMALL_GAME], ids=kind_of)
def test_annealed_rates_fall_along_half_a_cosine_with_each_step(images, config):
    config = replace(config, anneal=True)
    state = training.start(config)
    optimizer = next(iter(state.optimizers.values()))
    rates = [
        optimizer.param_groups[0]["lr"]
        for epoch in range(config.epochs)
        for _ in training.epoch_steps(state, config, *images, epoch)
    ]
    done = np.arange(12) / 12  # two epochs of six steps
    assert rates == pytest.approx(config.learning_rate * (1 + np.cos(np.pi * done)) / 2)


def test_a_classifier_learns(images):
    history = train(replace(SMALL_CLASSIFIER, epochs=8), images).history
    assert history[-1]["train_error"] < 0.5 * history[0]["train_error"]


@pytest.mark.parametrize("config", [SMALL, SMALL_GAME, SMALL_CLASSIFIER], ids=kind_of)
def test_products_in_bfloat16_change_losses_little(images, config):
    losses, names = [], []
    for bfloat16 in (False, True):
        state = training.start(config, bfloat16=bfloat16)
        losses.append(next(training.epoch_steps(state, config, *images, 0))[0])
        names.append(list(state.network.state_dict()))
        assert all(weight.dtype == torch.float32 for weight in state.network.parameters())
    assert not torch.equal(*losses)
    assert torch.allclose(*losses, rtol=0.02)
    assert names[0] == names[1]


def test_small_steps_are_taken_in_float32():
    assert not training.gains_from_bfloat16(VAEConfig(), "cpu")


@pytest.mark.parametrize("config", [SMALL, SMALL_GAME], ids=kind_of)
def test_a_loss_that_is_no_number_stops_training_and_says_what_to_try(images, config):
    config = replace(config, learning_rate=1e30)
    with pytest.raises(training.TrainingDiverged, match=r"epoch [12] of 2; a learning_rate below"):
        train(config, images)


@pytest.mark.parametrize("config", [SMALL, SMALL_GAME, SMALL_CLASSIFIER], ids=kind_of)
def test_a_batch_as_large_as_the_data_is_one_step(images, config):
    """As the report's "Batchsize : 65000" would have it."""
    few = images[0][:50], images[1][:50]
    assert training.seconds_a_step(config, *few) > 0
    assert [len(losses) for losses in train(config, few).losses] == [1, 1]


@pytest.mark.parametrize("kind", MODELS.values())
def test_no_images_are_refused(images, kind):
    none = images[0][:0], images[1][:0]
    with pytest.raises(ValueError, match="images has none"):
        train(kind(), none)
    with pytest.raises(ValueError, match="images has none"):
        training.seconds_a_step(kind(), *none)


def test_a_minibatch_of_one_that_batch_normalisation_cannot_take_is_told_before_training(images):
    few = images[0][:81], images[1][:81]
    with pytest.raises(ValueError, match="batch_size is 20, which leaves a minibatch of one of 81"):
        training.seconds_a_step(ClassifierConfig(batch_size=20), *few)


@pytest.mark.parametrize("config", [SMALL, SMALL_GAME, SMALL_CLASSIFIER], ids=kind_of)
def test_every_epoch_trains_in_training_mode_and_ends_in_evaluation_mode(images, config):
    state, modes = training.start(config), []
    for network in state.networks.values():
        network.register_forward_pre_hook(lambda network, _: modes.append(network.training))
    parts = [part for network in state.networks.values() for part in network.children()]
    for part in parts:
        part.register_forward_pre_hook(lambda part, _: modes.append(part.training))
    for epoch, _ in enumerate(training.train(state, config, *images), 1):
        assert modes
        assert all(modes), f"epoch {epoch}"
        assert not any(network.training for network in state.networks.values())
        modes.clear()


def test_losses_and_history_are_those_of_the_steps(images):
    started = time.perf_counter()
    state = train(SMALL, images)
    passed = time.perf_counter() - started
    assert len(state.losses) == len(state.history) == len(state.seconds) == 2
    for losses, means in zip(state.losses, state.history, strict=True):
        assert losses.shape == (6, 2)
        assert means == {
            "train_loss": pytest.approx(losses[:, 0].mean().item()),
            "train_kl": pytest.approx(losses[:, 1].mean().item()),
        }
    assert all(seconds > 0 for seconds in state.seconds)
    assert sum(state.seconds) <= passed


def test_a_training_goes_on_from_where_it_stands(images):
    state, seen = training.start(SMALL), []
    for _ in training.train(state, SMALL, *images):
        break
    for _ in training.train(state, SMALL, *images):
        seen.append(len(state.history))
    assert seen == [2]
    assert same_weights(state.network, train(SMALL, images).network)


def test_small_products_are_not_computed_in_bfloat16_when_measured(images):
    """Only training is: measurements stay in float32."""
    plain, quick = (training.start(SMALL, bfloat16=quick) for quick in (False, True))
    x = base.as_unit(images[0][:5])
    for state in (plain, quick):
        state.network.eval()
    assert torch.equal(plain.network.encode(x)[0], quick.network.encode(x)[0])
    quick.network.train()
    assert not torch.equal(plain.network.encode(x)[0], quick.network.encode(x)[0])


@pytest.mark.parametrize("able", [{"avx512_bf16": True}, {"amx_bf16": True}, {}, None])
@pytest.mark.parametrize("allowed", [True, False])
def test_bfloat16_is_for_large_steps_on_processors_that_have_it(monkeypatch, able, allowed):
    """PyTorch before 2.11 doesn't say what a processor can."""
    if able is None:
        monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    else:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: allowed)
    large, small = VAEConfig(batch_size=64), VAEConfig(batch_size=63)
    assert training.gains_from_bfloat16(large, "cpu") == (bool(able) and allowed)
    assert not training.gains_from_bfloat16(small, "cpu")
    assert not training.gains_from_bfloat16(large, "mps")


@pytest.mark.parametrize(
    ("cuda", "mps", "device"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_the_fastest_device_is_chosen(monkeypatch, cuda, mps, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert training.fastest_device() == device


@pytest.mark.parametrize("kind", MODELS.values())
def test_no_number_of_a_training_has_64_bits_which_apples_gpus_lack(images, kind):
    class Refusing(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            made = function(*args, **kwargs or {})
            assert not (isinstance(made, torch.Tensor) and made.dtype == torch.float64), function
            return made

    with Refusing():
        config = kind(epochs=1)
        state = training.start(config)
        for step in islice(training.epoch_steps(state, config, *images, 0), 2):
            step.sum()


@pytest.mark.parametrize(("device", "order"), [("cpu", True), ("cuda", True), ("mps", False)])
def test_networks_are_in_channels_last_order_but_on_apples_gpus(monkeypatch, device, order):
    """There the gradient of batch normalisation is wrong in this order."""
    to, asked = nn.Module.to, []
    monkeypatch.setattr(
        nn.Module, "to", lambda network, device, **how: asked.append(device) or to(network, **how)
    )
    state = training.start(DCGANConfig(), device)
    assert asked == [device] * 2
    for network in state.networks.values():
        kernels = [weight for weight in network.parameters() if weight.ndim == 4]
        alike = [
            w.stride() == w.contiguous(memory_format=torch.channels_last).stride() for w in kernels
        ]
        assert all(alike) == order


# Fingerprints of the recorded runs


def off_by(run: runs.Run, config: Model) -> float:
    """Largest relative difference from the recorded losses; infinite where one is no number."""
    images, labels, _, _ = split(config, data.load_mnist())
    losses = np.array(training.fingerprint(config, images, labels))
    recorded = np.array(run.fingerprint)
    return float(np.nan_to_num(np.abs(losses / recorded - 1), nan=np.inf).max())


@pytest.mark.parametrize("config", [kind() for kind in MODELS.values()], ids=kind_of)
def test_the_losses_of_each_kind_come_again_on_both_sides_of_an_epochs_end(config, mnist):
    images, labels, _, _ = split(config, data.load_mnist())
    border = training.fingerprint(config, images, labels, steps=0)
    assert len(border) == 4 * training.BORDER_STEPS
    assert border == pytest.approx(runs.recorded(config).fingerprint[-len(border) :], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", RECORDED)
def test_the_first_losses_of_a_recorded_run_come_again(name, mnist):
    run = runs.load(runs.RECORDED / name)
    assert len(run.fingerprint) == NUMBERS
    assert off_by(run, run.config) < 1e-4


ON_AN_OLD_PROCESSOR = """
import torch
from gencomp_utils import data, training
from gencomp_utils.models import ClassifierConfig
from gencomp_utils.models.base import split
torch.set_num_threads(1)
images, labels, *_ = split(ClassifierConfig(), data.load_mnist())
print(*training.fingerprint(ClassifierConfig(), images, labels))
"""


@pytest.mark.slow
def test_a_fingerprint_comes_again_where_matrix_products_round_differently(mnist):
    """Those of images in float32 do, by processor; Adam makes a per cent of it in ten steps."""
    old = os.environ | {"MKL_CBWR": "SSE4_2", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}
    told = run([sys.executable, "-c", ON_AN_OLD_PROCESSOR], ROOT, env=old)
    recorded = runs.recorded(ClassifierConfig()).fingerprint
    assert [*map(float, told.split())] == pytest.approx(recorded, rel=1e-6)


@pytest.mark.parametrize("setting", ["learning_rate", "seed", "rho", "beta"])
def test_the_fingerprint_of_a_vae_tells_another_setting(setting, mnist):
    assert off_by(runs.recorded(VAEConfig()), changed(VAEConfig(), setting)) > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["learning_rate", "seed", "beta1"])
def test_the_fingerprint_of_a_dcgan_tells_another_setting(setting, mnist):
    assert off_by(runs.recorded(DCGANConfig()), changed(DCGANConfig(), setting)) > 1e-4


def changed(config: Model, setting: str) -> Model:
    value = getattr(config, setting)
    return replace(config, **{setting: value + 1 if setting == "seed" else value * 0.9})


def test_the_fingerprint_tells_another_sign_of_the_kl(mnist, monkeypatch):
    kl = vae.kl_to_standard_normal
    monkeypatch.setattr(vae, "kl_to_standard_normal", lambda *terms: -kl(*terms))
    assert off_by(runs.recorded(VAEConfig()), VAEConfig()) > 1e-3


def test_the_fingerprint_tells_a_scale_without_gradient(mnist, monkeypatch):
    draw = vae.reparameterize
    monkeypatch.setattr(
        vae, "reparameterize", lambda mean, scale, noise: draw(mean, scale.detach(), noise)
    )
    assert off_by(runs.recorded(VAEConfig()), VAEConfig()) > 1e-4


@pytest.mark.slow
def test_the_fingerprint_tells_a_discriminator_step_that_reaches_the_generator(mnist, monkeypatch):
    """Without a detached sample and without cleared gradients, D's step leaks into G's."""

    def descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    monkeypatch.setattr(game, "at_rest", lambda network: nullcontext())
    monkeypatch.setattr(game, "descend", descend)
    assert off_by(runs.recorded(DCGANConfig()), DCGANConfig()) > 1e-4


# Recorded measurements


@pytest.mark.slow
def test_the_recorded_measurements_of_a_vae_come_again(mnist):
    run = runs.recorded(VAEConfig())
    images = torch.tensor(data.load_mnist().test_images)
    generator = models.stream(run.config.seed, "evaluation")
    draws = int(run.metrics["test_elbo_draws"])
    bound = metrics.elbo(run.network(), images, generator, draws).mean().item()
    assert bound == pytest.approx(run.metrics["test_elbo"], abs=0.01)
    evidence = metrics.log_evidence_grid(run.network(), images, points=301).mean().item()
    assert evidence == pytest.approx(run.metrics["test_log_evidence"], abs=0.05)
    assert bound < evidence


@pytest.mark.slow
def test_the_recorded_measurements_of_a_dcgan_come_again(mnist):
    """Up to what half precision does to the weights."""
    run, images = runs.recorded(DCGANConfig()), torch.tensor(data.load_mnist().test_images)
    judge = runs.recorded(ClassifierConfig()).network()
    noise = models.stream(run.config.seed, "measured", run.config.epochs - 1)
    z = torch.randn(len(images), run.config.latent_dim, generator=noise)
    measured = metrics.Reference(judge, images).compare(run.sample(z))
    for name in ("frechet_distance", "precision", "recall", "confidence", "sharpness"):
        assert measured[name] == pytest.approx(run.history[-1][name], rel=0.02, abs=0.005)


@pytest.mark.slow
def test_the_recorded_classifier_names_enough_test_images(mnist):
    digits, run = data.load_mnist(), runs.recorded(ClassifierConfig())
    images, labels = torch.tensor(digits.test_images), torch.tensor(digits.test_labels)
    accuracy = models.accuracy(run.network(), images, labels)
    assert accuracy >= 0.994
    assert accuracy == pytest.approx(run.history[-1]["test_accuracy"], abs=5e-4)
