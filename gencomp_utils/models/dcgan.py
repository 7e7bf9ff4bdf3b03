"""The DCGAN, from its settings to its last epoch: Algorithm 1 on images."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from gencomp_utils.models import base, game
from gencomp_utils.models.base import Model, State, number, stream, switch, whole


class DCGANGenerator(nn.Module):
    """Noise becomes a 28 by 28 image in three doublings.

    No pooling and no hidden full layer: fractionally strided convolutions enlarge the noise to 4,
    7, 14 and 28 pixels a side. Batch normalisation and ReLU after each layer but the last, which
    ends in tanh. Source: Radford, Metz and Chintala (2016), arXiv:1511.06434, made smaller.

    Examples
    --------
    >>> network = DCGANGenerator(100, torch.Generator().manual_seed(0))
    >>> network(torch.zeros(5, 100)).shape
    torch.Size([5, 1, 28, 28])
    """

    def __init__(
        self,
        latent_dim: int,
        generator: torch.Generator,
        batch_norm: bool = True,
        weight_std: float | None = 0.02,
        channels: tuple[int, int, int] = (256, 96, 48),
    ) -> None:
        if latent_dim < 1:
            raise ValueError(f"latent_dim is {latent_dim}, but must be at least 1")
        super().__init__()
        first, second, third = channels
        with torch.random.fork_rng(devices=[]):  # layers draw weights that are replaced below
            self.layers = nn.Sequential(
                nn.Unflatten(1, (latent_dim, 1, 1)),
                nn.ConvTranspose2d(latent_dim, first, 4, bias=not batch_norm),  # 256 × 4 × 4
                _normalised(first, batch_norm),
                nn.ReLU(),
                nn.ConvTranspose2d(first, second, 3, stride=2, padding=1, bias=not batch_norm),
                _normalised(second, batch_norm),  # 96 × 7 × 7
                nn.ReLU(),
                nn.ConvTranspose2d(second, third, 4, stride=2, padding=1, bias=not batch_norm),
                _normalised(third, batch_norm),  # 48 × 14 × 14
                nn.ReLU(),
                nn.ConvTranspose2d(third, 1, 4, stride=2, padding=1),  # 1 × 28 × 28
                nn.Tanh(),
            )
        self.latent_dim = latent_dim
        base.initialise(self, generator, weight_std)

    def forward(self, z: Tensor) -> Tensor:
        """Turn noise, shape (n, latent_dim), into pixels in [−1, 1], shape (n, 1, 28, 28)."""
        images: Tensor = self.layers(z)
        return images


class DCGANDiscriminator(nn.Module):
    """An image becomes one number in three halvings.

    Strided convolutions shrink the image, with batch normalisation but at the input, and LeakyReLU
    with slope 0.2; a logit at the end. Source as for the generator.

    Examples
    --------
    >>> network = DCGANDiscriminator(torch.Generator().manual_seed(0))
    >>> network(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        generator: torch.Generator,
        batch_norm: bool = True,
        weight_std: float | None = 0.02,
        channels: tuple[int, int, int] = (48, 96, 192),
    ) -> None:
        super().__init__()
        first, second, third = channels
        with torch.random.fork_rng(devices=[]):  # layers draw weights that are replaced below
            self.layers = nn.Sequential(
                nn.Conv2d(1, first, 4, stride=2, padding=1),  # 48 × 14 × 14
                nn.LeakyReLU(0.2),
                nn.Conv2d(first, second, 4, stride=2, padding=1, bias=not batch_norm),
                _normalised(second, batch_norm),  # 96 × 7 × 7
                nn.LeakyReLU(0.2),
                nn.Conv2d(second, third, 3, stride=2, padding=1, bias=not batch_norm),
                _normalised(third, batch_norm),  # 192 × 4 × 4
                nn.LeakyReLU(0.2),
                nn.Flatten(),
                nn.Linear(third * 4 * 4, 1),
            )
        base.initialise(self, generator, weight_std)

    def forward(self, x: Tensor) -> Tensor:
        """Give the logits, shape (n, 1), that images with pixels in [−1, 1] are real."""
        logits: Tensor = self.layers(x)
        return logits


def _normalised(channels: int, batch_norm: bool) -> nn.Module:
    return nn.BatchNorm2d(channels) if batch_norm else nn.Identity()


@dataclass(frozen=True)
class DCGANConfig(Model[DCGANGenerator]):
    """What defines a DCGAN experiment; the defaults are the report's (§5.1).

    `learning_rate` is Adam's step size, the discriminator's too if it has no `discriminator_rate`;
    `beta1` and 0.999 are the decays of its running mean and square. The discriminator takes `k`
    steps for each of the generator's, which lessens ``−log D(G(z))``, or if `saturating`
    ``log(1 − D(G(z)))``. `r1` weighs :func:`~gencomp_utils.models.game.r1_penalty`. Initial weights
    have the deviation `weight_std`, or Glorot's. `anneal` lowers rates to 0 along a half cosine.
    `average` is the decay of a running mean of the generator's weights, kept in their place.

    Examples
    --------
    >>> DCGANConfig(k=5).k
    5
    """

    latent_dim: int = whole(100, least=1)
    epochs: int = whole(20, least=1)
    batch_size: int = whole(100, least=2)  # batch normalisation needs two images or more
    learning_rate: float = number(2e-4, above=0)
    beta1: float = number(0.5, least=0, below=1)
    k: int = whole(1, least=1)
    saturating: bool = switch(False)
    batch_norm: bool = switch(True)
    weight_std: float | None = number(0.02, above=0, optional=True)
    anneal: bool = switch(False)
    seed: int = whole(0, least=0)
    discriminator_rate: float | None = number(None, above=0, optional=True)
    r1: float = number(0.0, least=0)
    average: float = number(0.0, least=0, below=1)

    losses: ClassVar = ("discriminator_loss", "generator_loss")

    def networks(self) -> dict[str, nn.Module]:
        """Make both players, untrained; before them, the generators' average if it is wanted."""
        weights, choices = stream(self.seed, "weights"), (self.batch_norm, self.weight_std)
        generator = DCGANGenerator(self.latent_dim, weights, *choices)
        players = {"generator": generator, "discriminator": DCGANDiscriminator(weights, *choices)}
        return {"average": deepcopy(generator)} | players if self.average else players

    def optimizer(self, network: nn.Module) -> torch.optim.Adam:
        """Make Adam for a player."""
        betas = self.beta1, 0.999
        return torch.optim.Adam(network.parameters(), self._rate(network), betas, fused=True)

    def _rate(self, network: nn.Module) -> float:
        second = isinstance(network, DCGANDiscriminator) and self.discriminator_rate
        return second or self.learning_rate

    def steps(self, count: int) -> int:
        """Count the iterations of an epoch; what doesn't fill k minibatches is left out."""
        return count // (self.k * self.batch_size)

    def epoch(self, state: State, images: Tensor, labels: Tensor, epoch: int) -> Iterator[Tensor]:
        """Run one epoch of Algorithm 1: each image is shown to the discriminator once."""
        if (iterations := self.steps(len(images))) == 0:
            told = f"images has {len(images)}, but {self.k} minibatches of {self.batch_size}"
            raise ValueError(f"{told} need {self.k * self.batch_size}")
        order = torch.randperm(len(images), generator=stream(self.seed, "order", epoch))
        batches = iter(order.to(images.device).split(self.batch_size))
        shape = iterations * (self.k + 1), self.batch_size, self.latent_dim
        noise = torch.randn(shape, generator=stream(self.seed, "noise", epoch))
        noises = iter(noise.to(images.device))
        roles = "generator", "discriminator"
        gan = game.GAN(*(state.networks[r] for r in roles), *(state.optimizers[r] for r in roles))
        steps = game.algorithm_1(
            gan,
            sample_data=lambda: base.as_signed(images[next(batches)]),
            sample_noise=lambda: next(noises),
            iterations=iterations,
            k=self.k,
            generator_loss=game.saturating_loss if self.saturating else game.non_saturating_loss,
            penalty=(lambda *seen: self.r1 * game.r1_penalty(*seen)) if self.r1 else None,
        )
        for step in range(iterations):
            if self.anneal:
                done = (epoch + step / iterations) / self.epochs
                for role, network in state.networks.items():
                    base.anneal(state.optimizers[role], self._rate(network), done)
            losses = next(steps)
            if self.average:
                base.follow(state.network, gan.generator, 1 - self.average)
            yield losses

    def pixels(self, network: DCGANGenerator, z: Tensor) -> Tensor:
        """Turn noise into pixels in [0, 1]."""
        images: Tensor = (network(z) + 1) / 2
        return images
