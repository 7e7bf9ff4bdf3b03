"""Losses and loops do what the report's (7), (8) and Algorithm 1 say, and the same each time."""

import math
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

from gencomp_utils import data, evaluation, experiments, runs, training
from gencomp_utils.networks import VAE, fully_connected
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


@pytest.fixture(scope="module")
def unseen() -> torch.Tensor:
    return torch.tensor(data.load_stand_in().test_images[:20])


def train(config: Config, images: tuple[torch.Tensor, torch.Tensor]) -> experiments.State:
    state = experiments.start(config)
    for _ in experiments.train(state, config, *images):
        pass
    return state


def same_weights(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


# Settings


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
        (DCGANConfig, "batch_size", 1),
        (DCGANConfig, "k", 0),
        (DCGANConfig, "learning_rate", math.nan),
        (DCGANConfig, "beta1", 1.0),
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


# Loss


def test_gradients_reach_mean_and_scale_through_the_draw():
    mean, log_variance = (torch.zeros(4, 2, requires_grad=True) for _ in range(2))
    noise = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    training.reparameterize(mean, log_variance, noise).sum().backward()
    assert torch.allclose(mean.grad, torch.ones(4, 2))
    assert torch.allclose(log_variance.grad, noise / 2)


def test_the_loss_of_an_image_does_not_depend_on_the_others(images):
    vae = VAE(2, torch.Generator().manual_seed(0))
    x = training.as_unit(images[0][:8])
    noise = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    together = torch.stack(training.vae_loss(vae, x, noise))
    alone = torch.stack(training.vae_loss(vae, x[3:4], noise[3:4]))
    assert torch.allclose(together[:, 3:4], alone, rtol=1e-5)


def test_codes_are_read_by_the_decoder_from_the_start(images):
    """The decoder's answer moves with z, so training can't begin with codes that are ignored."""
    vae = VAE(2, torch.Generator().manual_seed(0))
    near, far = vae.decode(torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    assert (near - far).abs().max() > 0.01


def test_a_code_without_dimensions_is_refused():
    with pytest.raises(ValueError, match="latent_dim is 0"):
        VAE(0, torch.Generator())


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


# Evaluation


def test_the_bound_stays_below_log_p(images, unseen):
    vae = train(replace(SMALL, epochs=4), images).model
    evidence = evaluation.log_evidence_grid(vae, unseen, points=201)
    draws = torch.stack(
        [evaluation.elbo(vae, unseen, torch.Generator().manual_seed(i)) for i in range(200)]
    )
    error = draws.std(dim=0) / math.sqrt(200)
    assert (draws.mean(dim=0) < evidence + 4 * error).all()


def test_the_grid_has_converged(images, unseen):
    vae = train(SMALL, images).model
    coarse, fine = (evaluation.log_evidence_grid(vae, unseen, points) for points in (151, 301))
    assert torch.allclose(coarse, fine, atol=1e-3)


def test_the_grid_integrates_a_decoder_that_ignores_its_code():
    vae = VAE(2, torch.Generator().manual_seed(0))
    torch.nn.init.zeros_(vae.decoder[0].weight)
    images = torch.randint(0, 256, (3, 28, 28), dtype=torch.uint8)
    logits = vae.decode(torch.zeros(3, 2))
    expected = -training.bernoulli_cross_entropy(logits, training.as_unit(images)).double()
    evidence = evaluation.log_evidence_grid(vae, images, points=101)
    assert torch.allclose(evidence, expected, atol=1e-3)


def test_a_grid_over_more_than_two_dimensions_is_refused():
    vae = VAE(3, torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="3 code dimensions, but a grid is feasible for 2"):
        evaluation.log_evidence_grid(vae, torch.zeros(1, 28, 28, dtype=torch.uint8), 11)


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


# Algorithm 1


def gan(seed: int = 0, rate: float = 0.1) -> training.GAN:
    weights = torch.Generator().manual_seed(seed)
    players = [fully_connected([1, 8, 1], weights) for _ in range(2)]
    steps = [torch.optim.SGD(player.parameters(), lr=rate) for player in players]
    return training.GAN(*players, *steps)


def minibatches(seed: int):
    generator = torch.Generator().manual_seed(seed)
    return (
        lambda: 3 + 0.5 * torch.randn(64, 1, generator=generator),
        lambda: torch.randn(64, 1, generator=generator),
    )


def weights_of(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in network.parameters()])


def test_a_toy_gan_finds_its_data():
    weights = torch.Generator().manual_seed(0)
    generator = torch.nn.Linear(1, 1)
    torch.nn.init.ones_(generator.weight)
    torch.nn.init.zeros_(generator.bias)
    discriminator = fully_connected([1, 16, 1], weights)
    steps = [
        torch.optim.Adam(player.parameters(), lr=0.01, betas=(0.5, 0.999))
        for player in (generator, discriminator)
    ]
    players = training.GAN(generator, discriminator, *steps)
    losses = list(training.algorithm_1(players, *minibatches(1), iterations=1500))
    assert len(losses) == 1500
    assert generator.bias.item() == pytest.approx(3.0, abs=0.25)
    assert losses[-1][0].item() == pytest.approx(math.log(4), abs=0.15)


def test_the_same_streams_give_the_same_players():
    ends = []
    for _ in range(2):
        players = gan()
        list(training.algorithm_1(players, *minibatches(1), iterations=5, k=2))
        ends.append((weights_of(players.generator), weights_of(players.discriminator)))
    assert all(map(torch.equal, *ends))


def test_players_are_as_free_after_the_game_as_before():
    players = gan()
    list(training.algorithm_1(players, *minibatches(1), iterations=1))
    for player in (players.generator, players.discriminator):
        assert all(weight.requires_grad for weight in player.parameters())


def test_a_network_at_rest_keeps_what_was_frozen_before_and_wakes_after_an_error():
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    network[0].bias.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    x = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    with training.at_rest(network):
        network(x)
    with pytest.raises(RuntimeError, match="shapes"), training.at_rest(network):
        network(x[:, :1])
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert [weight.requires_grad for weight in network.parameters()] == [True, False, True, True]
    network(x)
    assert network[1].num_batches_tracked == 1


@pytest.mark.parametrize("logit", [-80.0, -3.0, 0.0, 3.0, 80.0])
def test_the_losses_are_logarithms_of_probabilities_and_stay_finite(logit):
    logits = torch.tensor([logit], dtype=torch.float64, requires_grad=True)
    fooled = torch.sigmoid(logits.detach())
    saturating = training.saturating_loss(logits)
    (slope,) = torch.autograd.grad(saturating, logits)
    assert slope.item() == pytest.approx(-fooled.item(), rel=1e-12)
    other = training.non_saturating_loss(logits)
    (slope,) = torch.autograd.grad(other, logits)
    assert slope.item() == pytest.approx(-torch.sigmoid(-logits.detach()).item(), rel=1e-12)
    assert math.isfinite(saturating.item())
    assert math.isfinite(other.item())
    value = -training.discriminator_loss(logits, logits).item()
    assert value == pytest.approx(-abs(logit) - 2 * math.log1p(math.exp(-abs(logit))))


@pytest.mark.parametrize("name", ["iterations", "k"])
def test_a_game_without_steps_is_refused(name):
    settings = {"iterations": 1, "k": 1, name: 0}
    with pytest.raises(ValueError, match=f"{name} is 0, but must be at least 1"):
        next(training.algorithm_1(gan(), *minibatches(1), **settings))


@pytest.mark.parametrize("widths", [[2], [2, 0, 1]])
def test_widths_that_make_no_network_are_refused(widths):
    with pytest.raises(ValueError, match="widths is"):
        fully_connected(widths, torch.Generator())
