"""From images back to codes, and what comes back: by an encoder, or by a search."""

from typing import Any

import torch
from torch import Tensor

from gencomp_utils.models.base import Model, anneal, as_unit

_RATE = 0.1  # Adam's first step size, in units of the prior's standard deviation


def squared_error(images: Tensor, rebuilt: Tensor) -> Tensor:
    """Give the squared error of each image in bytes, shape (n,), with pixels in [0, 1].

    Examples
    --------
    >>> squared_error(torch.zeros(1, 28, 28).byte(), torch.full((1, 28, 28), 255).byte())
    tensor([784.])
    """
    return (as_unit(images) - as_unit(rebuilt)).square().flatten(1).sum(dim=1)


def invert(
    config: Model[Any],
    network: Any,
    images: Tensor,
    generator: torch.Generator,
    starts: int = 4,
    steps: int = 200,
) -> Tensor:
    """Find codes, shape (n, latent_dim), that decode to images in bytes, shape (n, 28, 28).

    From each of several draws from N(0, I) Adam descends the squared error of the pixels, with a
    falling step size; the best end is kept, which need not be the best code. The network is in
    evaluation mode; fewer than one start is a ValueError. Source: Creswell and Bharath (2018),
    arXiv:1802.05701, without a prior's term.
    """
    if starts < 1:
        raise ValueError(f"starts is {starts}, but must be at least 1")
    target = as_unit(images).repeat(starts, 1, 1, 1)
    z = torch.randn(len(target), config.latent_dim, generator=generator).requires_grad_()
    optimizer = torch.optim.Adam([z], _RATE)

    def errors() -> Tensor:
        return (config.pixels(network, z) - target).square().flatten(1).sum(dim=1)

    for step in range(steps):
        anneal(optimizer, _RATE, step / steps)
        (z.grad,) = torch.autograd.grad(errors().sum(), [z])
        optimizer.step()
    with torch.no_grad():
        best = errors().reshape(starts, -1).argmin(dim=0)
    ends = z.detach().reshape(starts, len(images), -1)
    return ends[best, torch.arange(len(images))]
