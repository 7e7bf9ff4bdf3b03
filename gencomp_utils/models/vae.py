"""The variational autoencoder, from its settings to its last epoch: the report's (7) and (8)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencomp_utils.models import base
from gencomp_utils.models.base import Measured, Model, State, number, stream, switch, whole

RMSPROP_EPSILON = 1e-7


class VAE(nn.Module):
    """A convolutional encoder q(z|x) and decoder p(x|z) for 28 by 28 images.

    Weights are Glorot's: with PyTorch's own, units before the codes can die, and z is ignored.

    Examples
    --------
    >>> vae = VAE(latent_dim=2, generator=torch.Generator().manual_seed(0))
    >>> vae.decode(torch.zeros(5, 2)).shape
    torch.Size([5, 1, 28, 28])
    """

    def __init__(self, latent_dim: int, generator: torch.Generator, channels: int = 1) -> None:
        if latent_dim < 1:
            raise ValueError(f"latent_dim is {latent_dim}, but must be at least 1")
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # layers draw weights that are replaced below
            self.encoder = nn.Sequential(
                nn.Conv2d(1, 16, kernel_size=4, stride=2, padding=1),  # 16 × 14 × 14
                nn.ReLU(),
                nn.Conv2d(16, 32, kernel_size=4, stride=2, padding=1),  # 32 × 7 × 7
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(32 * 7 * 7, 128),
                nn.ReLU(),
                nn.Linear(128, 2 * latent_dim),  # mean and log-variance
            )
            self.decoder = nn.Sequential(
                nn.Linear(latent_dim, 128),
                nn.ReLU(),
                nn.Linear(128, 128),
                nn.ReLU(),
                nn.Linear(128, 32 * 7 * 7),
                nn.ReLU(),
                nn.Unflatten(1, (32, 7, 7)),
                nn.ConvTranspose2d(32, 16, kernel_size=4, stride=2, padding=1),  # 16 × 14 × 14
                nn.ReLU(),
                nn.ConvTranspose2d(16, channels, kernel_size=4, stride=2, padding=1),  # 28 × 28
            )
        self.latent_dim = latent_dim
        base.initialise(self, generator)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give mean and log-variance of q(z|x), shape (n, latent_dim), for pixels in [0, 1]."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor) -> Tensor:
        """Give the logits of the pixels of p(x|z); their sigmoid is the mean image."""
        logits: Tensor = self.decoder(z)
        return logits

    def mean(self, z: Tensor) -> Tensor:
        """Give the mean image of p(x|z), pixels in [0, 1]."""
        return torch.sigmoid(self.decode(z))

    def reconstruction(self, z: Tensor, x: Tensor) -> Tensor:
        """Give −log p(x|z), nats, shape (n,)."""
        return bernoulli_cross_entropy(self.decode(z), x)


def reparameterize(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Draw z from N(mean, variance) by noise from N(0, 1), so that gradients reach both.

    Examples
    --------
    >>> reparameterize(torch.tensor([[1.0]]), torch.tensor([[0.0]]), torch.tensor([[2.0]]))
    tensor([[3.]])
    """
    return mean + torch.exp(0.5 * log_variance) * noise


def bernoulli_cross_entropy(logits: Tensor, x: Tensor) -> Tensor:
    """Give −log p(x|z) of independent pixels, summed, in nats, shape (n,).

    Examples
    --------
    >>> bernoulli_cross_entropy(torch.zeros(1, 784), torch.ones(1, 784))  # 784 log 2
    tensor([543.4274])
    """
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(dim=1)


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Give the KL divergence of N(mean, variance) from N(0, I) in nats, summed over dimensions.

    Examples
    --------
    >>> kl_to_standard_normal(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
    tensor([0.5000])
    """
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)


def vae_loss(vae: VAE, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Give the two terms of the report's (7), reconstruction and KL, with one z for each image.

    In nats, shape (n,), for pixels in [0, 1] and noise from N(0, 1), shape (n, latent_dim); in
    expectation their sum is minus the evidence lower bound (13).
    """
    mean, log_variance = vae.encode(x)
    z = reparameterize(mean, log_variance, noise)
    return vae.reconstruction(z, x), kl_to_standard_normal(mean, log_variance)


@dataclass(frozen=True)
class VAEConfig(Model[VAE]):
    """What defines a VAE experiment; the defaults are the report's (§5.2).

    The report's batch size, 65000, is a number of examples; 32 is its library's default. It trains
    on 65,000 of the 70,000 images: if in the files' order, it borrows 5,000 test images. `beta`
    weighs the KL of (7), `rho` is RMSprop's decay, `anneal` lowers η in (8) to 0 by half a cosine.

    Examples
    --------
    >>> VAEConfig(beta=1) == VAEConfig()
    True
    """

    latent_dim: int = whole(2, least=1)
    beta: float = number(1.0, least=0)
    epochs: int = whole(7, least=1)
    batch_size: int = whole(32, least=1)
    learning_rate: float = number(1e-3, above=0)
    rho: float = number(0.9, least=0, below=1)
    anneal: bool = switch(False)
    borrowed: int = whole(0, least=0)
    seed: int = whole(0, least=0)

    losses: ClassVar = ("train_loss", "train_kl")

    def networks(self) -> dict[str, nn.Module]:
        """Make encoder and decoder, untrained."""
        return {"vae": VAE(self.latent_dim, stream(self.seed, "weights"))}

    def optimizer(self, network: nn.Module) -> torch.optim.RMSprop:
        """Make RMSprop, which takes the steps (8)."""
        weights = network.parameters()
        return torch.optim.RMSprop(weights, self.learning_rate, self.rho, RMSPROP_EPSILON)

    def epoch(self, state: State, images: Tensor, labels: Tensor, epoch: int) -> Iterator[Tensor]:
        """Run one epoch of the report's (8) and yield each step's loss and KL, nats per image."""
        vae, optimizer = state.networks["vae"], state.optimizers["vae"]
        shape = len(images), self.latent_dim
        order = torch.randperm(len(images), generator=stream(self.seed, "order", epoch))
        noise = torch.randn(shape, generator=stream(self.seed, "noise", epoch))
        parts = (some.to(images.device).split(self.batch_size) for some in (order, noise))
        for step, (batch, epsilon) in enumerate(zip(*parts, strict=True)):
            if self.anneal:
                done = epoch + step / self.steps(len(images))
                base.anneal(optimizer, self.learning_rate, done / self.epochs)
            reconstruction, kl = vae_loss(vae, base.as_unit(images[batch]), epsilon)
            base.descend(optimizer, loss := (reconstruction + self.beta * kl).mean())
            yield torch.stack([loss.detach(), kl.detach().mean()])

    def pixels(self, network: VAE, z: Tensor) -> Tensor:
        """Give the means of p(x|z), not draws from it."""
        return network.mean(z)

    def codes(self, network: VAE, images: Tensor) -> Tensor:
        """Give the means of q(z|x), on the CPU."""
        return encode(network, images)[0]

    def measure(self, network: VAE, images: Tensor, labels: Tensor, epoch: int) -> Measured:
        """Measure (7) and its KL, nats per image, with one draw of z for each."""
        shape = len(images), self.latent_dim
        noise = torch.randn(shape, generator=stream(self.seed, "test noise", epoch))

        def both(x: Tensor, epsilon: Tensor) -> Tensor:
            return torch.stack(vae_loss(network, base.as_unit(x), epsilon), dim=1)

        reconstruction, kl = base.in_blocks(network, both, images, noise).double().mean(0).tolist()
        return {"test_loss": reconstruction + self.beta * kl, "test_kl": kl}


def encode(vae: VAE, images: Tensor) -> tuple[Tensor, Tensor]:
    """Give mean and log-variance of q(z|x) for any number of images in bytes, on the CPU."""
    both = base.in_blocks(vae, lambda block: vae.encoder(base.as_unit(block)), images)
    return both[:, : vae.latent_dim], both[:, vae.latent_dim :]


def decode(vae: VAE, z: Tensor) -> Tensor:
    """Give the mean images of p(x|z), pixels in [0, 1], for any number of codes, on the CPU."""
    return base.in_blocks(vae, vae.mean, z)
