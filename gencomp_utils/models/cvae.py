"""A VAE that is told the digit and sees few labelled images, from settings to last epoch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencomp_utils.models import base
from gencomp_utils.models.base import Measured, Model, State, number, stream, whole
from gencomp_utils.models.vae import (
    bernoulli_cross_entropy,
    kl_to_standard_normal,
    reparameterize,
)

DIGITS = 10


class CVAE(nn.Module):
    """A small fully connected encoder q(z|x, y) and decoder p(x|z, y), both told the digit y.

    Source: Kingma et al. (2014), arXiv:1406.5298, model M2 where all labels are known.

    Examples
    --------
    >>> network = CVAE(code_dim=5, generator=torch.Generator().manual_seed(0))
    >>> network.decode(torch.zeros(10, 5), torch.arange(10)).shape
    torch.Size([10, 1, 28, 28])
    """

    def __init__(self, code_dim: int, generator: torch.Generator) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # layers draw weights that are replaced below
            self.encoder = nn.Sequential(
                nn.Linear(784 + DIGITS, 256), nn.ReLU(), nn.Linear(256, 2 * code_dim)
            )
            self.decoder = nn.Sequential(
                nn.Linear(code_dim + DIGITS, 256),
                nn.ReLU(),
                nn.Linear(256, 784),
                nn.Unflatten(1, (1, 28, 28)),
            )
        base.initialise(self, generator)

    def encode(self, x: Tensor, digits: Tensor) -> tuple[Tensor, Tensor]:
        """Give mean and log-variance of q(z|x, y), shape (n, code_dim), for pixels in [0, 1]."""
        mean, log_variance = self.encoder(_told(x.flatten(1), digits)).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor, digits: Tensor) -> Tensor:
        """Give the logits of the pixels of p(x|z, y); their sigmoid is the mean image."""
        logits: Tensor = self.decoder(_told(z, digits))
        return logits


def _told(x: Tensor, digits: Tensor) -> Tensor:
    return torch.cat([x, F.one_hot(digits, DIGITS).to(x)], dim=1)


def cvae_loss(cvae: CVAE, x: Tensor, digits: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Give reconstruction and KL with one z for each image, in nats, shape (n,).

    In expectation minus their sum is a lower bound of log p(x|y); noise is from N(0, 1).
    """
    mean, log_variance = cvae.encode(x, digits)
    logits = cvae.decode(reparameterize(mean, log_variance, noise), digits)
    return bernoulli_cross_entropy(logits, x), kl_to_standard_normal(mean, log_variance)


@dataclass(frozen=True)
class CVAEConfig(Model[CVAE]):
    """What defines the training of a VAE on a few labelled images, which the seed draws.

    An epoch has as many steps as one over all images would have; each takes a minibatch, with
    replacement, of the `labels` images that have a label. `code_dim` is the length of z.

    Examples
    --------
    >>> CVAEConfig(labels=300).labelled(60_000).shape
    torch.Size([300])
    """

    labels: int = whole(100, least=1)
    code_dim: int = whole(5, least=1)
    epochs: int = whole(1, least=1)
    batch_size: int = whole(32, least=1)
    learning_rate: float = number(3e-3, above=0)
    seed: int = whole(0, least=0)

    losses: ClassVar = ("train_loss", "train_kl")

    def labelled(self, count: int) -> Tensor:
        """Choose which of so many images have a label."""
        return torch.randperm(count, generator=stream(self.seed, "labelled"))[: self.labels]

    def networks(self) -> dict[str, nn.Module]:
        """Make encoder and decoder, untrained."""
        return {"cvae": CVAE(self.code_dim, stream(self.seed, "weights"))}

    def optimizer(self, network: nn.Module) -> torch.optim.Adam:
        """Make Adam."""
        return torch.optim.Adam(network.parameters(), self.learning_rate, fused=True)

    def epoch(self, state: State, images: Tensor, labels: Tensor, epoch: int) -> Iterator[Tensor]:
        """Run one epoch and yield each step's loss and KL, nats per image."""
        cvae, optimizer = state.networks["cvae"], state.optimizers["cvae"]
        known = self.labelled(len(images)).to(images.device)
        shape = self.steps(len(images)), self.batch_size
        order = torch.randint(len(known), shape, generator=stream(self.seed, "order", epoch))
        noise = torch.randn(*shape, self.code_dim, generator=stream(self.seed, "noise", epoch))
        batches = known[order.to(images.device)]
        for batch, epsilon in zip(batches, noise.to(images.device), strict=True):
            x = base.as_unit(images[batch])
            reconstruction, kl = cvae_loss(cvae, x, labels[batch], epsilon)
            base.descend(optimizer, loss := (reconstruction + kl).mean())
            yield torch.stack([loss.detach(), kl.detach().mean()])

    def made(self, network: CVAE, digits: Tensor) -> Tensor:
        """Draw an image of each digit asked for: means of p(x|z, y), bytes, shape (n, 28, 28)."""
        z = torch.randn(len(digits), self.code_dim, generator=stream(self.seed, "made"))

        def mean(*given: Tensor) -> Tensor:
            return torch.sigmoid(network.decode(*given))

        return base.as_bytes(base.in_blocks(network, mean, z, digits))

    def measure(self, network: CVAE, images: Tensor, labels: Tensor, epoch: int) -> Measured:
        """Measure loss and KL on all test images with their labels, with one z for each."""
        shape = len(images), self.code_dim
        noise = torch.randn(shape, generator=stream(self.seed, "test noise", epoch))

        def both(x: Tensor, *given: Tensor) -> Tensor:
            return torch.stack(cvae_loss(network, base.as_unit(x), *given), dim=1)

        terms = base.in_blocks(network, both, images, labels, noise).double().mean(0).tolist()
        return {"test_loss": sum(terms), "test_kl": terms[1]}
