"""Likelihoods of grey pixels: probabilities of 256 levels, their gradients, draws and means."""

import math

import pytest
import scipy.stats
import torch
from torch import nn

from gencomp_utils import data, metrics
from gencomp_utils.models import VAE, GreyVAEConfig, as_unit, grey_vae, stream, vae
from gencomp_utils.models.grey_vae import GaussianVAE, LogisticVAE, log_gaussian, log_logistic

LEVELS = torch.arange(256, dtype=torch.float64) / 255
WIDTH = 1 / 255
KINDS = {log_logistic: scipy.stats.logistic, log_gaussian: scipy.stats.norm}
SHAPES = [(0.5, 0.1), (-1.0, 0.3), (0.2, 0.001), (0.0, 1.0), (3.0, 0.5), (0.9, 0.01)]


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.tensor(data.load_stand_in().train_images[:40])


def constant(location: float, scale: float) -> LogisticVAE:
    """A network that gives all pixels the same distribution."""
    network = LogisticVAE(2, stream(0, "here")).eval()
    last = network.decoder[-1]
    nn.init.zeros_(last.weight)
    last.bias.data = torch.tensor([location, math.log(scale)])
    return network


def total(log_probability, location=0.5, scale=0.1) -> float:
    shape = (torch.tensor(value, dtype=torch.float64) for value in (location, scale))
    return log_probability(LEVELS, *shape).exp().sum().item()


# One pixel


def test_a_pixels_probabilities_are_those_found_by_hand():
    """The location is the border of levels 0 and 1, and the scale is a level's width."""
    shape = torch.tensor(WIDTH / 2, dtype=torch.float64), torch.tensor(WIDTH, dtype=torch.float64)
    logistic, gaussian = (of(LEVELS, *shape).exp() for of in (log_logistic, log_gaussian))
    assert logistic[:3].tolist() == pytest.approx([0.5, 0.2310585786, 0.1497384994])
    assert gaussian[:3].tolist() == pytest.approx([0.5, 0.3413447461, 0.1359051220])
    assert log_logistic(LEVELS, *shape)[255].item() == pytest.approx(-254)


@pytest.mark.parametrize(("location", "scale"), SHAPES)
@pytest.mark.parametrize("of", KINDS)
def test_the_probabilities_sum_to_one_and_are_differences_of_scipys(of, location, scale):
    assert total(of, location, scale) == pytest.approx(1, abs=1e-12)
    cdf = KINDS[of](location, scale).cdf
    expected = cdf(LEVELS + WIDTH / 2) - cdf(LEVELS - WIDTH / 2)
    expected[0], expected[255] = cdf(WIDTH / 2), 1 - cdf(1 - WIDTH / 2)
    shape = (torch.tensor(value, dtype=torch.float64) for value in (location, scale))
    found = of(LEVELS, *shape).exp().numpy()
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("of", KINDS)
def test_gradients_are_those_of_finite_differences(of):
    shapes = [torch.tensor(values).double().repeat_interleave(4) for values in zip(*SHAPES[:2])]  # noqa: B905
    location, scale = (values.requires_grad_() for values in shapes)
    x = torch.tensor([0, 1, 128, 255]).double().repeat(2) / 255
    assert torch.autograd.gradcheck(lambda *shape: of(x, *shape), (location, scale))


@pytest.mark.parametrize("of", KINDS)
@pytest.mark.parametrize(("location", "scale"), SHAPES)
def test_gradients_stay_finite_in_float32(of, location, scale):
    shape = [torch.full((256,), value, requires_grad=True) for value in (location, scale)]
    of(LEVELS.float(), *shape).sum().backward()
    assert all(value.grad.isfinite().all() for value in shape)


@pytest.mark.parametrize("of", KINDS)
def test_levels_of_another_width_are_noticed(of, monkeypatch):
    """A planted mistake: 256 levels are 255 steps apart."""
    monkeypatch.setattr(grey_vae, "LEVEL", 1 / 256)
    assert abs(total(of) - 1) > 1e-3


# Images


@pytest.mark.parametrize(("location", "scale"), [(0.5, 0.1), (-0.5, 0.3), (0.9, 0.4)])
def test_draws_follow_the_levels_and_their_mean_is_the_mean_image(location, scale):
    network, z = constant(location, scale), torch.zeros(100, 2)
    made = (255 * network.draw(z, stream(0, "draws"))).round()
    assert made.shape == (100, 1, 28, 28)
    shape = torch.tensor(location), torch.tensor(scale)
    for level in (0, 255):
        expected = log_logistic(torch.tensor(level / 255), *shape).exp().item()
        assert (made == level).double().mean().item() == pytest.approx(expected, abs=0.006)
    assert (made / 255).mean().item() == pytest.approx(network.mean(z).mean().item(), abs=0.004)


def test_a_scale_is_kept_from_0_and_at_most_1():
    for asked, kept in ((1e-9, math.exp(-7)), (0.2, 0.2), (50.0, 1.0)):
        scale = constant(0.5, asked).location_scale(torch.zeros(1, 2))[1]
        assert scale.mean().item() == pytest.approx(kept, rel=1e-5)


def test_black_pixels_cost_nothing_without_a_small_scale():
    blank = torch.zeros(1, 1, 28, 28)
    assert constant(-9.0, 0.5).reconstruction(torch.zeros(1, 2), blank).item() < 1e-4


def test_the_gaussians_variance_is_best_where_it_is_the_mean_squared_error(images):
    network, x = GaussianVAE(2, stream(0, "here")), as_unit(images)
    z = torch.zeros(len(x), 2)
    error = (x - network.mean(z)).square().mean()
    network.log_scale.data = 0.5 * error.log().detach()
    network.reconstruction(z, x).mean().backward()
    assert network.log_scale.grad.item() == pytest.approx(0, abs=1e-2)
    by_hand = 392 * (1 + math.log(2 * math.pi * error.item())) + 784 * math.log(255)
    assert network.reconstruction(z, x).mean().item() == pytest.approx(by_hand, rel=1e-5)
    drawn = network.draw(torch.zeros(50, 2), stream(0, "draws"))
    assert 0 <= drawn.min() < drawn.max() <= 1


def test_the_density_is_that_of_the_levels_away_from_black_and_white():
    network = GaussianVAE(2, stream(0, "here"))
    x, z = torch.full((1, 1, 28, 28), 100 / 255), torch.zeros(1, 2)
    assert network.levels(z, x).item() == pytest.approx(
        -network.reconstruction(z, x).item(), rel=1e-4
    )


# The model


@pytest.mark.parametrize("gaussian", [False, True])
def test_the_bounds_are_of_the_networks_own_likelihood(gaussian, images):
    network = next(iter(GreyVAEConfig(gaussian=gaussian).networks().values())).eval()
    x = as_unit(images)
    noise = torch.randn(len(x), 20, generator=stream(0, "noise"))
    mean, log_variance = network.encode(x)
    z = vae.reparameterize(mean, log_variance, noise)
    cost = network.reconstruction(z, x)
    bound = -(cost + vae.kl_to_standard_normal(mean, log_variance)).double()
    assert torch.allclose(metrics.elbo(network, images, stream(0, "noise")), bound)
    ratio = 0.5 * (log_variance + noise**2 - z**2).sum(dim=1)
    weighted = metrics.importance_weighted(network, images, stream(0, "noise"), draws=1)
    assert torch.allclose(weighted, (ratio - cost).double())


@pytest.mark.parametrize("gaussian", [False, True])
def test_a_short_training_lowers_the_loss(gaussian):
    config = GreyVAEConfig(latent_dim=2, gaussian=gaussian, batch_size=10)
    networks = config.networks()
    state = vae.State(networks, {role: config.optimizer(net) for role, net in networks.items()})
    images = torch.tensor(data.load_stand_in().train_images[:600])
    losses = torch.stack(list(config.epoch(state, images, images, 0)))[:, 0]
    assert losses.isfinite().all()
    assert losses[-20:].mean() < losses[:20].mean() - 100
    made = config.sample(networks["vae"].eval(), torch.zeros(3, 2))
    assert made.dtype == torch.uint8
    assert made.shape == (3, 28, 28)


def test_the_networks_have_the_vaes_layers_and_one_pixel_more():
    def count(network: nn.Module) -> int:
        return sum(weight.numel() for weight in network.parameters())

    plain = count(VAE(20, stream(0, "here")))
    assert count(GaussianVAE(20, stream(0, "here"))) == plain + 1
    assert count(LogisticVAE(20, stream(0, "here"))) == plain + 16 * 4 * 4 + 1


def test_a_switch_is_asked_for():
    with pytest.raises(ValueError, match="gaussian is 1, but must be True or False"):
        GreyVAEConfig(gaussian=1)
