"""Codes that are searched for: the nearest of several ends, and the code that made an image."""

import pytest
import torch

from gencomp_utils import metrics
from gencomp_utils.models import VAEConfig
from gencomp_utils.models.vae import VAE

CONFIG = VAEConfig(latent_dim=2)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def vae():
    """A network whose images differ with the code as much as a trained one's."""
    network = VAE(2, seeded()).eval()
    with torch.no_grad():
        network.decoder[-1].weight *= 20
    return network


@pytest.fixture(scope="module")
def images(vae):
    return CONFIG.sample(vae, torch.randn(6, 2, generator=seeded(1)))


def errors(vae, images, starts):
    z = metrics.invert(CONFIG, vae, images, seeded(2), starts=starts, steps=100)
    assert z.shape == (6, 2)
    return metrics.squared_error(images, CONFIG.sample(vae, z))


def test_a_network_s_own_images_are_found(vae, images):
    blank = metrics.squared_error(images, images.flip(0)).mean()
    assert errors(vae, images, starts=4).mean() < 0.02 * blank


def test_the_best_end_of_several_is_kept(vae, images):
    one, four = (errors(vae, images, starts) for starts in (1, 4))
    assert (four <= one + 0.05).all()
    assert four.sum() < one.sum()


def test_a_search_moves_no_weight(vae, images):
    before = {key: value.clone() for key, value in vae.state_dict().items()}
    metrics.invert(CONFIG, vae, images, seeded(), starts=1, steps=2)
    assert all(torch.equal(before[key], value) for key, value in vae.state_dict().items())
    assert all(weight.grad is None for weight in vae.parameters())


def test_the_squared_error_is_summed_over_an_image():
    black, grey = torch.zeros(2, 28, 28).byte(), torch.full((2, 28, 28), 51).byte()
    assert torch.allclose(metrics.squared_error(black, grey), torch.tensor(784 * 0.04))


def test_inversion_refuses_no_start(vae, images):
    with pytest.raises(ValueError, match="starts is 0, but must be at least 1"):
        metrics.invert(CONFIG, vae, images, seeded(), starts=0)
