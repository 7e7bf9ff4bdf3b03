"""A training does what its settings say, the same each time, and the recorded ones come again."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

from gencomp_utils import data, evaluation, experiments, runs, training
from gencomp_utils.settings import ClassifierConfig, Config, DCGANConfig, VAEConfig

RECORDED = sorted(path.parent.name for path in runs.RECORDED.glob("*/run.json"))
SMALL = VAEConfig(epochs=2, batch_size=50)
SMALL_GAME = DCGANConfig(epochs=2, batch_size=50)
SMALL_CLASSIFIER = ClassifierConfig(epochs=2, batch_size=50)


def kind_of(config: Config) -> str:
    return type(config).__name__


@pytest.fixture(scope="module")
def images() -> tuple[torch.Tensor, torch.Tensor]:
    digits = data.load_stand_in()
    return torch.tensor(digits.train_images[:300]), torch.tensor(digits.train_labels[:300]).long()


def train(config: Config, images: tuple[torch.Tensor, torch.Tensor]) -> experiments.State:
    state = experiments.start(config)
    for _ in experiments.train(state, config, *images):
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
    first, second = train(config, images), train(config, images)
    assert same_weights(first.model, second.model)
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
        (SMALL_CLASSIFIER, {"seed": 1}),
        (SMALL_CLASSIFIER, {"learning_rate": 1e-3}),
    ],
)
def test_another_setting_gives_other_weights(images, config, change):
    usual, changed = train(config, images), train(replace(config, **change), images)
    assert not same_weights(usual.model, changed.model)


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
    keep = getattr(training, scaling)
    monkeypatch.setattr(training, scaling, lambda batch: seen.append(batch) or keep(batch))
    state = experiments.start(config)
    numbered = torch.arange(300, dtype=torch.int16).reshape(-1, 1, 1).expand(-1, 28, 28)
    orders = []
    for epoch in range(2):
        seen.clear()
        list(experiments.epoch_steps(state, config, numbered, numbered[:, 0, 0].long() % 10, epoch))
        orders.append(torch.cat(seen)[:, 0, 0].tolist())
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(300))
    assert orders[0] != orders[1]


@pytest.mark.parametrize(("k", "iterations"), [(1, 6), (2, 3), (4, 1)])
def test_k_minibatches_are_shown_for_each_generator_step(images, k, iterations):
    config = replace(SMALL_GAME, k=k, epochs=1)
    assert experiments.steps_in_epoch(config, images[0]) == iterations
    assert train(config, images).losses[0].shape == (iterations, 2)


def test_too_few_images_for_an_iteration_are_refused(images):
    with pytest.raises(ValueError, match="images has 300, but 7 minibatches of 50 need 350"):
        train(replace(SMALL_GAME, k=7), images)


def test_annealing_ends_at_rest(images):
    """The last steps of an annealed training are small beside the first."""
    config = replace(SMALL_GAME, anneal=True)
    state = experiments.start(config)
    moved = []
    for epoch in range(config.epochs):
        for _ in experiments.epoch_steps(state, config, *images, epoch):
            moved.append(state.optimizers["generator"].param_groups[0]["lr"])
    assert moved[0] == config.learning_rate
    assert moved == sorted(moved, reverse=True)
    assert moved[-1] < 0.1 * moved[0]


def test_a_classifier_learns(images):
    history = train(replace(SMALL_CLASSIFIER, epochs=8), images).history
    assert history[-1]["train_error"] < 0.5 * history[0]["train_error"]


@pytest.mark.parametrize("config", [SMALL, SMALL_GAME, SMALL_CLASSIFIER], ids=kind_of)
def test_products_in_bfloat16_change_losses_little(images, config):
    losses, names = [], []
    for bfloat16 in (False, True):
        state = experiments.start(config)
        steps = list(experiments.epoch_steps(state, config, *images, 0, bfloat16))
        losses.append(steps[0][0])
        names.append(list(state.model.state_dict()))
        assert all(weight.dtype == torch.float32 for weight in state.model.parameters())
    assert not torch.equal(*losses)
    assert torch.allclose(*losses, rtol=0.02)
    assert names[0] == names[1]


def test_small_steps_are_taken_in_float32():
    assert not experiments.gains_from_bfloat16(VAEConfig(), "cpu")


@pytest.mark.parametrize("config", [SMALL, SMALL_GAME], ids=kind_of)
def test_a_loss_that_is_no_number_stops_training_and_says_what_to_try(images, config):
    config = replace(config, learning_rate=1e30)
    with pytest.raises(
        experiments.TrainingDiverged, match=r"epoch [12] of 2; a learning_rate below"
    ):
        train(config, images)


# Fingerprints of the recorded runs


def off_by(run: runs.Run, config: Config) -> float:
    """Largest relative difference from the recorded losses; infinite where one is no number."""
    images, labels, _, _ = runs.split(config, data.load_mnist())
    losses = np.array(experiments.fingerprint(config, images, labels))
    recorded = np.array(run.fingerprint)
    return float(np.nan_to_num(np.abs(losses / recorded - 1), nan=np.inf).max())


@pytest.mark.slow
@pytest.mark.parametrize("name", RECORDED)
def test_the_first_losses_of_a_recorded_run_come_again(name, mnist):
    run = runs.load(runs.RECORDED / name)
    assert len(run.fingerprint) == 2 * experiments.FINGERPRINT_STEPS
    assert off_by(run, run.config) < 1e-4


@pytest.mark.parametrize("setting", ["learning_rate", "seed", "rho", "beta"])
def test_the_fingerprint_of_a_vae_tells_another_setting(setting, mnist):
    assert off_by(runs.recorded(VAEConfig()), changed(VAEConfig(), setting)) > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["learning_rate", "seed", "beta1"])
def test_the_fingerprint_of_a_dcgan_tells_another_setting(setting, mnist):
    assert off_by(runs.recorded(DCGANConfig()), changed(DCGANConfig(), setting)) > 1e-4


def changed(config: Config, setting: str) -> Config:
    value = getattr(config, setting)
    return replace(config, **{setting: value + 1 if setting == "seed" else value * 0.9})


def test_the_fingerprint_tells_another_sign_of_the_kl(mnist, monkeypatch):
    kl = training.kl_to_standard_normal
    monkeypatch.setattr(training, "kl_to_standard_normal", lambda *terms: -kl(*terms))
    assert off_by(runs.recorded(VAEConfig()), VAEConfig()) > 1e-3


def test_the_fingerprint_tells_a_scale_without_gradient(mnist, monkeypatch):
    draw = training.reparameterize
    monkeypatch.setattr(
        training, "reparameterize", lambda mean, scale, noise: draw(mean, scale.detach(), noise)
    )
    assert off_by(runs.recorded(VAEConfig()), VAEConfig()) > 1e-4


@pytest.mark.slow
def test_the_fingerprint_tells_a_discriminator_step_that_reaches_the_generator(mnist, monkeypatch):
    """Without a detached sample and without cleared gradients, D's step leaks into G's."""

    def descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    monkeypatch.setattr(training, "at_rest", lambda network: nullcontext())
    monkeypatch.setattr(training, "descend", descend)
    assert off_by(runs.recorded(DCGANConfig()), DCGANConfig()) > 1e-4


# Recorded measurements


@pytest.mark.slow
def test_the_recorded_measurements_of_a_vae_come_again(mnist):
    run = runs.recorded(VAEConfig())
    images = torch.tensor(data.load_mnist().test_images)
    generator = training.stream(run.config.seed, "evaluation")
    draws = int(run.metrics["test_elbo_draws"])
    bound = evaluation.elbo(run.vae(), images, generator, draws).mean().item()
    assert bound == pytest.approx(run.metrics["test_elbo"], abs=0.01)
    evidence = evaluation.log_evidence_grid(run.vae(), images, points=301).mean().item()
    assert evidence == pytest.approx(run.metrics["test_log_evidence"], abs=0.05)
    assert bound < evidence


@pytest.mark.slow
def test_the_recorded_measurements_of_a_dcgan_come_again(mnist):
    """Up to what half precision does to the weights."""
    run, images = runs.recorded(DCGANConfig()), torch.tensor(data.load_mnist().test_images)
    judge = runs.recorded(ClassifierConfig()).classifier()
    noise = training.stream(run.config.seed, "measured", run.config.epochs - 1)
    z = torch.randn(len(images), run.config.latent_dim, generator=noise)
    measured = evaluation.Reference(judge, images).compare(evaluation.images_of(run.generator(), z))
    for name in ("frechet_distance", "precision", "recall", "confidence", "sharpness"):
        assert measured[name] == pytest.approx(run.history[-1][name], rel=0.02, abs=0.005)


@pytest.mark.slow
def test_the_recorded_classifier_names_enough_test_images(mnist):
    digits, run = data.load_mnist(), runs.recorded(ClassifierConfig())
    images, labels = torch.tensor(digits.test_images), torch.tensor(digits.test_labels)
    accuracy = evaluation.accuracy(run.classifier(), images, labels)
    assert accuracy >= 0.994
    assert accuracy == pytest.approx(run.history[-1]["test_accuracy"], abs=5e-4)
