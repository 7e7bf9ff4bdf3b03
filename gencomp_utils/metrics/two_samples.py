"""Two samples: kernel distance, density, coverage, a trained discriminator, a Parzen window."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencomp_utils.metrics.samples import check_features, reach
from gencomp_utils.models import base

_BLOCK = 1000
_EPOCHS = 8


def kernel_distance(first: Tensor, second: Tensor, block: int = 1000) -> tuple[float, float]:
    r"""Estimate the squared maximum mean discrepancy of features, and its standard error.

    .. math:: \mathrm{E}\, k(x, x') + \mathrm{E}\, k(y, y') - 2\, \mathrm{E}\, k(x, y),
        \qquad k(x, y) = (x \cdot y / d + 1)^3

    is 0 where the first three moments agree, and more elsewhere. The estimate, a mean over disjoint
    blocks of so many rows, has no bias at any number of rows, so it can be negative. Features have
    shapes (n, d) and (m, d), in random order; rows beyond the last whole block are left out. A
    ValueError if there aren't two blocks. Source: Bińkowski et al. (2018), arXiv:1801.01401.

    Examples
    --------
    >>> x = torch.tensor([[0.0], [1.0], [0.0], [1.0]])
    >>> kernel_distance(x, x + 1, block=2)  # each block: 1 + 27 - 2 (1 + 1 + 8 + 27) / 4
    (9.5, 0.0)
    """
    check_features(first, second)
    rows = min(len(first), len(second))
    if not 2 <= block <= rows // 2:
        raise ValueError(
            f"block is {block}, but must be from 2 up to {rows // 2}, half the rows of the smaller "
            "set"
        )
    count = rows // block
    pairs = zip(first.split(block)[:count], second.split(block)[:count], strict=True)
    estimates = torch.stack([_discrepancy(x.cpu().double(), y.cpu().double()) for x, y in pairs])
    return estimates.mean().item(), (estimates.std() / math.sqrt(count)).item()


def _discrepancy(x: Tensor, y: Tensor) -> Tensor:
    n, d = x.shape
    first, second, both = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = first.sum() - first.trace() + second.sum() - second.trace()
    return within / (n * (n - 1)) - 2 * both.mean()


def density_coverage(real: Tensor, fake: Tensor, neighbours: int = 5) -> tuple[float, float]:
    """Count how many real balls hold a fake, and the share of real balls that hold some fake.

    A ball reaches from a real point to its k-th nearest real neighbour, the end included. Density
    is the mean number of balls around a fake, divided by k: about 1 for other real points, and more
    in the middle of many. Coverage rises with the number of fakes: compare at equal numbers.

    Features have shapes (n, d) and (m, d), and n is more than k; otherwise there is a ValueError.
    Source: Naeem et al. (2020), arXiv:2002.09797. Distances are taken in blocks, in float64.

    Examples
    --------
    >>> real = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    >>> density_coverage(real, torch.tensor([[0.5], [0.6], [9.0], [9.1]]), neighbours=1)
    (1.0, 0.5)
    """
    check_features(real, fake)
    if not 1 <= neighbours < len(real):
        raise ValueError(
            f"neighbours is {neighbours}, but must be from 1 up to {len(real) - 1}, one less than "
            "there are real rows"
        )
    real, fake = real.cpu().double(), fake.cpu().double()
    blocks = zip(real.split(_BLOCK), reach(real, neighbours).split(_BLOCK), strict=True)
    held = torch.cat([(torch.cdist(x, fake) <= radii[:, None]).sum(1) for x, radii in blocks])
    density = held.sum().item() / (neighbours * len(fake))
    return density, (held > 0).double().mean().item()


def two_sample_bound(real: Tensor, fake: Tensor, seed: int) -> tuple[float, float]:
    r"""Bound the Jensen–Shannon divergence of two samples by a discriminator, in nats.

    .. math:: \log 2 + \tfrac12 \mathrm{E} \log D(x) + \tfrac12 \mathrm{E} \log(1 - D(y))

    is at most the divergence, and equal to it for the best D. A small convolutional D is trained on
    half of either sample; a quarter says after which epoch to stop; the last, which it hasn't met,
    gives the estimate and its standard error. Less 1.645 of these, it is a lower bound with a
    chance of 95%, below 0 where D tells nothing.

    Images are bytes, shapes (n, 28, 28) and (m, 28, 28), on the CPU; a ValueError if there are
    fewer than 8. The seed is of the split, the weights and the minibatches. Source: Goodfellow et
    al. (2014), arXiv:1406.2661, with a trained D in place of the best one.
    """
    if min(len(real), len(fake)) < 8:
        raise ValueError(
            f"real and fake have {len(real)} and {len(fake)} images, but must have at least 8 each"
        )
    shuffle, order = (base.stream(seed, f"two samples, {use}") for use in ("split", "order"))
    fit, choose, judge = zip(*(_parted(some, shuffle) for some in (real, fake)), strict=True)
    images = torch.cat(fit)
    is_real = (torch.arange(len(images)) < len(fit[0])).float()
    discriminator = _discriminator(base.stream(seed, "two samples, weights"))
    optimizer = torch.optim.Adam(discriminator.parameters(), 2e-3)
    stops = []
    for _ in range(_EPOCHS):
        for batch in torch.randperm(len(images), generator=order).split(100):
            logits = discriminator.train()(images[batch]).flatten()
            base.descend(optimizer, F.binary_cross_entropy_with_logits(logits, is_real[batch]))
        discriminator.eval()
        stops.append((_bound(discriminator, *choose), _bound(discriminator, *judge)))
    return max(stops)[1]


def _parted(images: Tensor, shuffle: torch.Generator) -> tuple[Tensor, ...]:
    mixed = base.as_signed(images[torch.randperm(len(images), generator=shuffle)])
    half, quarter = len(images) // 2, len(images) // 4
    return mixed[:half], mixed[half : half + quarter], mixed[half + quarter :]


def _discriminator(generator: torch.Generator) -> nn.Module:
    with torch.random.fork_rng(devices=[]):  # layers draw weights that are replaced below
        network = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2, padding=2),  # 8 × 14 × 14
            nn.LeakyReLU(0.2),
            nn.Conv2d(8, 16, 5, stride=2, padding=2),  # 16 × 7 × 7
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(16 * 7 * 7, 1),
        )
    base.initialise(network, generator)
    return network


def _bound(discriminator: nn.Module, real: Tensor, fake: Tensor) -> tuple[float, float]:
    logits = [base.in_blocks(discriminator, discriminator, x).double() for x in (real, fake)]
    logs = F.logsigmoid(logits[0]), F.logsigmoid(-logits[1])  # log D and log(1 − D)
    value = math.log(2) + sum(part.mean().item() for part in logs) / 2
    return value, math.sqrt(sum(part.var().item() / len(part) for part in logs)) / 2


def parzen_log_density(samples: Tensor, images: Tensor, width: float) -> Tensor:
    r"""Give log densities of images, shape (m,), under a Gaussian window around each sample.

    .. math:: \log \frac1n \sum_i N(x; s_i, \sigma^2 I)

    in nats per image and float64. Samples and images are bytes, shapes (n, 28, 28) and (m, 28, 28),
    taken as pixels in [0, 1]; `width` is sigma. A ValueError if it isn't positive, or there are no
    samples. Source: Goodfellow et al. (2014), arXiv:1406.2661; Theis et al. (2016),
    arXiv:1511.01844, on why it says little.

    Examples
    --------
    >>> blank = torch.zeros(1, 28, 28, dtype=torch.uint8)
    >>> parzen_log_density(blank, blank, width=1.0)  # -392 log(2 pi)
    tensor([-720.4478], dtype=torch.float64)
    """
    if not 0 < width < math.inf:
        raise ValueError(f"width is {width}, but must be a finite number above 0")
    if len(samples) == 0:
        raise ValueError("samples has no images, but must have at least one")
    centres, points = (some.cpu().flatten(1).double() / 255 for some in (samples, images))
    constant = math.log(len(centres)) + centres.shape[1] / 2 * math.log(2 * math.pi * width**2)
    squares = (torch.cdist(block, centres).square() for block in points.split(_BLOCK))
    return torch.cat([(s / (-2 * width**2)).logsumexp(dim=1) for s in squares]) - constant
