"""Small networks for games and autoencoders in one and two dimensions."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from gencomp_utils.models.base import initialise


def fully_connected(widths: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Make a small fully connected network that is smooth in its input.

    Widths are numbers of inputs, of units in each hidden layer, and of outputs; two or more, and
    positive, or there is a ValueError. Hyperbolic tangents stand between linear layers. Initial
    weights (Glorot's uniform) come from the generator, on the CPU; biases are zero.

    Examples
    --------
    >>> network = fully_connected([2, 16, 1], torch.Generator().manual_seed(0))
    >>> network(torch.zeros(5, 2)).shape
    torch.Size([5, 1])
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(
            f"widths is {list(widths)}, but must be two or more positive numbers, such as "
            "[2, 64, 1]"
        )
    layers: list[nn.Module] = []
    with torch.random.fork_rng(devices=[]):  # layers draw weights that are replaced below
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.Tanh()]
    network = nn.Sequential(*layers[:-1])
    initialise(network, generator)
    return network
