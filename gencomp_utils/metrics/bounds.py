"""Bounds on log p(x) of a VAE, and log p(x) itself for codes of two dimensions; nats per image."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from gencomp_utils.models.base import as_unit
from gencomp_utils.models.vae import VAE, reparameterize, vae_loss

_BLOCK = 1000


@torch.no_grad()
def elbo(vae: VAE, images: Tensor, generator: torch.Generator, draws: int = 1) -> Tensor:
    """Estimate the evidence lower bound (13) of each image.

    Images are bytes, on the network's device; the noise comes from the generator, on the CPU; for
    each image so many draws of z are averaged. Gives float64, shape (n,).
    """
    bounds = []
    for batch in images.split(_BLOCK):
        x = as_unit(batch)
        total = torch.zeros(len(x), dtype=torch.float64)
        for noise in _noise(vae, x, generator, draws):
            reconstruction, kl = vae_loss(vae, x, noise)
            total -= reconstruction.cpu().double() + kl.cpu().double()
        bounds.append(total / draws)
    return torch.cat(bounds)


@torch.no_grad()
def importance_weighted(vae: VAE, images: Tensor, generator: torch.Generator, draws: int) -> Tensor:
    r"""Estimate the importance-weighted bound on :math:`\log p(x)` of each image.

    As :func:`elbo`, but with the draws' weights averaged within the logarithm: at most log p(x) in
    expectation, and closer to it for more draws; for one draw it is an estimate of (13). Source:
    Burda et al. (2016), arXiv:1509.00519.
    """
    bounds = []
    for batch in images.split(_BLOCK):
        x = as_unit(batch)
        mean, log_variance = vae.encode(x)
        total = torch.full((len(x),), -math.inf, dtype=torch.float64)
        for noise in _noise(vae, x, generator, draws):
            z = reparameterize(mean, log_variance, noise)
            # The constants of both Gaussians cancel.
            log_ratio = 0.5 * (log_variance + noise**2 - z**2).cpu().double().sum(dim=1)
            log_weight = log_ratio - vae.reconstruction(z, x).cpu().double()
            total = torch.logaddexp(total, log_weight)
        bounds.append(total - math.log(draws))
    return torch.cat(bounds)


def _noise(vae: VAE, x: Tensor, generator: torch.Generator, draws: int) -> Iterator[Tensor]:
    for _ in range(draws):
        yield torch.randn(len(x), vae.latent_dim, generator=generator).to(x.device)


@torch.no_grad()
def log_evidence_grid(vae: VAE, images: Tensor, points: int, half_width: float = 6.0) -> Tensor:
    r"""Integrate ``p(x|z) p(z)`` over 2-D codes by a grid, for each image.

    The grid has `points` along each axis, from −half_width to half_width. The sum converges fast
    once their distance is below the width of the narrowest posterior; compare two values to see
    that it has. What lies outside the square is left out, so log p(x) is a little low. Images are
    bytes, on the network's device. A ValueError if codes haven't two dimensions.
    """
    if vae.latent_dim != 2:
        raise ValueError(
            f"vae has {vae.latent_dim} code dimensions, but a grid is feasible for 2 only"
        )
    axis = torch.linspace(-half_width, half_width, points, device=images.device)
    log_cell = 2 * math.log(2 * half_width / (points - 1))
    pixels = as_unit(images).flatten(1)
    total = torch.full((len(images),), -math.inf, dtype=torch.float64)
    for z in torch.cartesian_prod(axis, axis).split(512):
        logits = vae.decode(z).flatten(1)
        # log p(x|z) is linear in x: x · logits − Σ log(1 + exp(logits))
        log_weight = (
            -F.softplus(logits).cpu().double().sum(dim=1)
            - 0.5 * z.cpu().double().square().sum(dim=1)
            - math.log(2 * math.pi)
            + log_cell
        )
        for part, sums in zip(pixels.split(2000), total.split(2000), strict=True):
            log_joint = (part @ logits.T).cpu().double() + log_weight
            torch.logaddexp(sums, torch.logsumexp(log_joint, dim=1), out=sums)
    return total
