"""The DCGAN's networks have the layers of the paper, and an epoch is Algorithm 1 on images."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from gencomp_utils import data
from gencomp_utils.models import DCGANConfig, game
from gencomp_utils.models.base import as_signed
from gencomp_utils.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gencomp_utils.training import epoch_steps, start


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def layers(network, kind):
    return [layer for layer in network.modules() if isinstance(layer, kind)]


def test_noise_becomes_images_in_range_and_images_become_logits():
    images = DCGANGenerator(100, seeded())(torch.randn(6, 100, generator=seeded()))
    assert images.shape == (6, 1, 28, 28)
    assert images.abs().max() <= 1
    assert DCGANDiscriminator(seeded())(images).shape == (6, 1)


def test_a_dcgan_has_no_pooling_and_no_hidden_full_layer():
    generator, discriminator = DCGANGenerator(100, seeded()), DCGANDiscriminator(seeded())
    for network in (generator, discriminator):
        assert not layers(network, nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d)
    assert not layers(generator, nn.Linear)
    assert [layer.out_features for layer in layers(discriminator, nn.Linear)] == [1]
    assert all(layer.stride == (2, 2) for layer in layers(discriminator, nn.Conv2d))


def test_batch_normalisation_is_left_off_the_output_and_the_input():
    generator, discriminator = DCGANGenerator(100, seeded()), DCGANDiscriminator(seeded())
    assert len(layers(generator, nn.BatchNorm2d)) == len(layers(generator, nn.ConvTranspose2d)) - 1
    assert isinstance(list(generator.layers)[-2], nn.ConvTranspose2d)
    assert isinstance(list(discriminator.layers)[1], nn.LeakyReLU)
    plain = DCGANGenerator(100, seeded(), batch_norm=False)
    assert not layers(plain, nn.BatchNorm2d)
    assert all(layer.bias is not None for layer in layers(plain, nn.ConvTranspose2d))


def test_a_dcgans_weights_have_the_reports_spread():
    for network in (DCGANGenerator(100, seeded()), DCGANDiscriminator(seeded())):
        for layer in layers(network, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            assert layer.weight.mean().item() == pytest.approx(0.0, abs=2e-3)
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
    glorot = DCGANGenerator(100, seeded(), weight_std=None)
    assert layers(glorot, nn.ConvTranspose2d)[-1].weight.std().item() > 0.03


def test_leaky_units_pass_a_fifth():
    leaky = layers(DCGANDiscriminator(seeded()), nn.LeakyReLU)
    assert {unit.negative_slope for unit in leaky} == {0.2}


def test_noise_without_coordinates_is_refused():
    with pytest.raises(ValueError, match="latent_dim is 0, but must be at least 1"):
        DCGANGenerator(0, seeded())


def test_samples_are_bytes_over_the_whole_range():
    """Ends of tanh are paper and ink, and rounding is to the nearest byte."""
    generator = DCGANGenerator(2, seeded()).eval()
    z = torch.randn(3, 2, generator=seeded())
    images = DCGANConfig(latent_dim=2).sample(generator, z)
    exact = (generator(z) + 1) / 2 * 255
    assert images.dtype == torch.uint8
    assert (images - exact.squeeze(1)).abs().max() <= 0.5


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.tensor(data.load_stand_in().train_images[:120])


def test_too_few_images_for_an_iteration_are_refused(images):
    config = DCGANConfig(batch_size=50, k=3)
    with pytest.raises(ValueError, match="images has 120, but 3 minibatches of 50 need 150"):
        next(epoch_steps(start(config), config, images, images, 0))


def test_both_players_are_moved_by_adam_with_the_settings_numbers():
    config = DCGANConfig(learning_rate=0.01, beta1=0.3)
    for optimizer in start(config).optimizers.values():
        group = optimizer.param_groups[0]
        assert (group["lr"], group["betas"]) == (0.01, (0.3, 0.999))


@pytest.mark.parametrize(
    ("saturating", "loss"), [(True, game.saturating_loss), (False, game.non_saturating_loss)]
)
def test_the_generator_lessens_the_loss_that_is_asked_for(images, monkeypatch, saturating, loss):
    seen = []
    monkeypatch.setattr(game, loss.__name__, lambda logits: seen.append(1) or loss(logits))
    config = DCGANConfig(batch_size=60, saturating=saturating)
    list(epoch_steps(start(config), config, images, images, 0))
    assert len(seen) == 2


def test_r1_keeps_the_discriminators_slope_low(images):
    def slope(config):
        state = start(config)
        for epoch in range(4):
            list(epoch_steps(state, config, images, images, epoch))
        real = as_signed(images)
        return game.r1_penalty(state.networks["discriminator"].train(), real, real)

    assert slope(DCGANConfig(batch_size=20, r1=10)) < slope(DCGANConfig(batch_size=20)) / 2


@pytest.mark.parametrize("anneal", [False, True])
def test_each_player_has_its_own_rate(images, anneal):
    config = DCGANConfig(epochs=2, discriminator_rate=4e-4, anneal=anneal)
    state = start(config)
    for epoch in range(2):
        list(epoch_steps(state, config, images, images, epoch))
    rates = {role: adam.param_groups[0]["lr"] for role, adam in state.optimizers.items()}
    assert rates["discriminator"] == pytest.approx(2 * rates["generator"])
    assert (rates["generator"] < 2e-4) == anneal


def test_the_generator_that_is_kept_is_the_average_of_those_on_the_way(images):
    """Batch normalisation's statistics too; the game itself is played as without it."""
    config = DCGANConfig(batch_size=30, average=0.75)
    state, plain = start(config), start(replace(config, average=0))
    expected = {name: weight.clone() for name, weight in state.network.state_dict().items()}
    list(epoch_steps(plain, replace(config, average=0), images, images, 0))
    for _ in epoch_steps(state, config, images, images, 0):
        for name, weight in state.networks["generator"].state_dict().items():
            mean = 0.75 * expected[name] + 0.25 * weight
            expected[name] = mean if weight.is_floating_point() else weight
    for name, weight in state.network.state_dict().items():
        assert torch.allclose(weight, expected[name], atol=1e-6), name
    for role, network in plain.networks.items():
        pairs = zip(network.parameters(), state.networks[role].parameters(), strict=True)
        assert all(torch.equal(*pair) for pair in pairs), role
