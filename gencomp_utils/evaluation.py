"""What is measured: bounds and log p(x) of a model, and its samples beside real images."""

import math

import numpy as np
import torch
from sklearn.metrics import pairwise_distances_argmin_min
from torch import Tensor

from gencomp_utils.networks import VAE, Classifier, DCGANGenerator
from gencomp_utils.training import as_unit, bernoulli_cross_entropy, reparameterize, vae_loss

_BLOCK = 1000
_NEIGHBOUR_BLOCK = 5000  # 16 MB


@torch.no_grad()
def elbo(vae: VAE, images: Tensor, generator: torch.Generator, draws: int = 1) -> Tensor:
    """Estimate the evidence lower bound (13) of each image.

    Parameters
    ----------
    vae : VAE
    images : Tensor of uint8, shape (n, 28, 28)
    generator : torch.Generator
        Source of the noise, on the CPU.
    draws : int
        Draws of z averaged for each image.

    Returns
    -------
    Tensor of float64, shape (n,)
        Nats per image.
    """
    bounds = []
    for batch in images.split(_BLOCK):
        x = as_unit(batch)
        total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        for _ in range(draws):
            noise = torch.randn(len(x), vae.latent_dim, generator=generator).to(x.device)
            reconstruction, kl = vae_loss(vae, x, noise)
            total -= reconstruction.double() + kl.double()
        bounds.append(total / draws)
    return torch.cat(bounds)


@torch.no_grad()
def mean_loss(
    vae: VAE, images: Tensor, generator: torch.Generator, beta: float = 1.0
) -> tuple[float, float]:
    """Measure the report's (7) on images, with one draw of z for each.

    Parameters
    ----------
    vae : VAE
    images : Tensor of uint8, shape (n, 28, 28)
        On the network's device.
    generator : torch.Generator
        Source of the noise, on the CPU.
    beta : float
        Weight of the KL term.

    Returns
    -------
    loss, kl : float
        Nats per image; the loss has the KL weighted by beta.
    """
    noise = torch.randn(len(images), vae.latent_dim, generator=generator).to(images.device)
    terms = [
        torch.stack(vae_loss(vae, as_unit(batch), batch_noise)).double()
        for batch, batch_noise in zip(images.split(_BLOCK), noise.split(_BLOCK), strict=True)
    ]
    reconstruction, kl = torch.cat(terms, dim=1).mean(dim=1).tolist()
    return reconstruction + beta * kl, kl


@torch.no_grad()
def importance_weighted(vae: VAE, images: Tensor, generator: torch.Generator, draws: int) -> Tensor:
    r"""Estimate the importance-weighted bound on :math:`\log p(x)` of each image.

    Parameters
    ----------
    vae : VAE
    images : Tensor of uint8, shape (n, 28, 28)
    generator : torch.Generator
        Source of the noise, on the CPU.
    draws : int
        k, the draws of z for each image; for 1 it is an estimate of the bound (13).

    Returns
    -------
    Tensor of float64, shape (n,)
        Nats per image; at most log p(x) in expectation, and closer to it for more draws.

    Notes
    -----
    Source: Burda et al. (2016), arXiv:1509.00519.
    """
    bounds = []
    for batch in images.split(_BLOCK):
        x = as_unit(batch)
        mean, log_variance = vae.encode(x)
        total = torch.full((len(x),), -math.inf, dtype=torch.float64, device=x.device)
        for _ in range(draws):
            noise = torch.randn(len(x), vae.latent_dim, generator=generator).to(x.device)
            z = reparameterize(mean, log_variance, noise)
            # The constants of both Gaussians cancel.
            log_ratio = 0.5 * (log_variance + noise**2 - z**2).double().sum(dim=1)
            log_weight = log_ratio - bernoulli_cross_entropy(vae.decode(z), x).double()
            total = torch.logaddexp(total, log_weight)
        bounds.append(total - math.log(draws))
    return torch.cat(bounds)


@torch.no_grad()
def log_evidence_grid(vae: VAE, images: Tensor, points: int, half_width: float = 6.0) -> Tensor:
    r"""Integrate ``p(x|z) p(z)`` over 2-D codes by a grid, for each image.

    Parameters
    ----------
    vae : VAE
        With two code dimensions.
    images : Tensor of uint8, shape (n, 28, 28)
    points : int
        Grid points along each axis. The sum converges fast once their distance is below the
        width of the narrowest posterior; compare two values to see that it has.
    half_width : float
        The grid covers [−half_width, half_width] in both dimensions.

    Returns
    -------
    Tensor of float64, shape (n,)
        :math:`\log p(x)` in nats. What lies outside the square is left out, so the value is a
        little low.

    Raises
    ------
    ValueError
        If the codes have another number of dimensions than two.
    """
    if vae.latent_dim != 2:
        raise ValueError(
            f"vae has {vae.latent_dim} code dimensions, but a grid is feasible for 2 only"
        )
    axis = torch.linspace(-half_width, half_width, points, device=images.device)
    log_cell = 2 * math.log(2 * half_width / (points - 1))
    pixels = as_unit(images).flatten(1)
    total = torch.full((len(images),), -math.inf, dtype=torch.float64, device=images.device)
    for z in torch.cartesian_prod(axis, axis).split(512):
        logits = vae.decode(z).flatten(1)
        # log p(x|z) is linear in x: x · logits − Σ log(1 + exp(logits))
        log_weight = (
            -torch.nn.functional.softplus(logits).double().sum(dim=1)
            - 0.5 * z.double().square().sum(dim=1)
            - math.log(2 * math.pi)
            + log_cell
        )
        for part, sums in zip(pixels.split(2000), total.split(2000), strict=True):
            log_joint = (part @ logits.T).double() + log_weight
            torch.logaddexp(sums, torch.logsumexp(log_joint, dim=1), out=sums)
    return total


@torch.no_grad()
def images_of(network: VAE | DCGANGenerator, z: Tensor) -> Tensor:
    """Turn codes or noise into images of 8 bits, as real ones are.

    Parameters
    ----------
    network : VAE or DCGANGenerator
        In evaluation mode.
    z : Tensor, shape (n, latent_dim)
        On the network's device.

    Returns
    -------
    Tensor of uint8, shape (n, 28, 28)
        A VAE's are means of ``p(x|z)``, not draws from it.

    Examples
    --------
    >>> vae = VAE(2, torch.Generator().manual_seed(0))
    >>> images_of(vae, torch.zeros(3, 2)).shape
    torch.Size([3, 28, 28])
    """
    blocks = []
    for block in z.split(_BLOCK):
        if isinstance(network, VAE):
            grey = torch.sigmoid(network.decode(block))
        else:
            grey = (network(block) + 1) / 2
        blocks.append((grey.squeeze(1) * 255).round().byte())
    return torch.cat(blocks)


class Reference:
    """Real images, as a classifier sees them, beside which samples are measured.

    Parameters
    ----------
    classifier : Classifier
        In evaluation mode.
    images : Tensor of uint8, shape (n, 28, 28)
        On the classifier's device.
    """

    def __init__(self, classifier: Classifier, images: Tensor) -> None:
        self._classifier = classifier
        self._features, _ = _seen(classifier, images)

    def compare(self, samples: Tensor) -> dict[str, float]:
        """Measure samples beside the real images.

        Parameters
        ----------
        samples : Tensor of uint8, shape (n, 28, 28)
            On the classifier's device; as many as there are real images, or the distance isn't
            comparable.

        Returns
        -------
        dict of str to float
            ``frechet_distance``, ``precision`` and ``recall`` in the classifier's features;
            ``confidence``, the mean probability of the likeliest digit; ``sharpness``, the mean;
            ``share_0`` to ``share_9``, how often each digit is the likeliest.
        """
        features, probabilities = _seen(self._classifier, samples)
        precision, recall = precision_recall(self._features, features)
        confidence, digits = probabilities.max(dim=1)
        shares = digits.bincount(minlength=10) / len(digits)
        return {
            "frechet_distance": frechet_distance(self._features, features),
            "precision": precision,
            "recall": recall,
            "confidence": confidence.mean().item(),
            "sharpness": sharpness(samples).mean().item(),
            **{f"share_{digit}": share for digit, share in enumerate(shares.tolist())},
        }


@torch.no_grad()
def _seen(classifier: Classifier, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return features and class probabilities."""
    features = torch.cat([classifier.features(as_unit(block)) for block in images.split(_BLOCK)])
    return features, torch.softmax(classifier.answer(features), dim=1)


@torch.no_grad()
def accuracy(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """Give the share of images that a classifier names rightly.

    Parameters
    ----------
    classifier : Classifier
        In evaluation mode.
    images : Tensor of uint8, shape (n, 28, 28)
    labels : Tensor of int64, shape (n,)

    Returns
    -------
    float
        Between 0 and 1.
    """
    _, probabilities = _seen(classifier, images)
    return (probabilities.argmax(dim=1) == labels).double().mean().item()


def frechet_distance(first: Tensor, second: Tensor) -> float:
    r"""Fréchet distance of two Gaussians fitted to features.

    .. math::

        \lVert \mu_1 - \mu_2 \rVert^2
        + \mathrm{tr}\left( \Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2} \right)

    Parameters
    ----------
    first, second : Tensor, shape (n, features)
        At least two rows each.

    Returns
    -------
    float
        0 or more, in squared units of the features. It falls with the number of rows, so compare
        at equal numbers.

    Raises
    ------
    ValueError
        If the shapes don't fit, or there are fewer than two rows.

    Notes
    -----
    Source: Heusel et al. (2017), arXiv:1706.08500, in the features of a classifier of our own: not
    comparable with distances in Inception's. The trace of the root is the sum of the roots of
    the eigenvalues, in float64.

    Examples
    --------
    >>> x = torch.tensor([[0.0], [2.0]])
    >>> frechet_distance(x, x + 3)
    9.0
    """
    _check_features(first, second)
    means, covariances = [], []
    for features in (first.double(), second.double()):
        means.append(features.mean(dim=0))
        covariances.append(torch.cov(features.T).reshape(2 * (features.shape[1],)))
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

    Parameters
    ----------
    real, fake : Tensor, shape (n, features)
        Of like numbers of rows.
    neighbours : int
        k, from 1 up to the rows of the smaller set less one.

    Returns
    -------
    precision, recall : float
        Between 0 and 1. Noise in the images can raise precision above that of real images, so
        neither says enough alone.

    Raises
    ------
    ValueError
        If the shapes don't fit, or there are too few rows for so many neighbours.

    Notes
    -----
    Source: Kynkäänniemi et al. (2019), arXiv:1904.06991. Distances are taken in blocks.

    Examples
    --------
    >>> real = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    >>> precision_recall(real, real + 0.5, neighbours=1)
    (1.0, 1.0)
    >>> precision_recall(real, torch.tensor([[0.5], [0.6], [9.0], [9.1]]), neighbours=1)
    (0.5, 0.0)
    """
    _check_features(real, fake)
    most = min(len(real), len(fake)) - 1
    if not 1 <= neighbours <= most:
        raise ValueError(
            f"neighbours is {neighbours}, but must be from 1 up to {most}, one less than the "
            "smaller set has rows"
        )
    return _share_among(fake, real, neighbours), _share_among(real, fake, neighbours)


def _share_among(points: Tensor, members: Tensor, neighbours: int) -> float:
    reach = torch.cat(
        [
            torch.cdist(block, members).kthvalue(neighbours + 1, dim=1).values
            for block in members.split(_BLOCK)
        ]
    )
    among = [(torch.cdist(block, members) <= reach).any(dim=1) for block in points.split(_BLOCK)]
    return torch.cat(among).double().mean().item()


def nearest(images: Tensor, among: Tensor) -> tuple[Tensor, Tensor]:
    """Find the nearest of many images to each of a few, pixel by pixel.

    Parameters
    ----------
    images, among : Tensor of uint8, shape (n, 28, 28)

    Returns
    -------
    distance : Tensor, shape (n,)
        Euclidean distance with pixels in [0, 1].
    index : Tensor of int64, shape (n,)
        Which of `among` it is.

    Raises
    ------
    ValueError
        If there are none to choose from.

    Examples
    --------
    >>> blank, full = torch.zeros(1, 28, 28), torch.full((1, 28, 28), 255)
    >>> distance, index = nearest(blank.byte(), torch.cat([full, blank]).byte())
    >>> distance.item(), index.item()
    (0.0, 1)
    """
    if len(among) == 0:
        raise ValueError("among has no images, but must have at least one")
    queries = _flat(images)
    least = np.full(len(images), np.inf)
    index = np.zeros(len(images), dtype=np.int64)
    for start in range(0, len(among), _NEIGHBOUR_BLOCK):
        block = _flat(among[start : start + _NEIGHBOUR_BLOCK])
        at, distance = pairwise_distances_argmin_min(queries, block)
        nearer = distance < least
        least[nearer], index[nearer] = distance[nearer], start + at[nearer]
    return torch.from_numpy(least), torch.from_numpy(index)


def _flat(images: Tensor) -> np.ndarray:
    pixels: np.ndarray = images.cpu().flatten(1).float().div_(255).numpy()
    return pixels


def sharpness(images: Tensor) -> Tensor:
    """Give the variance of the Laplacian of each image, high for edges and for noise alike.

    Parameters
    ----------
    images : Tensor of uint8, shape (n, 28, 28)

    Returns
    -------
    Tensor, shape (n,)
        With pixels in [0, 1]. Real images have a value of their own: nearer to it is better,
        not higher.

    Examples
    --------
    >>> sharpness(torch.full((1, 28, 28), 7, dtype=torch.uint8))
    tensor([0.])
    """
    kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])[None, None]
    response = torch.nn.functional.conv2d(as_unit(images), kernel.to(images.device))
    return response.flatten(1).var(dim=1, correction=0)


def _check_features(first: Tensor, second: Tensor) -> None:
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(
            f"features must have shapes (n, d) and (m, d), but have {tuple(first.shape)} and "
            f"{tuple(second.shape)}"
        )
    if min(len(first), len(second)) < 2:
        raise ValueError("features must have at least two rows each, or they have no covariance")
