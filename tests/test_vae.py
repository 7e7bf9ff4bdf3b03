"""The VAE's loss is the report's (7), its steps are (8), and its codes are read."""

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from gencomp_utils import data
from gencomp_utils.models import VAEConfig, base, vae
from gencomp_utils.models.base import State
from gencomp_utils.models.vae import VAE


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.tensor(data.load_stand_in().train_images[:300])


# Loss


def test_gradients_reach_mean_and_scale_through_the_draw():
    mean, log_variance = (torch.zeros(4, 2, requires_grad=True) for _ in range(2))
    noise = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    vae.reparameterize(mean, log_variance, noise).sum().backward()
    assert torch.allclose(mean.grad, torch.ones(4, 2))
    assert torch.allclose(log_variance.grad, noise / 2)


def test_the_loss_of_an_image_does_not_depend_on_the_others(images):
    network = VAE(2, torch.Generator().manual_seed(0))
    x = base.as_unit(images[:8])
    noise = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    together = torch.stack(vae.vae_loss(network, x, noise))
    alone = torch.stack(vae.vae_loss(network, x[3:4], noise[3:4]))
    assert torch.allclose(together[:, 3:4], alone, rtol=1e-5)


def test_codes_are_read_by_the_decoder_from_the_start(images):
    """The decoder's answer moves with z, so training can't begin with codes that are ignored."""
    network = VAE(2, torch.Generator().manual_seed(0))
    near, far = network.decode(torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    assert (near - far).abs().max() > 0.01


def test_a_code_without_dimensions_is_refused():
    with pytest.raises(ValueError, match="latent_dim is 0"):
        VAE(0, torch.Generator())


# Means, weights and streams


def test_the_terms_are_those_of_torch_distributions(images):
    network = VAE(3, torch.Generator().manual_seed(0)).double()
    x = base.as_unit(images[:5]).double()
    noise = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    reconstruction, kl = vae.vae_loss(network, x, noise)
    mean, log_variance = network.encode(x)
    q = Normal(mean, (log_variance / 2).exp())
    pixels = Bernoulli(logits=network.decode(mean + q.stddev * noise), validate_args=False)
    assert torch.allclose(reconstruction, -pixels.log_prob(x).flatten(1).sum(dim=1))
    assert torch.allclose(kl, kl_divergence(q, Normal(0.0, 1.0)).sum(dim=1))


def test_beta_weighs_the_kl_and_nothing_else(images):
    """The loss less β times the KL is the same for every β."""
    rest = []
    for beta in (0.0, 0.5, 2.0):
        config = VAEConfig(beta=beta, batch_size=300)
        (step,) = config.epoch(start(config), images, images, 0)
        measured = config.measure(VAE(2, base.stream(0, "weights")).eval(), images, images, 0)
        rest.append(
            [(step[0] - beta * step[1]).item(), measured["test_loss"] - beta * measured["test_kl"]]
        )
        assert step[1] > 0
    assert rest[0] == pytest.approx(rest[1], rel=1e-5)
    assert rest[0] == pytest.approx(rest[2], rel=1e-5)


def start(config: VAEConfig) -> State:
    networks = config.networks()
    return State(networks, {role: config.optimizer(net) for role, net in networks.items()})


def test_each_epoch_measures_with_noise_of_its_own(images):
    network, config = VAE(2, torch.Generator().manual_seed(0)).eval(), VAEConfig()
    losses = [config.measure(network, images, images, epoch)["test_loss"] for epoch in (0, 1, 0)]
    assert losses[0] == losses[2] != losses[1]


def test_each_epoch_trains_with_noise_of_its_own(images, monkeypatch):
    seen: list[torch.Tensor] = []
    draw = vae.reparameterize
    monkeypatch.setattr(vae, "reparameterize", lambda m, v, e: seen.append(e) or draw(m, v, e))
    config = VAEConfig(batch_size=100)
    for epoch in (0, 1, 0):
        list(config.epoch(start(config), images, images, epoch))
    steps = [noise.flatten().tolist() for noise in seen]
    assert steps[:3] == steps[6:]
    assert len({tuple(step) for step in steps[:6]}) == 6
    assert torch.cat(seen[:6]).std().item() == pytest.approx(1, abs=0.1)


def test_the_step_is_rmsprops_with_the_settings_numbers():
    group = VAEConfig(learning_rate=0.01, rho=0.8).optimizer(torch.nn.Linear(1, 1)).param_groups[0]
    assert (group["lr"], group["alpha"], group["eps"]) == (0.01, 0.8, 1e-7)
    assert (group["momentum"], group["centered"]) == (0, False)


def test_samples_are_the_means_in_bytes_and_codes_those_of_the_encoder(images):
    network = VAE(2, torch.Generator().manual_seed(0)).eval()
    mean, log_variance = vae.encode(network, images[:5])
    direct = network.encode(base.as_unit(images[:5]))
    assert torch.allclose(mean, direct[0])
    assert torch.allclose(log_variance, direct[1])
    means = torch.sigmoid(network.decode(mean))
    assert torch.allclose(vae.decode(network, mean), means)
    made = VAEConfig().sample(network, mean)
    assert made.dtype == torch.uint8
    assert (made - 255 * means.squeeze(1)).abs().max() <= 0.5


def test_a_decoder_halfway_is_grey():
    network = VAE(2, torch.Generator().manual_seed(0)).eval()
    torch.nn.init.zeros_(network.decoder[-1].weight)
    assert set(VAEConfig().sample(network, torch.zeros(1, 2)).flatten().tolist()) == {128}
