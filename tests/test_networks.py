"""Networks: shapes, sizes, kinds of layers, and weights drawn from their own source alone."""

import pytest
import torch
from torch import nn

from gencomp_utils.networks import VAE, Classifier, DCGANDiscriminator, DCGANGenerator

NETWORKS = {
    "generator": lambda g: DCGANGenerator(100, g),
    "discriminator": DCGANDiscriminator,
    "classifier": Classifier,
    "vae": lambda g: VAE(2, g),
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def layers(network, kind):
    return [layer for layer in network.modules() if isinstance(layer, kind)]


def megabytes_in_float16(network):
    return 2 * sum(tensor.numel() for tensor in network.state_dict().values()) / 1e6


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_weights_come_from_the_given_source_alone(make):
    torch.manual_seed(1)
    expected = torch.randn(3)
    torch.manual_seed(1)
    first, again, other = make(seeded()), make(seeded()), make(seeded(1))
    assert torch.equal(torch.randn(3), expected)
    pairs = list(zip(first.parameters(), again.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    pairs = zip(first.parameters(), other.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)


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


@pytest.mark.parametrize(("name", "limit"), [("generator", 3.0), ("classifier", 0.5)])
def test_networks_are_small_enough_to_be_recorded(name, limit):
    assert megabytes_in_float16(NETWORKS[name](seeded())) <= limit


def test_a_classifiers_answer_is_read_from_its_features():
    classifier = Classifier(seeded()).eval()
    x = torch.rand(4, 1, 28, 28, generator=seeded())
    features = classifier.features(x)
    assert features.shape == (4, 64)
    assert torch.equal(classifier(x), classifier.answer(features))


def test_noise_without_coordinates_is_refused():
    with pytest.raises(ValueError, match="latent_dim is 0, but must be at least 1"):
        DCGANGenerator(0, seeded())
