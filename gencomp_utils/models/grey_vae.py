"""The VAE with likelihoods of grey pixels: a Gaussian, and a logistic in 256 levels."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencomp_utils.models.base import stream, switch, whole
from gencomp_utils.models.vae import VAE, VAEConfig

LEVEL = 1 / 255  # pixels are in [0, 1]


def log_logistic(x: Tensor, location: Tensor, scale: Tensor) -> Tensor:
    """Give the log-probability of each pixel's level, nats, the shape of x, under a logistic.

    A level has what lies within half a level of it; 0 and 1 have all that is beyond them too, so
    that the 256 probabilities sum to one. Source: Salimans et al. (2017), arXiv:1701.05517.

    Examples
    --------
    >>> round(log_logistic(torch.zeros(()), torch.tensor(-1.0), torch.tensor(0.25)).item(), 4)
    -0.018
    """
    above, below = (x - location + LEVEL / 2) / scale, (x - location - LEVEL / 2) / scale
    first, last = x < LEVEL / 2, x > 1 - LEVEL / 2
    # σ(a) − σ(b) = σ(a) σ(−b) (1 − exp(b − a))
    within = torch.log(-torch.expm1(-LEVEL / scale)).masked_fill(first | last, 0)
    up, down = F.logsigmoid(above), F.logsigmoid(-below)
    return up.masked_fill(last, 0) + down.masked_fill(first, 0) + within


def log_gaussian(x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Give the log-probability of each pixel's level as :func:`log_logistic`, under a Gaussian.

    Examples
    --------
    >>> log_gaussian(torch.zeros(()), torch.tensor(-LEVEL / 2), torch.tensor(LEVEL)).exp()
    tensor(0.8413)
    """
    above, below = (x - mean + LEVEL / 2) / scale, (x - mean - LEVEL / 2) / scale
    log_ndtr, flip = torch.special.log_ndtr, above + below > 0
    more = log_ndtr(torch.where(flip, -below, above))  # always of the lower tail
    less = log_ndtr(torch.where(flip, -above, below))
    within = more + torch.log(-torch.expm1(less - more))
    ends = torch.where(x < LEVEL / 2, log_ndtr(above), log_ndtr(-below))
    return torch.where((x - 0.5).abs() > 0.5 - LEVEL / 2, ends, within)


class LogisticVAE(VAE):
    """The VAE with a location and a scale for each pixel, given z.

    Where images are black, the location goes far below 0, and level 0 is certain at any scale; no
    probability exceeds 1, so nothing drives the scale to 0. It is kept from a quarter level to 1.
    """

    def __init__(self, latent_dim: int, generator: torch.Generator) -> None:
        super().__init__(latent_dim, generator, channels=2)

    def location_scale(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Give both, shape (n, 1, 28, 28), with pixels in [0, 1]."""
        location, log_scale = self.decode(z).chunk(2, dim=1)
        return location, log_scale.clamp(-7, 0).exp()

    def levels(self, z: Tensor, x: Tensor) -> Tensor:
        """Give log p(x|z) of images in 256 levels, nats, shape (n,)."""
        return log_logistic(x, *self.location_scale(z)).flatten(1).sum(dim=1)

    def reconstruction(self, z: Tensor, x: Tensor) -> Tensor:
        """Give −log p(x|z), nats, shape (n,)."""
        return -self.levels(z, x)

    def mean(self, z: Tensor) -> Tensor:
        """Give the mean of a logistic variable clipped to [0, 1], shape (n, 1, 28, 28)."""
        location, scale = self.location_scale(z)
        return scale * (F.softplus(location / scale) - F.softplus((location - 1) / scale))

    def draw(self, z: Tensor, generator: torch.Generator) -> Tensor:
        """Draw pixels, clipped to [0, 1]; rounded to levels they follow p(x|z)."""
        location, scale = self.location_scale(z)
        uniform = torch.rand(location.shape, generator=generator).to(z)
        return (location + scale * uniform.logit()).clamp(0, 1)


class GaussianVAE(VAE):
    """The VAE with a Gaussian density around the mean image, of one variance for all pixels.

    The variance tends to the mean squared error over all pixels, which ink keeps above 0. One for
    each pixel would go to 0 where all images are black, and the density there beyond all limits.
    """

    def __init__(self, latent_dim: int, generator: torch.Generator) -> None:
        super().__init__(latent_dim, generator)
        self.log_scale = nn.Parameter(torch.tensor(math.log(0.3)))  # at first that of all pixels

    def levels(self, z: Tensor, x: Tensor) -> Tensor:
        """Give log p(x|z) of images in 256 levels, nats, shape (n,)."""
        return log_gaussian(x, self.mean(z), self.log_scale.exp()).flatten(1).sum(dim=1)

    def reconstruction(self, z: Tensor, x: Tensor) -> Tensor:
        """Give −log of the density times a level's width for each pixel, nats, shape (n,)."""
        error = (x - self.mean(z)) * torch.exp(-self.log_scale)
        constant = self.log_scale + math.log(math.sqrt(2 * math.pi) / LEVEL)
        return (0.5 * error.square() + constant).flatten(1).sum(dim=1)

    def draw(self, z: Tensor, generator: torch.Generator) -> Tensor:
        """Draw pixels, clipped to [0, 1]."""
        mean = self.mean(z)
        noise = torch.randn(mean.shape, generator=generator).to(z)
        return (mean + self.log_scale.exp() * noise).clamp(0, 1)


@dataclass(frozen=True)
class GreyVAEConfig(VAEConfig):
    """A VAE's settings, and which of the two likelihoods it has."""

    latent_dim: int = whole(20, least=1)
    gaussian: bool = switch(False)

    def networks(self) -> dict[str, nn.Module]:
        """Make encoder and decoder, untrained."""
        kind = GaussianVAE if self.gaussian else LogisticVAE
        return {"vae": kind(self.latent_dim, stream(self.seed, "weights"))}
