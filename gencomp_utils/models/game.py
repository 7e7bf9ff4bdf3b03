"""The game (3) between any two networks: its losses, and Algorithm 1."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from gencomp_utils.models.base import descend

Penalty = Callable[[nn.Module, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class GAN:
    """The two players of the game (3), and what moves each of them.

    The generator turns noise into samples; the discriminator turns samples into logits, the
    log-odds that a sample is real, without a sigmoid at its end.
    """

    generator: nn.Module
    discriminator: nn.Module
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Give minus the value (3) of a minibatch, in nats, which the discriminator lessens.

    ``−[log D(x) + log(1 − D(G(z)))]`` on average, from the logits of real samples and of fakes.

    Examples
    --------
    >>> discriminator_loss(torch.zeros(3), torch.zeros(3))  # D = 1/2: log 4
    tensor(1.3863)
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def saturating_loss(fake_logits: Tensor) -> Tensor:
    """Give the generator's part of (3), ``log(1 − D(G(z)))`` on average, in nats.

    Its gradient vanishes where the discriminator rejects with confidence.

    Examples
    --------
    >>> saturating_loss(torch.zeros(3))
    tensor(-0.6931)
    """
    return -F.softplus(fake_logits).mean()


def non_saturating_loss(fake_logits: Tensor) -> Tensor:
    """Give ``−log D(G(z))`` on average, in nats, which practice lessens instead.

    Source: Goodfellow et al. (2014), arXiv:1406.2661.

    Examples
    --------
    >>> non_saturating_loss(torch.zeros(3))
    tensor(0.6931)
    """
    return F.softplus(-fake_logits).mean()


def r1_penalty(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Give half the mean square of the logit's slope at real samples, a penalty called R1.

    Source: Mescheder, Geiger and Nowozin (2018), arXiv:1801.04406.

    Examples
    --------
    >>> slope_three = nn.Linear(1, 1)
    >>> _ = nn.init.constant_(slope_three.weight, 3.0)
    >>> r1_penalty(slope_three, torch.zeros(5, 1), torch.zeros(5, 1)).item()
    4.5
    """
    x = real.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return slope.square().flatten(1).sum(dim=1).mean() / 2


def algorithm_1(
    gan: GAN,
    sample_data: Callable[[], Tensor],
    sample_noise: Callable[[], Tensor],
    iterations: int,
    k: int = 1,
    generator_loss: Callable[[Tensor], Tensor] = non_saturating_loss,
    penalty: Penalty | None = None,
) -> Iterator[Tensor]:
    """Train a GAN by the report's Algorithm 1: k steps of the discriminator, one of the generator.

    Parameters
    ----------
    gan
        Changed in place.
    sample_data, sample_noise
        Each call returns a fresh minibatch of the data, and of noise for the generator.
    iterations, k
        Training iterations, and discriminator steps in each; below 1 is a ValueError. The report's
        loop counts k down and never sets it again; here every iteration has its k steps, as in
        Goodfellow et al. (2014).
    generator_loss
        Takes the logits of generated samples; :func:`saturating_loss` is the algorithm's own.
    penalty
        Takes the discriminator and a minibatch of data and of samples, and gives what is added to
        the discriminator's loss; the losses below are without it.

    Yields
    ------
    Tensor, shape (2,)
        After each iteration: the losses of the last discriminator step and of the generator step,
        each before its step, in nats; left on the device.
    """
    for name, count in {"iterations": iterations, "k": k}.items():
        if count < 1:
            raise ValueError(f"{name} is {count}, but must be at least 1")
    for _ in range(iterations):
        for _ in range(k):
            x, z = sample_data(), sample_noise()
            with at_rest(gan.generator):
                fake = gan.generator(z)
            optimizer = gan.discriminator_optimizer
            d_loss = discriminator_step(gan.discriminator, optimizer, x, fake, penalty)
        z = sample_noise()
        with at_rest(gan.discriminator):
            g_loss = generator_loss(gan.discriminator(gan.generator(z)))
        descend(gan.generator_optimizer, g_loss)
        yield torch.stack([d_loss, g_loss.detach()])


def discriminator_step(
    discriminator: nn.Module,
    optimizer: Optimizer,
    real: Tensor,
    fake: Tensor,
    penalty: Penalty | None = None,
) -> Tensor:
    """Take one step up the value (3); give :func:`discriminator_loss` before it, in nats."""
    loss = discriminator_loss(discriminator(real), discriminator(fake))
    descend(optimizer, loss + penalty(discriminator, real, fake) if penalty else loss)
    return loss.detach()


@contextmanager
def at_rest(network: nn.Module) -> Iterator[None]:
    """Leave a network as it is while the other player moves.

    Its weights get no gradients, and its batch normalisation goes on normalising by the minibatch
    but records no running statistics.

    Examples
    --------
    >>> layer = nn.Linear(1, 1)
    >>> with at_rest(layer):
    ...     layer(torch.zeros(1, 1)).requires_grad
    False
    """
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    norms = [
        layer
        for layer in network.modules()
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) and layer.track_running_stats
    ]
    for weight in weights:
        weight.requires_grad_(False)
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)
        for norm in norms:
            norm.track_running_stats = True
