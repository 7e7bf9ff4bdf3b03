"""The game's losses are those of (3), and Algorithm 1 moves whom it should, when it should."""

import math

import pytest
import torch

from gencomp_utils.models import game
from gencomp_utils.models.toys import fully_connected

# Algorithm 1


def gan(seed: int = 0, rate: float = 0.1) -> game.GAN:
    weights = torch.Generator().manual_seed(seed)
    players = [fully_connected([1, 8, 1], weights) for _ in range(2)]
    steps = [torch.optim.SGD(player.parameters(), lr=rate) for player in players]
    return game.GAN(*players, *steps)


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
    players = game.GAN(generator, discriminator, *steps)
    losses = list(game.algorithm_1(players, *minibatches(1), iterations=1500))
    assert len(losses) == 1500
    assert generator.bias.item() == pytest.approx(3.0, abs=0.25)
    assert losses[-1][0].item() == pytest.approx(math.log(4), abs=0.15)


def test_the_same_streams_give_the_same_players():
    ends = []
    for _ in range(2):
        players = gan()
        list(game.algorithm_1(players, *minibatches(1), iterations=5, k=2))
        ends.append((weights_of(players.generator), weights_of(players.discriminator)))
    assert all(map(torch.equal, *ends))


def test_players_are_as_free_after_the_game_as_before():
    players = gan()
    list(game.algorithm_1(players, *minibatches(1), iterations=1))
    for player in (players.generator, players.discriminator):
        assert all(weight.requires_grad for weight in player.parameters())


def test_a_network_at_rest_keeps_what_was_frozen_before_and_wakes_after_an_error():
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    network[0].bias.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    x = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    with game.at_rest(network):
        network(x)
    with pytest.raises(RuntimeError, match="shapes"), game.at_rest(network):
        network(x[:, :1])
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert [weight.requires_grad for weight in network.parameters()] == [True, False, True, True]
    network(x)
    assert network[1].num_batches_tracked == 1


@pytest.mark.parametrize("logit", [-80.0, -3.0, 0.0, 3.0, 80.0])
def test_the_losses_are_logarithms_of_probabilities_and_stay_finite(logit):
    logits = torch.tensor([logit], dtype=torch.float64, requires_grad=True)
    fooled = torch.sigmoid(logits.detach())
    saturating = game.saturating_loss(logits)
    (slope,) = torch.autograd.grad(saturating, logits)
    assert slope.item() == pytest.approx(-fooled.item(), rel=1e-12)
    other = game.non_saturating_loss(logits)
    (slope,) = torch.autograd.grad(other, logits)
    assert slope.item() == pytest.approx(-torch.sigmoid(-logits.detach()).item(), rel=1e-12)
    assert math.isfinite(saturating.item())
    assert math.isfinite(other.item())
    value = -game.discriminator_loss(logits, logits).item()
    assert value == pytest.approx(-abs(logit) - 2 * math.log1p(math.exp(-abs(logit))))


@pytest.mark.parametrize("name", ["iterations", "k"])
def test_a_game_without_steps_is_refused(name):
    settings = {"iterations": 1, "k": 1, name: 0}
    with pytest.raises(ValueError, match=f"{name} is 0, but must be at least 1"):
        next(game.algorithm_1(gan(), *minibatches(1), **settings))


def test_a_penalty_moves_the_discriminator_and_is_no_part_of_its_loss():
    ends = []
    for size in (0.0, 10.0):
        players = gan()

        def penalty(discriminator, real, fake, size=size):
            assert real.shape == fake.shape == (64, 1)
            return size * discriminator(real).square().mean()

        (losses,) = game.algorithm_1(players, *minibatches(1), 1, penalty=penalty)
        ends.append((losses[0].item(), weights_of(players.discriminator)))
    (plain, free), (penalised, bound) = ends
    assert plain == penalised
    assert not torch.equal(free, bound)


def test_r1_is_half_the_mean_square_of_the_slope_at_real_samples():
    """The logit's slope is cos(x₁) and 2: at (0, 0) and (π/2, 0) its square is 5 and 4."""

    class Wave(torch.nn.Module):
        def forward(self, x):
            return x[:, :1].sin() + 2 * x[:, 1:]

    real, fake = torch.tensor([[0.0, 0.0], [math.pi / 2, 0.0]]), torch.ones(2, 2)
    assert game.r1_penalty(Wave(), real, fake).item() == pytest.approx((5 + 4) / 4)
