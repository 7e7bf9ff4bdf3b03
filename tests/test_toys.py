"""Small networks have the widths that were asked for, or refuse."""

import pytest
import torch
from torch import nn

from gencomp_utils.models.toys import fully_connected


def test_layers_follow_the_widths_with_a_tanh_between():
    network = fully_connected([2, 5, 3, 1], torch.Generator().manual_seed(0))
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(2, 5), (5, 3), (3, 1)]
    assert [type(layer) for layer in network] == [nn.Linear, nn.Tanh] * 2 + [nn.Linear]


@pytest.mark.parametrize("widths", [[2], [2, 0, 1]])
def test_widths_that_make_no_network_are_refused(widths):
    with pytest.raises(ValueError, match="widths is"):
        fully_connected(widths, torch.Generator())
