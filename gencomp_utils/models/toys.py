"""Small networks for games and autoencoders in one and two dimensions."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

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


class SideBySide(nn.Module):
    """Networks of one shape, each for its own slice of the input, run together to save time.

    Takes inputs of shape (networks, batch, inputs). A loss that is a mean over all of them gives
    each network its own gradient, divided by their number, which Adam's steps don't notice.

    Parameters
    ----------
    networks
        From :func:`fully_connected`, copied; a ValueError if there are none or their widths differ.

    Examples
    --------
    >>> weights = torch.Generator().manual_seed(0)
    >>> games = SideBySide([fully_connected([2, 16, 1], weights) for _ in range(8)])
    >>> games(torch.zeros(8, 64, 2)).shape
    torch.Size([8, 64, 1])
    """

    def __init__(self, networks: Sequence[nn.Sequential]) -> None:
        super().__init__()
        shapes = {tuple(weights.shape for weights in net.parameters()) for net in networks}
        if len(shapes) != 1:
            raise ValueError(f"networks must have one shape, but have {len(shapes)}")
        same = list(zip(*(net.parameters() for net in networks), strict=True))
        self.weights = nn.ParameterList(torch.stack([w.detach().T for w in ws]) for ws in same[::2])
        self.biases = nn.ParameterList(torch.stack(bs).detach()[:, None] for bs in same[1::2])
        self._layers = list(zip(self.weights, self.biases, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """Give outputs of shape (networks, batch, outputs)."""
        for i, (weights, biases) in enumerate(self._layers):
            x = torch.baddbmm(biases, torch.tanh(x) if i else x, weights)
        return x
