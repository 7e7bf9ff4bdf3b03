"""The VAE/GAN, from its settings to its last epoch: a VAE whose likeness a discriminator judges."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from gencomp_utils.models import base, game
from gencomp_utils.models.base import Model, State, number, stream, whole
from gencomp_utils.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gencomp_utils.models.vae import kl_to_standard_normal, reparameterize

_FEATURES = 5  # layers of the discriminator up to its second LeakyReLU: 64 × 7 × 7


class VAEGAN(nn.Module):
    """A convolutional encoder, and the DCGAN's generator, two thirds as wide, as the decoder.

    Both have together about as many weights as our VAE with 20 dimensions. Pixels are in [−1, 1],
    as tanh gives them. Source: Larsen et al. (2016), arXiv:1512.09300, for our DCGAN's layers.

    Examples
    --------
    >>> network = VAEGAN(latent_dim=20, generator=torch.Generator().manual_seed(0))
    >>> mean, log_variance = network.encode(torch.zeros(5, 1, 28, 28))
    >>> network.decode(mean).shape
    torch.Size([5, 1, 28, 28])
    """

    def __init__(self, latent_dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.decoder = DCGANGenerator(latent_dim, generator, channels=(192, 64, 32))
        with torch.random.fork_rng(devices=[]):  # layers draw weights that are replaced below
            self.encoder = nn.Sequential(
                nn.Conv2d(1, 32, 4, stride=2, padding=1),  # 32 × 14 × 14
                nn.ReLU(),
                nn.Conv2d(32, 64, 4, stride=2, padding=1, bias=False),  # 64 × 7 × 7
                nn.BatchNorm2d(64),
                nn.ReLU(),
                nn.Conv2d(64, 128, 3, stride=2, padding=1, bias=False),  # 128 × 4 × 4
                nn.BatchNorm2d(128),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(128 * 4 * 4, 2 * latent_dim),  # mean and log-variance
            )
        self.latent_dim = latent_dim
        base.initialise(self.encoder, generator, 0.02)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give mean and log-variance of q(z|x), shape (n, latent_dim)."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor) -> Tensor:
        """Turn codes into pixels, shape (n, 1, 28, 28)."""
        pixels: Tensor = self.decoder(z)
        return pixels


def unlikeness(discriminator: DCGANDiscriminator, x: Tensor, rebuilt: Tensor) -> Tensor:
    """Give half the squared distance of images and their reconstructions as D sees them.

    Summed over the features of D's second block, shape (n,): up to a constant, −log of a Gaussian
    density with variance 1 around the features of the reconstruction, in nats. Where D is in
    training mode, it normalises images and reconstructions each by their own minibatch.

    Examples
    --------
    >>> judge = DCGANDiscriminator(torch.Generator().manual_seed(0)).eval()
    >>> x = torch.zeros(2, 1, 28, 28)
    >>> unlikeness(judge, x, x).tolist()
    [0.0, 0.0]
    """
    layers = discriminator.layers[:_FEATURES]
    with torch.no_grad():
        seen = layers(x)
    apart: Tensor = layers(rebuilt) - seen
    return 0.5 * apart.square().flatten(1).sum(dim=1)


@dataclass(frozen=True)
class VAEGANConfig(Model[VAEGAN]):
    """What defines a VAE/GAN experiment; optimiser and layers are those of the DCGAN.

    `gamma` weighs, for the decoder alone, likeness against fooling the discriminator.

    Examples
    --------
    >>> VAEGANConfig(gamma=0).gamma
    0.0
    """

    latent_dim: int = whole(20, least=1)
    gamma: float = number(1e-2, least=0)
    epochs: int = whole(7, least=1)
    batch_size: int = whole(100, least=2)  # batch normalisation needs two images or more
    learning_rate: float = number(2e-4, above=0)
    beta1: float = number(0.5, least=0, below=1)
    seed: int = whole(0, least=0)

    losses: ClassVar = ("discriminator_loss", "encoder_loss")

    def networks(self) -> dict[str, nn.Module]:
        """Make encoder and decoder in one, and the discriminator, untrained."""
        weights = stream(self.seed, "weights")
        return {
            "vae": VAEGAN(self.latent_dim, weights),
            "discriminator": DCGANDiscriminator(weights, channels=(32, 64, 128)),
        }

    def optimizer(self, network: nn.Module) -> torch.optim.Adam:
        """Make Adam for a network."""
        betas = self.beta1, 0.999
        return torch.optim.Adam(network.parameters(), self.learning_rate, betas, fused=True)

    def steps(self, count: int) -> int:
        """Count the steps of an epoch; what doesn't fill a minibatch is left out."""
        return count // self.batch_size

    def epoch(self, state: State, images: Tensor, labels: Tensor, epoch: int) -> Iterator[Tensor]:
        """Run one epoch: in each step D, then encoder and decoder, each down its own loss.

        Yields D's loss and the encoder's, in nats.
        """
        vae, discriminator = state.networks["vae"], state.networks["discriminator"]
        steps = self.steps(len(images))
        if steps == 0:
            raise ValueError(f"images has {len(images)}, but a minibatch needs {self.batch_size}")
        order = torch.randperm(len(images), generator=stream(self.seed, "order", epoch))
        shape = 2, steps * self.batch_size, self.latent_dim
        noise = torch.randn(shape, generator=stream(self.seed, "noise", epoch))
        batches = order.to(images.device).split(self.batch_size)
        noises = noise.to(images.device).split(self.batch_size, dim=1)
        for batch, (epsilon, z) in zip(batches, noises, strict=False):
            x = base.as_signed(images[batch])
            mean, log_variance = vae.encode(x)
            rebuilt, fake = vae.decode(
                torch.cat([reparameterize(mean, log_variance, epsilon), z])
            ).chunk(2)
            made = torch.cat([rebuilt, fake])
            d_loss = game.discriminator_step(
                discriminator, state.optimizers["discriminator"], x, made.detach()
            )
            with game.at_rest(discriminator):
                likeness = unlikeness(discriminator, x, rebuilt).mean()
                fooling = game.non_saturating_loss(discriminator(made))
            encoder_loss = kl_to_standard_normal(mean, log_variance).mean() + likeness
            decoder_loss = self.gamma * likeness + fooling
            state.optimizers["vae"].zero_grad()
            encoder_loss.backward(retain_graph=True, inputs=list(vae.encoder.parameters()))
            decoder_loss.backward(inputs=list(vae.decoder.parameters()))
            state.optimizers["vae"].step()
            yield torch.stack([d_loss, encoder_loss.detach()])

    def pixels(self, network: VAEGAN, z: Tensor) -> Tensor:
        """Decode to pixels in [0, 1]."""
        return (network.decode(z) + 1) / 2

    def codes(self, network: VAEGAN, images: Tensor) -> Tensor:
        """Give the means of q(z|x), on the CPU."""

        def means(block: Tensor) -> Tensor:
            return network.encode(base.as_signed(block))[0]

        return base.in_blocks(network, means, images)
