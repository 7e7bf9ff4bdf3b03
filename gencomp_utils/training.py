"""The training loops, readable as Algorithm 1 and as the report's (7) and (8); all seeded."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencomp_utils.networks import VAE, Classifier
from gencomp_utils.settings import ClassifierConfig, DCGANConfig, VAEConfig

RMSPROP_EPSILON = 1e-7


def stream(seed: int, purpose: str, epoch: int = 0) -> torch.Generator:
    """Return a generator of its own for each purpose and epoch, always on the CPU.

    So a run draws the same numbers on every device, a resumed one draws what it would have
    drawn, and the global generator is left alone.

    Parameters
    ----------
    seed : int
    purpose : str
        Such as ``"weights"``.
    epoch : int

    Returns
    -------
    torch.Generator

    Examples
    --------
    >>> a, b = stream(0, "noise", 1), stream(0, "noise", 2)
    >>> a.initial_seed() == b.initial_seed()
    False
    """
    words = np.random.SeedSequence([seed, epoch, *purpose.encode()]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0]) >> 1)


def as_unit(images: Tensor) -> Tensor:
    """Scale bytes to [0, 1] and add the channel that convolutions expect.

    Parameters
    ----------
    images : Tensor of uint8, shape (n, 28, 28)

    Returns
    -------
    Tensor of float32, shape (n, 1, 28, 28)

    Examples
    --------
    >>> as_unit(torch.full((1, 28, 28), 255, dtype=torch.uint8)).max()
    tensor(1.)
    """
    return images.unsqueeze(1).float() / 255


def as_signed(images: Tensor) -> Tensor:
    """Scale bytes to [−1, 1], as tanh gives them, and add the channel.

    Parameters
    ----------
    images : Tensor of uint8, shape (n, 28, 28)

    Returns
    -------
    Tensor of float32, shape (n, 1, 28, 28)

    Examples
    --------
    >>> as_signed(torch.zeros(1, 28, 28, dtype=torch.uint8)).max()
    tensor(-1.)
    """
    return images.unsqueeze(1).float() / 127.5 - 1


def reparameterize(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Draw z from ``N(mean, variance)`` so that gradients reach both (Kingma and Welling 2014).

    Parameters
    ----------
    mean, log_variance : Tensor, shape (n, latent_dim)
    noise : Tensor, shape (n, latent_dim)
        Drawn from N(0, 1).

    Returns
    -------
    Tensor, shape (n, latent_dim)

    Examples
    --------
    >>> reparameterize(torch.tensor([[1.0]]), torch.tensor([[0.0]]), torch.tensor([[2.0]]))
    tensor([[3.]])
    """
    return mean + torch.exp(0.5 * log_variance) * noise


def bernoulli_cross_entropy(logits: Tensor, x: Tensor) -> Tensor:
    """Give ``−log p(x|z)`` of independent pixels, summed over each image.

    Parameters
    ----------
    logits, x : Tensor, shape (n, ...)
        Logits of the pixels, and the pixels in [0, 1]. Where those are grey, this is a
        cross-entropy and no likelihood.

    Returns
    -------
    Tensor, shape (n,)
        Nats per image.

    Examples
    --------
    >>> bernoulli_cross_entropy(torch.zeros(1, 784), torch.ones(1, 784))  # 784 log 2
    tensor([543.4274])
    """
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(dim=1)


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Give ``KL(N(mean, variance) ‖ N(0, 1))``, summed over the code's dimensions.

    Parameters
    ----------
    mean, log_variance : Tensor, shape (n, latent_dim)

    Returns
    -------
    Tensor, shape (n,)
        Nats per image.

    Examples
    --------
    >>> kl_to_standard_normal(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
    tensor([0.5000])
    """
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)


def vae_loss(vae: VAE, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Give the two terms of the report's (7), with one draw of z for each image.

    Parameters
    ----------
    vae : VAE
    x : Tensor, shape (n, 1, 28, 28)
        Images in [0, 1].
    noise : Tensor, shape (n, latent_dim)
        Drawn from N(0, 1).

    Returns
    -------
    reconstruction, kl : Tensor, shape (n,)
        Nats per image. Their sum is minus the evidence lower bound (13) in expectation.
    """
    mean, log_variance = vae.encode(x)
    z = reparameterize(mean, log_variance, noise)
    reconstruction = bernoulli_cross_entropy(vae.decode(z), x)
    kl = kl_to_standard_normal(mean, log_variance)
    return reconstruction, kl


def vae_epoch(
    vae: VAE,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    config: VAEConfig,
    epoch: int,
) -> Iterator[Tensor]:
    """Run one epoch of the report's (8), step by step.

    Parameters
    ----------
    vae, optimizer
        Changed in place.
    images : Tensor of uint8, shape (n, 28, 28)
        On the network's device.
    config : VAEConfig
    epoch : int
        Counted from 0; it chooses the shuffle and the noise.

    Yields
    ------
    Tensor, shape (2,)
        The step's loss and its KL term, nats per image, before the step; left on the device.
    """
    order = torch.randperm(len(images), generator=stream(config.seed, "order", epoch))
    shape = len(images), vae.latent_dim
    noise = torch.randn(shape, generator=stream(config.seed, "noise", epoch))
    batches = order.to(images.device).split(config.batch_size)
    noises = noise.to(images.device).split(config.batch_size)
    for step, (batch, epsilon) in enumerate(zip(batches, noises, strict=True)):
        if config.anneal:
            anneal(optimizer, config.learning_rate, (epoch + step / len(batches)) / config.epochs)
        reconstruction, kl = vae_loss(vae, as_unit(images[batch]), epsilon)
        loss = (reconstruction + config.beta * kl).mean()
        descend(optimizer, loss)
        yield torch.stack([loss.detach(), kl.detach().mean()])


def rmsprop_of(weights: Iterable[nn.Parameter], config: VAEConfig) -> torch.optim.RMSprop:
    """Make the optimiser that takes the steps (8).

    Parameters
    ----------
    weights : iterable of torch.nn.Parameter
    config : VAEConfig

    Returns
    -------
    torch.optim.RMSprop
    """
    return torch.optim.RMSprop(
        weights, lr=config.learning_rate, alpha=config.rho, eps=RMSPROP_EPSILON
    )


@dataclass(frozen=True)
class GAN:
    """The two players of the game (3), and what moves each of them.

    Attributes
    ----------
    generator : torch.nn.Module
        From noise, shape (n, ...), to samples.
    discriminator : torch.nn.Module
        From samples to logits, the log-odds that a sample is real; no sigmoid at its end.
    generator_optimizer, discriminator_optimizer : torch.optim.Optimizer
        Each holds the weights of its player.
    """

    generator: nn.Module
    discriminator: nn.Module
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Give minus the value (3) of a minibatch, which the discriminator lessens.

    Parameters
    ----------
    real_logits, fake_logits : Tensor, shape (n, ...)
        The discriminator's logits of real samples, and of the generator's.

    Returns
    -------
    Tensor, shape ()
        ``−[log D(x) + log(1 − D(G(z)))]`` on average, in nats.

    Examples
    --------
    >>> discriminator_loss(torch.zeros(3), torch.zeros(3))  # D = 1/2: log 4
    tensor(1.3863)
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def saturating_loss(fake_logits: Tensor) -> Tensor:
    """Give the generator's part of (3), ``log(1 − D(G(z)))`` on average.

    Its gradient vanishes where the discriminator rejects with confidence.

    Parameters
    ----------
    fake_logits : Tensor, shape (n, ...)

    Returns
    -------
    Tensor, shape ()
        In nats.

    Examples
    --------
    >>> saturating_loss(torch.zeros(3))
    tensor(-0.6931)
    """
    return -F.softplus(fake_logits).mean()


def non_saturating_loss(fake_logits: Tensor) -> Tensor:
    """Give ``−log D(G(z))`` on average, which practice lessens instead (Goodfellow et al. 2014).

    Parameters
    ----------
    fake_logits : Tensor, shape (n, ...)

    Returns
    -------
    Tensor, shape ()
        In nats.

    Examples
    --------
    >>> non_saturating_loss(torch.zeros(3))
    tensor(0.6931)
    """
    return F.softplus(-fake_logits).mean()


def algorithm_1(
    gan: GAN,
    sample_data: Callable[[], Tensor],
    sample_noise: Callable[[], Tensor],
    iterations: int,
    k: int = 1,
    generator_loss: Callable[[Tensor], Tensor] = non_saturating_loss,
) -> Iterator[Tensor]:
    """Train a GAN by the report's Algorithm 1: k steps of the discriminator, one of the generator.

    Parameters
    ----------
    gan : GAN
        Changed in place.
    sample_data, sample_noise : callable
        Each call returns a fresh minibatch of the data, and of noise for the generator.
    iterations : int
        Training iterations, 1 or more.
    k : int
        Discriminator steps in each iteration, 1 or more. The report's loop counts k down and never
        sets it again; here every iteration has its k steps, as in Goodfellow et al. (2014).
    generator_loss : callable
        Takes the logits of generated samples; :func:`saturating_loss` is the algorithm's own.

    Yields
    ------
    Tensor, shape (2,)
        After each iteration: the losses of the last discriminator step and of the generator step,
        each before its step, in nats; left on the device.

    Raises
    ------
    ValueError
        If `iterations` or `k` is below 1.
    """
    for name, count in {"iterations": iterations, "k": k}.items():
        if count < 1:
            raise ValueError(f"{name} is {count}, but must be at least 1")
    for _ in range(iterations):
        for _ in range(k):
            x, z = sample_data(), sample_noise()
            with at_rest(gan.generator):
                fake = gan.generator(z)
            d_loss = discriminator_step(gan.discriminator, gan.discriminator_optimizer, x, fake)
        z = sample_noise()
        with at_rest(gan.discriminator):
            g_loss = generator_loss(gan.discriminator(gan.generator(z)))
        descend(gan.generator_optimizer, g_loss)
        yield torch.stack([d_loss, g_loss.detach()])


def discriminator_step(
    discriminator: nn.Module, optimizer: torch.optim.Optimizer, real: Tensor, fake: Tensor
) -> Tensor:
    """Take one step up the value (3), the generator's samples being given.

    Parameters
    ----------
    discriminator : torch.nn.Module
        Changed in place.
    optimizer : torch.optim.Optimizer
        Holds the discriminator's weights.
    real, fake : Tensor, shape (n, ...)
        A minibatch of the data, and one of the generator's samples.

    Returns
    -------
    Tensor, shape ()
        :func:`discriminator_loss` before the step, in nats.
    """
    loss = discriminator_loss(discriminator(real), discriminator(fake))
    descend(optimizer, loss)
    return loss.detach()


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """Take one step down the gradient of a loss.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Its weights are changed in place; gradients left from before don't count.
    loss : Tensor, shape ()
    """
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def anneal(optimizer: torch.optim.Optimizer, learning_rate: float, done: float) -> None:
    """Lower the learning rate along a half cosine, from its full value to 0.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Changed in place.
    learning_rate : float
        The full value.
    done : float
        How much of the training is done, from 0 to 1.
    """
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * (1 + math.cos(math.pi * done)) / 2


@contextmanager
def at_rest(network: nn.Module) -> Iterator[None]:
    """Leave a network as it is while the other player moves.

    Its weights get no gradients, and its batch normalisation goes on normalising by the minibatch
    but records no running statistics.

    Parameters
    ----------
    network : torch.nn.Module

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


def dcgan_epoch(gan: GAN, images: Tensor, config: DCGANConfig, epoch: int) -> Iterator[Tensor]:
    """Run one epoch of Algorithm 1 on images: each is shown to the discriminator once.

    What doesn't fill k minibatches at the epoch's end is left out.

    Parameters
    ----------
    gan : GAN
        Changed in place.
    images : Tensor of uint8, shape (n, 28, 28)
        On the networks' device.
    config : DCGANConfig
    epoch : int
        Counted from 0; it chooses the shuffle and the noise.

    Yields
    ------
    Tensor, shape (2,)
        As :func:`algorithm_1` does.

    Raises
    ------
    ValueError
        If there are fewer images than k minibatches hold.
    """
    iterations = len(images) // (config.k * config.batch_size)
    if iterations == 0:
        raise ValueError(
            f"images has {len(images)}, but {config.k} minibatches of {config.batch_size} need "
            f"{config.k * config.batch_size}"
        )
    order = torch.randperm(len(images), generator=stream(config.seed, "order", epoch))
    shape = iterations * (config.k + 1), config.batch_size, config.latent_dim
    noise = torch.randn(shape, generator=stream(config.seed, "noise", epoch))
    batches = iter(order.to(images.device).split(config.batch_size))
    noises = iter(noise.to(images.device))
    steps = algorithm_1(
        gan,
        sample_data=lambda: as_signed(images[next(batches)]),
        sample_noise=lambda: next(noises),
        iterations=iterations,
        k=config.k,
        generator_loss=saturating_loss if config.saturating else non_saturating_loss,
    )
    for step in range(iterations):
        if config.anneal:
            for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
                done = (epoch + step / iterations) / config.epochs
                anneal(optimizer, config.learning_rate, done)
        yield next(steps)


def classifier_epoch(
    classifier: Classifier,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    config: ClassifierConfig,
    epoch: int,
) -> Iterator[Tensor]:
    """Train a classifier for one epoch on images that are distorted anew each time.

    Parameters
    ----------
    classifier, optimizer
        Changed in place.
    images : Tensor of uint8, shape (n, 28, 28)
        On the network's device.
    labels : Tensor of int64, shape (n,)
    config : ClassifierConfig
    epoch : int
        Counted from 0; it chooses the shuffle and the distortions.

    Yields
    ------
    Tensor, shape (2,)
        The step's cross-entropy with smoothed labels (nats per image), and its share of errors,
        before the step.
    """
    order = torch.randperm(len(images), generator=stream(config.seed, "order", epoch))
    maps, softness = _distortions(len(images), stream(config.seed, "distortions", epoch))
    batches = order.to(images.device).split(config.batch_size)
    changes = zip(
        maps.to(images.device).split(config.batch_size),
        softness.to(images.device).split(config.batch_size),
        strict=True,
    )
    for step, (batch, (some_maps, soft)) in enumerate(zip(batches, changes, strict=True)):
        anneal(optimizer, config.learning_rate, (epoch + step / len(batches)) / config.epochs)
        x = as_unit(images[batch])
        grid = F.affine_grid(some_maps, list(x.shape), align_corners=False)
        x = F.grid_sample(x, grid, align_corners=False)
        x = (1 - soft) * x + soft * _blur(x)
        logits = classifier(x)
        loss = F.cross_entropy(logits, labels[batch], label_smoothing=0.05)
        descend(optimizer, loss)
        errors = (logits.argmax(dim=1) != labels[batch]).float().mean()
        yield torch.stack([loss.detach(), errors])


def _distortions(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw small maps of the plane, and how much each image is blurred: half of them not at all.

    Turns by 12°, a tenth in scale, 2 pixels' shift at most. Means of a VAE are softer than any
    real image; a classifier that never saw blur takes its threes and fives for eights.
    """
    turn, scale, *shift = (2 * torch.rand(4, count, generator=generator) - 1).unbind()
    turn, scale = turn * math.radians(12), 1 + 0.1 * scale
    right, down = (part * 2 / 14 for part in shift)  # in half widths of the image
    rows = [turn.cos() / scale, -turn.sin() / scale, right, turn.sin() / scale, turn.cos() / scale]
    maps = torch.stack([*rows, down], dim=1).reshape(count, 2, 3)
    softness = (2 * torch.rand(count, 1, 1, 1, generator=generator) - 1).clamp(min=0)
    return maps, softness


def _blur(x: Tensor) -> Tensor:
    """Blur images by a Gaussian of 1.5 pixels."""
    offsets = torch.arange(-4, 5, device=x.device)
    kernel = torch.exp(-(offsets**2) / (2 * 1.5**2))
    kernel = (kernel / kernel.sum()).reshape(1, 1, 1, -1)
    return F.conv2d(F.conv2d(x, kernel, padding=(0, 4)), kernel.mT, padding=(4, 0))


def adam_of(weights: Iterable[nn.Parameter], config: DCGANConfig) -> torch.optim.Adam:
    """Make the optimiser that moves a player of a DCGAN.

    Parameters
    ----------
    weights : iterable of torch.nn.Parameter
    config : DCGANConfig

    Returns
    -------
    torch.optim.Adam
    """
    return torch.optim.Adam(
        weights, lr=config.learning_rate, betas=(config.beta1, 0.999), fused=True
    )
