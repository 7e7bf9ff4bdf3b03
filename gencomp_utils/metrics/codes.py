"""From images back to codes, and what comes back: by an encoder, or by a search."""

from typing import Any

import torch
from torch import Tensor

from gencomp_utils.models.base import Model, as_unit

_RATE = 0.1  # Adam's step size, in units of the prior's standard deviation


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
    """Search for the codes whose images are nearest to given ones, shape (n, latent_dim).

    For each image in bytes, Adam lowers the squared error of pixels from several draws of the
    prior, and the best end is kept. That may not be the nearest image that the network can make.
    The network must be in evaluation mode. The method is that of Creswell and Bharath (2018),
    arXiv:1611.05644.
    """
    shape = starts, len(images), config.latent_dim
    z = torch.randn(shape, generator=generator).flatten(0, 1).requires_grad_()
    target = as_unit(images).repeat(starts, 1, 1, 1)
    optimizer = torch.optim.Adam([z], _RATE)

    def errors() -> Tensor:
        return (config.pixels(network, z) - target).square().flatten(1).sum(dim=1)

    for _ in range(steps):
        (z.grad,) = torch.autograd.grad(errors().sum(), [z])
        optimizer.step()
    with torch.no_grad():
        best = errors().unflatten(0, (starts, -1)).argmin(dim=0)
        found: Tensor = z.unflatten(0, (starts, -1))[best, torch.arange(len(images))]
    return found
