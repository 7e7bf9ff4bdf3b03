"""Samples beside real images: distances in features, coverage, sharpness, nearest neighbours."""

from collections.abc import Iterable
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from gencomp_utils.models.base import as_unit
from gencomp_utils.models.classifier import Classifier, features

_BLOCK = 1000
_NEIGHBOUR_BLOCK = 5000  # 16 MB
# To its left and its right, it blurs an image by 2.3 pixels and keeps every second pixel.
_SOFTEN = gaussian_filter1d(np.eye(28, dtype=np.float32), 2.3, axis=0, mode="constant")[::2]


class Reference:
    """Real images in bytes, as a classifier sees them, beside which samples are measured."""

    def __init__(self, classifier: Classifier, images: Tensor) -> None:
        self._classifier = classifier
        self._features = features(classifier, images)

    def compare(self, samples: Tensor) -> dict[str, float]:
        """Measure samples in bytes; as many as the real images, or the distance isn't comparable.

        Gives ``frechet_distance``, ``precision`` and ``recall`` in the classifier's features;
        ``confidence``, the mean probability of the likeliest digit; ``sharpness``, the mean;
        ``share_0`` to ``share_9``, how often each digit is the likeliest.
        """
        seen = features(self._classifier, samples)
        precision, recall = precision_recall(self._features, seen)
        confidence, digits = self._digits(seen)
        shares = digits.bincount(minlength=10) / len(digits)
        return {
            "frechet_distance": frechet_distance(self._features, seen),
            "precision": precision,
            "recall": recall,
            "confidence": confidence.mean().item(),
            "sharpness": sharpness(samples.cpu()).mean().item(),
            **{f"share_{digit}": share for digit, share in enumerate(shares.tolist())},
        }

    @torch.no_grad()
    def _digits(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        answer = self._classifier.answer
        probabilities, digits = (
            answer(seen.to(answer.weight.device)).softmax(dim=1).cpu().max(dim=1)
        )
        return probabilities, digits


def frechet_distance(first: Tensor, second: Tensor) -> float:
    r"""Fréchet distance of two Gaussians fitted to features, shape (n, d) and (m, d).

    .. math::

        \lVert \mu_1 - \mu_2 \rVert^2
        + \mathrm{tr}\left( \Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2} \right)

    It is 0 or more, in squared units of the features, and falls with the number of rows, so compare
    at equal numbers. A ValueError if the shapes don't fit, or there are fewer than two rows.
    Source: Heusel et al. (2017), arXiv:1706.08500, in the features of a classifier of our own: not
    comparable with distances in Inception's. The trace of the root is the sum of the roots of the
    eigenvalues, in float64.

    Examples
    --------
    >>> x = torch.tensor([[0.0], [2.0]])
    >>> frechet_distance(x, x + 3)
    9.0
    """
    check_features(first, second)
    means, covariances = [], []
    for rows in (first.cpu().double(), second.cpu().double()):
        means.append(rows.mean(dim=0))
        covariances.append(torch.cov(rows.T).reshape(2 * (rows.shape[1],)))
    # Σ₁Σ₂ has the eigenvalues of the symmetric R Σ₂ R with R² = Σ₁.
    values, vectors = torch.linalg.eigh(covariances[0])
    root = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    roots = torch.linalg.eigvalsh(root @ covariances[1] @ root).clamp(min=0).sqrt()
    spread = covariances[0].trace() + covariances[1].trace() - 2 * roots.sum()
    return float((means[0] - means[1]).square().sum() + spread.clamp(min=0))


def precision_recall(real: Tensor, fake: Tensor, neighbours: int = 3) -> tuple[float, float]:
    """Give the shares of fakes that lie among the real ones, and of real ones among the fakes.

    A point lies among a set if it is no farther from some member of it than that member's k-th
    nearest neighbour within the set.

    Features have shapes (n, d) and (m, d), with like numbers of rows, and more than k; otherwise
    there is a ValueError. Noise in the images can raise precision above that of real images, so
    neither says enough alone. Source: Kynkäänniemi et al. (2019), arXiv:1904.06991. Distances are
    taken in blocks, in float64.

    Examples
    --------
    >>> real = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    >>> precision_recall(real, real + 0.5, neighbours=1)
    (1.0, 1.0)
    >>> precision_recall(real, torch.tensor([[0.5], [0.6], [9.0], [9.1]]), neighbours=1)
    (0.5, 0.0)
    """
    check_features(real, fake)
    most = min(len(real), len(fake)) - 1
    if not 1 <= neighbours <= most:
        raise ValueError(
            f"neighbours is {neighbours}, but must be from 1 up to {most}, one less than the "
            "smaller set has rows"
        )
    real, fake = real.cpu().double(), fake.cpu().double()
    return _share_among(fake, real, neighbours), _share_among(real, fake, neighbours)


def _share_among(points: Tensor, members: Tensor, neighbours: int) -> float:
    radii = reach(members, neighbours)
    among = [(torch.cdist(block, members) <= radii).any(dim=1) for block in points.split(_BLOCK)]
    return torch.cat(among).double().mean().item()


def reach(members: Tensor, neighbours: int) -> Tensor:
    """Give each row's distance to its k-th nearest other row, shape (n,)."""
    parts = [torch.cdist(block, members) for block in members.split(_BLOCK)]
    return torch.cat([part.kthvalue(neighbours + 1, dim=1).values for part in parts])


def nearest(images: Tensor, among: Tensor) -> tuple[Tensor, Tensor]:
    """Find the nearest of many images in bytes to each of a few, pixel by pixel.

    Gives the Euclidean distances with pixels in [0, 1], shape (n,), and which of `among` they are
    to, shape (n,). A ValueError if there are none to choose from.

    Examples
    --------
    >>> blank, full = torch.zeros(1, 28, 28), torch.full((1, 28, 28), 255)
    >>> distance, index = nearest(blank.byte(), torch.cat([full, blank]).byte())
    >>> distance.item(), index.item()
    (0.0, 1)
    """
    return _nearest(_flat(images), map(_flat, among.split(_NEIGHBOUR_BLOCK)))


def nearest_up_to_shift(images: Tensor, among: Tensor) -> tuple[Tensor, Tensor]:
    """Find the nearest of many images to each of a few, where blur and a small shift hardly count.

    As :func:`nearest`, but each of the few is moved by −1, 0 and 1 pixel both ways and the least
    distance kept, and all are blurred by a Gaussian of 2.3 pixels first, of which every second
    pixel is enough.

    Examples
    --------
    >>> image = torch.zeros(2, 28, 28, dtype=torch.uint8)
    >>> image[0, 9:19, 14], image[1, 14, 9:19] = 255, 255
    >>> distance, index = nearest_up_to_shift(image[:1].roll(1, dims=2), image)
    >>> distance.item(), index.item()
    (0.0, 0)
    """
    soft = [_coarse(block) for block in among.split(_NEIGHBOUR_BLOCK)]
    moved = (images.roll(shift, dims=(1, 2)) for shift in product((-1, 0, 1), repeat=2))
    found = [_nearest(_coarse(queries), soft) for queries in moved]
    least, which = torch.stack([distance for distance, _ in found]).min(dim=0)
    index = torch.stack([index for _, index in found])
    return least, index.gather(0, which[None])[0]


def _nearest(queries: np.ndarray, blocks: Iterable[np.ndarray]) -> tuple[Tensor, Tensor]:
    least = np.full(len(queries), np.inf)
    index = np.zeros(len(queries), dtype=np.int64)
    start = 0
    for block in blocks:
        if len(block) == 0:
            raise ValueError("among has no images, but must have at least one")
        # |a|² is the same for all b; the one that is found is measured again, without cancellation.
        at = ((block**2).sum(axis=1) - 2 * queries @ block.T).argmin(axis=1)
        distance = np.linalg.norm(queries - block[at], axis=1)
        nearer = distance < least
        least[nearer], index[nearer] = distance[nearer], start + at[nearer]
        start += len(block)
    return torch.from_numpy(least), torch.from_numpy(index)


def _coarse(images: Tensor) -> np.ndarray:
    """Blur images, and keep every second pixel, shape (n, 196)."""
    soft = _SOFTEN @ (images.cpu().numpy() / np.float32(255)) @ _SOFTEN.T
    pixels: np.ndarray = soft.reshape(len(soft), 14 * 14)
    return pixels


def copy_limits(distances: Tensor, digits: Tensor, rate: float = 0.01) -> Tensor:
    """Give for each digit the distance below which a sample is near enough to be called a copy.

    Parameters
    ----------
    distances, digits
        Of held-out images, shape (n,): to the nearest training image, and which digit each shows.
        They should be as smooth as the samples are: for a VAE, decoded test images.
    rate
        Chance of a false alarm that is allowed, more than 0 and less than 1.

    Returns
    -------
    Tensor, shape (10,)
        The k-th least distance of a digit's m images, where k is ``rate * (m + 1)`` rounded down:
        one more of them would be nearer with a chance of k / (m + 1). NaN, below which nothing
        lies, where m is too small for k to be 1.

    Examples
    --------
    >>> distances, digits = torch.arange(40.0), torch.arange(40) % 10
    >>> copy_limits(distances, digits, rate=0.5)[:3]  # 0, 10, 20, 30; 1, 11, 21, 31; and so on
    tensor([10., 11., 12.])
    """
    if not 0 < rate < 1:
        raise ValueError(f"rate is {rate}, but must be more than 0 and less than 1")
    limits = torch.full((10,), torch.nan, dtype=distances.dtype)
    for digit in range(10):
        own = distances[digits == digit].sort().values
        if k := int(rate * (len(own) + 1)):
            limits[digit] = own[k - 1]
    return limits


def _flat(images: Tensor) -> np.ndarray:
    pixels: np.ndarray = images.cpu().flatten(1).float().div_(255).numpy()
    return pixels


def sharpness(images: Tensor) -> Tensor:
    """Give the variance of the Laplacian of each image in bytes, shape (n,), with pixels in [0, 1].

    High for edges and for noise alike. Real images have a value of their own: nearer is better.

    Examples
    --------
    >>> sharpness(torch.full((1, 28, 28), 7, dtype=torch.uint8))
    tensor([0.])
    """
    kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])[None, None]
    response = F.conv2d(as_unit(images), kernel.to(images.device))
    return response.flatten(1).var(dim=1, correction=0)


def check_features(first: Tensor, second: Tensor) -> None:
    """Refuse features that aren't two matrices with like columns and two rows or more."""
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(
            f"features must have shapes (n, d) and (m, d), but have {tuple(first.shape)} and "
            f"{tuple(second.shape)}"
        )
    if min(len(first), len(second)) < 2:
        raise ValueError("features must have at least two rows each, or they have no covariance")
