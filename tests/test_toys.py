"""Small networks have the widths that were asked for, or refuse, alone and side by side."""

import pytest
import torch
from torch import nn

from gencomp_utils.models.toys import RING, SideBySide, fully_connected, modes_found, ring_games


def test_layers_follow_the_widths_with_a_tanh_between():
    network = fully_connected([2, 5, 3, 1], torch.Generator().manual_seed(0))
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(2, 5), (5, 3), (3, 1)]
    assert [type(layer) for layer in network] == [nn.Linear, nn.Tanh] * 2 + [nn.Linear]


@pytest.mark.parametrize("widths", [[2], [2, 0, 1]])
def test_widths_that_make_no_network_are_refused(widths):
    with pytest.raises(ValueError, match="widths is"):
        fully_connected(widths, torch.Generator())


# Several networks side by side


def some(count: int) -> list[nn.Sequential]:
    weights = torch.Generator().manual_seed(0)
    return [fully_connected([2, 5, 3, 1], weights) for _ in range(count)]


def test_networks_side_by_side_do_what_each_does_alone_and_learn_from_their_own_slice():
    alone, x = some(3), torch.randn(3, 7, 2, generator=torch.Generator().manual_seed(1))
    together = SideBySide(alone)
    each = torch.stack([network(part) for network, part in zip(alone, x, strict=True)])
    assert torch.allclose(together(x), each, atol=1e-6)
    together(x).square().mean().backward()
    for network, part in zip(alone, x, strict=True):
        network(part).square().mean().backward()
    first = torch.stack([network[0].weight.grad for network in alone])
    assert torch.allclose(together.weights[0].grad.mT * 3, first, atol=1e-6)


def test_networks_side_by_side_are_copies():
    alone = some(2)
    before = alone[0][0].weight.clone()
    together = SideBySide(alone)
    with torch.no_grad():
        for weights in together.parameters():
            weights.zero_()
    assert torch.equal(alone[0][0].weight, before)


@pytest.mark.parametrize("widths", [[], [[2, 5, 1], [2, 4, 1]]])
def test_networks_of_different_shapes_are_refused(widths):
    weights = torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match="networks must have one shape"):
        SideBySide([fully_connected(each, weights) for each in widths])


# The ring


def test_copies_of_a_game_begin_alike_and_draw_alike():
    gan, draw_data, draw_noise = ring_games(copies=2, lr_g=0.01, lr_d=0.003)
    for drawn in (draw_data(), draw_noise(), gan.generator(draw_noise())):
        assert torch.equal(drawn[:8], drawn[8:])
        assert not torch.equal(drawn[0], drawn[1])
    assert gan.generator_optimizer.param_groups[0]["lr"] == 0.01
    assert gan.discriminator_optimizer.param_groups[0]["lr"] == 0.003


def test_the_ring_covers_its_modes_and_copies_are_counted():
    _, draw_data, _ = ring_games(copies=1, lr_g=0.01, lr_d=0.003)
    modes, good = modes_found(torch.cat([draw_data() for _ in range(10)], dim=1))
    assert modes.tolist() == [8] * 8
    assert good.min() > 0.999
    with pytest.raises(ValueError, match="copies is 0"):
        ring_games(copies=0, lr_g=0.01, lr_d=0.003)


def test_a_mode_needs_twenty_good_samples():
    few = torch.cat([RING[:1].repeat(19, 1), RING[1:2].repeat(20, 1), RING[:1] + 0.2])
    modes, good = modes_found(few[None])
    assert modes.tolist() == [1]
    assert good.item() == pytest.approx(39 / 40)
