"""What is measured on a trained model: its bound, and log p(x) where a grid gives it."""

import math

import torch
from torch import Tensor

from gencomp_utils.networks import VAE
from gencomp_utils.training import as_unit, vae_loss


@torch.no_grad()
def elbo(vae: VAE, images: Tensor, generator: torch.Generator, draws: int = 1) -> Tensor:
    """Estimate the evidence lower bound (13) of each image.

    Parameters
    ----------
    vae : VAE
    images : Tensor of uint8, shape (n, 28, 28)
    generator : torch.Generator
        Source of the noise, on the CPU.
    draws : int
        Draws of z averaged for each image.

    Returns
    -------
    Tensor of float64, shape (n,)
        Nats per image.
    """
    bounds = []
    for batch in images.split(1000):
        x = as_unit(batch)
        total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        for _ in range(draws):
            noise = torch.randn(len(x), vae.latent_dim, generator=generator).to(x.device)
            reconstruction, kl = vae_loss(vae, x, noise)
            total -= reconstruction.double() + kl.double()
        bounds.append(total / draws)
    return torch.cat(bounds)


@torch.no_grad()
def log_evidence_grid(vae: VAE, images: Tensor, points: int, half_width: float = 6.0) -> Tensor:
    r"""Integrate ``p(x|z) p(z)`` over 2-D codes by a grid, for each image.

    Parameters
    ----------
    vae : VAE
        With two code dimensions.
    images : Tensor of uint8, shape (n, 28, 28)
    points : int
        Grid points along each axis. The sum converges fast once their distance is below the
        width of the narrowest posterior; compare two values to see that it has.
    half_width : float
        The grid covers [−half_width, half_width] in both dimensions.

    Returns
    -------
    Tensor of float64, shape (n,)
        :math:`\log p(x)` in nats. What lies outside the square is left out, so the value is a
        little low.

    Raises
    ------
    ValueError
        If the codes have another number of dimensions than two.
    """
    if vae.latent_dim != 2:
        raise ValueError(
            f"vae has {vae.latent_dim} code dimensions, but a grid is feasible for 2 only"
        )
    axis = torch.linspace(-half_width, half_width, points, device=images.device)
    log_cell = 2 * math.log(2 * half_width / (points - 1))
    pixels = as_unit(images).flatten(1)
    total = torch.full((len(images),), -math.inf, dtype=torch.float64, device=images.device)
    for z in torch.cartesian_prod(axis, axis).split(2048):
        logits = vae.decode(z).flatten(1)
        # log p(x|z) is linear in x: x · logits − Σ log(1 + exp(logits))
        log_weight = (
            -torch.nn.functional.softplus(logits).double().sum(dim=1)
            - 0.5 * z.double().square().sum(dim=1)
            - math.log(2 * math.pi)
            + log_cell
        )
        for part, sums in zip(pixels.split(2000), total.split(2000), strict=True):
            log_joint = (part @ logits.T).double() + log_weight
            torch.logaddexp(sums, torch.logsumexp(log_joint, dim=1), out=sums)
    return total
