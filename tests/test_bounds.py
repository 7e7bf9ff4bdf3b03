"""Bounds on log p(x) lie in their order, and the grid integrates what it should."""

import math

import pytest
import torch
from torch.distributions import Normal

from gencomp_utils import data, training
from gencomp_utils.metrics import bounds
from gencomp_utils.models import VAE, VAEConfig, as_unit, bernoulli_cross_entropy, split


def images(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=generator)


# The importance-weighted bound


def test_more_draws_tighten_the_bound_up_to_the_evidence():
    vae = VAE(2, torch.Generator().manual_seed(0))
    with torch.no_grad():  # so that the posterior is far from what the encoder says
        vae.decoder[0].weight *= 3
        vae.decoder[-1].weight *= 3
    few = images(20)
    found = [
        bounds.importance_weighted(vae, few, torch.Generator().manual_seed(1), draws=k)
        for k in (1, 20, 400)
    ]
    means = [bound.mean().item() for bound in found]
    assert means == sorted(means)
    evidence = bounds.log_evidence_grid(vae, few, points=121)
    assert means[2] == pytest.approx(evidence.mean().item(), abs=0.5)
    assert means[2] < evidence.mean().item() + 0.2


# Bounds on log p(x)


@pytest.fixture(scope="module")
def vae() -> VAE:
    """A network that has learned a little."""
    digits = data.load_stand_in()
    config = VAEConfig(epochs=4, batch_size=50)
    state = training.start(config)
    images, labels, _, _ = split(config, digits)
    for _ in training.train(state, config, images[:300], labels[:300]):
        pass
    return state.networks["vae"]


@pytest.fixture(scope="module")
def unseen() -> torch.Tensor:
    return torch.tensor(data.load_stand_in().test_images[:20])


def test_the_bound_stays_below_log_p(vae, unseen):
    evidence = bounds.log_evidence_grid(vae, unseen, points=121)
    draws = torch.stack(
        [bounds.elbo(vae, unseen, torch.Generator().manual_seed(i)) for i in range(200)]
    )
    error = draws.std(dim=0) / math.sqrt(200)
    assert (draws.mean(dim=0) < evidence + 4 * error).all()


@torch.no_grad()
def test_a_weight_is_the_joint_density_over_that_of_q(vae, unseen):
    found = bounds.importance_weighted(vae, unseen, torch.Generator().manual_seed(0), draws=1)
    x = as_unit(unseen)
    mean, log_variance = vae.encode(x)
    q, prior = Normal(mean, torch.exp(0.5 * log_variance)), Normal(0.0, 1.0)
    z = q.mean + q.stddev * torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    log_weight = (prior.log_prob(z) - q.log_prob(z)).sum(dim=1) - vae.reconstruction(z, x)
    assert torch.allclose(found, log_weight.double(), atol=1e-3)


def test_several_draws_are_averaged(vae, unseen):
    together = bounds.elbo(vae, unseen, torch.Generator().manual_seed(0), draws=3)
    generator = torch.Generator().manual_seed(0)
    one_by_one = torch.stack([bounds.elbo(vae, unseen, generator) for _ in range(3)])
    assert torch.allclose(together, one_by_one.mean(dim=0))


def test_the_grid_has_converged(vae, unseen):
    coarse, fine = (bounds.log_evidence_grid(vae, unseen, points) for points in (60, 121))
    assert torch.allclose(coarse, fine, atol=1e-3)


def test_the_grid_integrates_a_decoder_that_ignores_its_code():
    vae = VAE(2, torch.Generator().manual_seed(0))
    torch.nn.init.zeros_(vae.decoder[0].weight)
    images = torch.randint(0, 256, (3, 28, 28), dtype=torch.uint8)
    logits = vae.decode(torch.zeros(3, 2))
    expected = -bernoulli_cross_entropy(logits, as_unit(images)).double()
    evidence = bounds.log_evidence_grid(vae, images, points=101)
    assert torch.allclose(evidence, expected, atol=1e-3)


def test_a_grid_over_more_than_two_dimensions_is_refused():
    vae = VAE(3, torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="3 code dimensions, but a grid is feasible for 2"):
        bounds.log_evidence_grid(vae, torch.zeros(1, 28, 28, dtype=torch.uint8), 11)
