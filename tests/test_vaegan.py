"""The VAE/GAN's three losses reach the networks that they are for, and nothing else."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from gencomp_utils import data, training
from gencomp_utils.models import VAEGANConfig, base, game, vae, vaegan
from gencomp_utils.models.base import State, stream
from gencomp_utils.models.dcgan import DCGANDiscriminator
from gencomp_utils.models.vae import VAE
from gencomp_utils.models.vaegan import VAEGAN, unlikeness

COUNT = 60
SMALL = VAEGANConfig(latent_dim=3, batch_size=COUNT)
AT_REST = replace(SMALL, learning_rate=1e-30)  # gradients are there, but weights stay


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.tensor(data.load_stand_in().train_images[:COUNT])


def one_step(config: VAEGANConfig, images: Tensor) -> tuple[State, Tensor]:
    state = training.start(config)
    (losses,) = training.epoch_steps(state, config, images, images, 0)
    return state, losses


class ByHand:
    """The first step's terms, of networks as they are before it."""

    def __init__(self, config: VAEGANConfig, images: Tensor) -> None:
        networks = training.start(config).networks
        self.vae, self.discriminator = networks["vae"], networks["discriminator"]
        order = torch.randperm(COUNT, generator=stream(config.seed, "order"))
        noise = torch.randn(2, COUNT, config.latent_dim, generator=stream(config.seed, "noise"))
        self.x = base.as_signed(images[order])
        mean, log_variance = self.vae.encode(self.x)
        z = mean + (log_variance / 2).exp() * noise[0]
        self.made = self.vae.decode(torch.cat([z, noise[1]]))
        self.kl = vae.kl_to_standard_normal(mean, log_variance).mean()
        features = self.discriminator.layers[:5]
        apart = features(self.made[:COUNT]) - features(self.x)
        self.likeness = (apart**2).sum(dim=(1, 2, 3)).mean() / 2
        judged = self.discriminator(self.made)
        self.fooling = -torch.sigmoid(judged).log().mean()
        made_up = torch.sigmoid(-self.discriminator(self.made.detach())).log().mean()
        self.d_loss = -torch.sigmoid(self.discriminator(self.x)).log().mean() - made_up


def gradient(loss: Tensor, network: nn.Module) -> Tensor:
    weights = list(network.parameters())
    parts = torch.autograd.grad(loss, weights, retain_graph=True, materialize_grads=True)
    return torch.cat([part.flatten() for part in parts])


def received(network: nn.Module) -> Tensor:
    return torch.cat([weight.grad.flatten() for weight in network.parameters()])


def same(first: Tensor, second: Tensor) -> bool:
    return bool((first - second).norm() < 1e-3 * second.norm())


# Which gradient goes where


def test_the_encoder_is_moved_by_kl_and_unlikeness_and_not_by_fooling(images):
    state, losses = one_step(AT_REST, images)
    hand = ByHand(AT_REST, images)
    encoder = hand.vae.encoder
    grads = received(state.networks["vae"].encoder)
    assert same(grads, gradient(hand.kl + hand.likeness, encoder))
    assert losses[1].item() == pytest.approx((hand.kl + hand.likeness).item(), rel=1e-4)
    # The test could tell each of these from that.
    assert not same(grads, gradient(hand.likeness, encoder))
    assert not same(grads, gradient(hand.kl + hand.likeness + hand.fooling, encoder))


@pytest.mark.parametrize("gamma", [0.01, 0.5])
def test_the_decoder_is_moved_by_weighed_unlikeness_and_fooling_and_not_by_kl(images, gamma):
    config = replace(AT_REST, gamma=gamma)
    state, _ = one_step(config, images)
    hand = ByHand(config, images)
    decoder = hand.vae.decoder
    grads = received(state.networks["vae"].decoder)
    assert same(grads, gradient(gamma * hand.likeness + hand.fooling, decoder))
    assert not same(grads, gradient(hand.likeness + hand.fooling, decoder))
    assert not same(grads, gradient(hand.fooling, decoder))
    assert not same(grads, gradient(gamma * hand.likeness, decoder))
    assert gradient(hand.kl, decoder).count_nonzero() == 0


def test_with_gamma_0_the_decoder_is_a_pure_player_of_the_gan(images):
    state, _ = one_step(replace(AT_REST, gamma=0), images)
    hand = ByHand(AT_REST, images)
    grads = received(state.networks["vae"].decoder)
    assert same(grads, gradient(hand.fooling, hand.vae.decoder))


def test_reconstructions_and_draws_both_are_to_fool_the_discriminator(images):
    state, _ = one_step(replace(AT_REST, gamma=0), images)
    hand = ByHand(AT_REST, images)
    grads = received(state.networks["vae"].decoder)
    for part in hand.made.split(COUNT):
        alone = game.non_saturating_loss(hand.discriminator(part))
        assert not same(grads, gradient(alone, hand.vae.decoder))


def test_the_discriminator_is_moved_by_its_own_loss_alone(images):
    state, losses = one_step(AT_REST, images)
    hand = ByHand(AT_REST, images)
    grads = received(state.networks["discriminator"])
    assert same(grads, gradient(hand.d_loss, hand.discriminator))
    assert losses[0].item() == pytest.approx(hand.d_loss.item(), rel=1e-4)
    for other in (hand.likeness, hand.fooling):
        assert not same(grads, gradient(hand.d_loss + other, hand.discriminator))


def test_the_discriminator_rests_while_encoder_and_decoder_move(images):
    """After a step it is, running statistics too, as its own step alone would leave it."""
    state, _ = one_step(SMALL, images)
    hand = ByHand(SMALL, images)
    alone = training.start(SMALL)
    discriminator = alone.networks["discriminator"].train()
    optimizer = alone.optimizers["discriminator"]
    game.discriminator_step(discriminator, optimizer, hand.x, hand.made.detach())
    moved = state.networks["discriminator"].state_dict()
    for key, value in discriminator.state_dict().items():
        torch.testing.assert_close(moved[key], value, rtol=1e-3, atol=2e-5, msg=key)
    tracked = [value for key, value in moved.items() if key.endswith("num_batches_tracked")]
    assert tracked
    assert set(map(int, tracked)) == {2}  # real images, made ones
    assert all(weight.requires_grad for weight in state.networks["discriminator"].parameters())


def test_encoder_decoder_and_discriminator_all_move(images):
    before, (after, _) = SMALL.networks(), one_step(SMALL, images)
    for old, new in (
        (before["vae"].encoder, after.networks["vae"].encoder),
        (before["vae"].decoder, after.networks["vae"].decoder),
        (before["discriminator"], after.networks["discriminator"]),
    ):
        pairs = zip(old.parameters(), new.parameters(), strict=True)
        assert all(not torch.equal(first, second) for first, second in pairs)


# Unlikeness


def test_equal_images_are_not_unlike(images):
    discriminator = DCGANDiscriminator(torch.Generator().manual_seed(0)).eval()
    x = base.as_signed(images[:8])
    assert unlikeness(discriminator, x, x).tolist() == [0.0] * 8
    assert unlikeness(discriminator, x, x.roll(1, dims=3)).min() > 0


def test_in_features_that_double_pixels_unlikeness_is_twice_the_squared_error():
    """By hand: two pixels are apart by 1 and 3, their features by 2 and 6; half of 4 + 36."""
    discriminator = DCGANDiscriminator(torch.Generator().manual_seed(0))
    double = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(double.weight, 2.0)
    rest = [nn.Identity() for _ in range(4)]
    unused = nn.Conv2d(1, 1, 1)
    discriminator.layers = nn.Sequential(double, *rest, unused)
    x = torch.tensor([[[[1.0, 0.0]]], [[[1.0, 1.0]]]])
    rebuilt = torch.tensor([[[[0.0, 3.0]]], [[[1.0, 1.0]]]])
    assert unlikeness(discriminator, x, rebuilt).tolist() == [20.0, 0.0]


def test_the_features_are_those_of_the_second_leaky_layer(images):
    discriminator = SMALL.networks()["discriminator"]
    layers = discriminator.layers[: vaegan._FEATURES]
    assert isinstance(layers[-1], nn.LeakyReLU)
    assert layers(base.as_signed(images[:2])).shape == (2, 64, 7, 7)


# Networks, codes and samples


def test_networks_have_the_shapes_and_the_order_that_a_run_keeps(images):
    networks = VAEGANConfig().networks()
    assert list(networks) == ["vae", "discriminator"]
    x = base.as_signed(images[:6])
    mean, log_variance = networks["vae"].encode(x)
    assert mean.shape == log_variance.shape == (6, 20)
    rebuilt = networks["vae"].decode(mean)
    assert rebuilt.shape == x.shape
    assert rebuilt.abs().max() <= 1
    assert networks["discriminator"](rebuilt).shape == (6, 1)


def test_encoder_and_decoder_have_about_the_weights_of_the_vae_with_20_dimensions():
    def count(network: nn.Module) -> int:
        return sum(weight.numel() for weight in network.parameters())

    ours, theirs = VAEGANConfig().networks(), VAE(20, torch.Generator().manual_seed(0))
    assert count(ours["vae"]) == pytest.approx(count(theirs), rel=0.15)
    assert count(ours["discriminator"]) < 0.3 * count(ours["vae"])


def test_pixels_are_from_0_to_1_and_samples_are_their_bytes():
    network = SMALL.networks()["vae"].eval()
    z = 3 * torch.randn(5, 3, generator=stream(0, "here"))
    pixels = SMALL.pixels(network, z)
    torch.testing.assert_close(2 * pixels - 1, network.decode(z), rtol=0, atol=1e-6)
    made = SMALL.sample(network, z)
    assert made.dtype == torch.uint8
    assert made.shape == (5, 28, 28)
    assert (made - 255 * pixels.squeeze(1)).abs().max() <= 0.5


def test_codes_are_the_means_and_of_each_image_alone(images):
    network = SMALL.networks()["vae"].eval()
    codes = SMALL.codes(network, images)
    assert torch.allclose(codes, network.encode(base.as_signed(images))[0], atol=1e-5)
    assert torch.allclose(SMALL.codes(network, images[7:8]), codes[7:8], atol=1e-5)


def test_an_encoder_in_training_mode_gives_no_codes(images):
    with pytest.raises(ValueError, match="VAEGAN in training mode"):
        SMALL.codes(SMALL.networks()["vae"], images)


# Settings


@pytest.mark.parametrize(
    ("setting", "value", "right"),
    [
        ("gamma", -0.1, "a number from 0 up"),
        ("gamma", float("nan"), "a number from 0 up"),
        ("latent_dim", 0, "an integer from 1 up"),
        ("batch_size", 1, "an integer from 2 up"),
        ("epochs", 0, "an integer from 1 up"),
        ("learning_rate", 0, "a number above 0"),
        ("beta1", 1, "a number from 0 up and below 1"),
        ("seed", -1, "an integer from 0 up"),
    ],
)
def test_settings_out_of_bounds_are_refused(setting, value, right):
    with pytest.raises(ValueError, match=f"{setting} is {value}, but must be {right}"):
        VAEGANConfig(**{setting: value})


def test_a_code_without_dimensions_is_refused():
    with pytest.raises(ValueError, match="latent_dim is 0, but must be at least 1"):
        VAEGAN(0, torch.Generator())


@pytest.mark.parametrize("change", [{"gamma": 0.5}, {"seed": 1}, {"learning_rate": 1e-3}])
def test_another_setting_gives_other_weights_and_the_same_the_same(images, change):
    usual, again, other = (
        one_step(config, images)[0].networks["vae"].decoder.layers[1].weight
        for config in (SMALL, SMALL, replace(SMALL, **change))
    )
    assert torch.equal(usual, again)
    assert not torch.equal(usual, other)


def test_each_epoch_shows_each_image_once_and_draws_noise_of_its_own(images, monkeypatch):
    noises: list[Tensor] = []
    draw = vaegan.reparameterize
    monkeypatch.setattr(
        vaegan, "reparameterize", lambda m, v, e: noises.append(e.clone()) or draw(m, v, e)
    )
    shown: list[Tensor] = []
    scale = base.as_signed
    monkeypatch.setattr(base, "as_signed", lambda batch: shown.append(batch) or scale(batch))
    numbered = torch.arange(COUNT, dtype=torch.uint8).reshape(-1, 1, 1).expand(-1, 28, 28)
    config = replace(SMALL, batch_size=20)
    state = training.start(config)
    for epoch in range(2):
        list(training.epoch_steps(state, config, numbered, numbered, epoch))
    orders = torch.cat(shown)[:, 0, 0].reshape(2, COUNT).tolist()
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(COUNT))
    assert orders[0] != orders[1]
    assert len({tuple(noise.flatten().tolist()) for noise in noises}) == 6
    assert config.steps(59) == 2  # what doesn't fill a minibatch is left out


def test_too_few_images_for_a_minibatch_are_refused(images):
    with pytest.raises(ValueError, match="images has 59, but a minibatch needs 60"):
        one_step(SMALL, images[:59])
