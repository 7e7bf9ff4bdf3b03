"""Small networks for games and autoencoders in one and two dimensions."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from gencomp_utils.models.base import initialise, stream
from gencomp_utils.models.game import GAN

_ANGLES = torch.arange(8) * math.pi / 4
RING = 2 * torch.stack([_ANGLES.cos(), _ANGLES.sin()], dim=1)  # centres of its eight modes
_NEAR = 0.25  # from a centre, for a sample to be good


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


def draw_ring(*shape: int, generator: torch.Generator) -> Tensor:
    """Draw from the ring: its eight modes, equally likely, each with standard deviation 0.05.

    Gives points of shape ``(*shape, 2)``; the generator is on the CPU.

    Examples
    --------
    >>> draw_ring(8, 64, generator=torch.Generator().manual_seed(0)).shape
    torch.Size([8, 64, 2])
    """
    modes = torch.randint(8, shape, generator=generator)
    return RING[modes] + 0.05 * torch.randn(*shape, 2, generator=generator)


def ring_games(
    copies: int, lr_g: float, lr_d: float
) -> tuple[GAN, Callable[[], Tensor], Callable[[], Tensor]]:
    """Start the eight games of "Speeds and lost modes", so many copies of each, side by side.

    Copies begin and go on with the same weights, data and noise, so they differ by what is done to
    them. Gives the players, game i of copy c at 8 c + i, and what draws minibatches of data from
    the ring and of noise, shape (8 · copies, 64, 2). Adam's learning rates are lr_g and lr_d.

    Examples
    --------
    >>> gan, draw_data, draw_noise = ring_games(copies=3, lr_g=0.01, lr_d=0.003)
    >>> gan.generator(draw_noise()).shape == draw_data().shape == (24, 64, 2)
    True
    """
    if copies < 1:
        raise ValueError(f"copies is {copies}, but must be at least 1")
    players, adams = [], []
    for role, outputs, lr in (("generator", 2, lr_g), ("discriminator", 1, lr_d)):
        weights = [stream(i % 8, role) for i in range(8 * copies)]
        player = SideBySide([fully_connected([2, 32, 32, outputs], w) for w in weights])
        adams.append(torch.optim.Adam(player.parameters(), lr, (0.5, 0.999), fused=True))
        players.append(player)
    data, noise = stream(0, "data"), stream(0, "noise")

    def draw_data() -> Tensor:
        return draw_ring(8, 64, generator=data).repeat(copies, 1, 1)

    def draw_noise() -> Tensor:
        return torch.randn(8, 64, 2, generator=noise).repeat(copies, 1, 1)

    return GAN(players[0], players[1], adams[0], adams[1]), draw_data, draw_noise


def modes_found(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Count the modes of the ring that each game's samples, shape (games, n, 2), cover.

    A sample is good if it lies within 0.25 of a centre; a mode is covered by 20 good samples. Gives
    the numbers of modes and the shares of good samples, shape (games,) each.

    Examples
    --------
    >>> modes_found(RING[:2].repeat(1, 20, 1))
    (tensor([2]), tensor([1.]))
    """
    good = (torch.cdist(samples, RING) < _NEAR).any(dim=-1)
    return covered(samples).sum(dim=-1), good.float().mean(dim=-1)


def covered(samples: Tensor) -> Tensor:
    """Tell which modes :func:`modes_found` counts of the same samples, shape (games, 8)."""
    return (torch.cdist(samples, RING) < _NEAR).sum(dim=1) >= 20
