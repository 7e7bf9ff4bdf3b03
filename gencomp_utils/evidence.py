"""Evidence and its lower bound where both are known: the report's equations (7) and (9) to (13).

The linear-Gaussian model has a code z from N(0, I) and data x from N(Wz + b, s²I). Its evidence
p(x) and its posterior p(z|x) are Gaussian, so every identity can be checked and every bound seen to
be one. All values are in nats.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from scipy.stats import norm

from gencomp_utils.distributions import Estimate, FloatArray, draws, finite, mean_of, positive
from gencomp_utils.divergences import kl_divergence_density

LogJoint = Callable[[FloatArray], FloatArray]
LOG_2_PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Gaussian distributions of vectors, one or many at once.

    The mean has the shape (..., d); the covariance, (..., d, d), is symmetric and positive
    definite, and its leading axes broadcast with those of the mean. Anything else is a ValueError.

    Examples
    --------
    >>> q = Gaussian(mean=[0.0, 1.0], covariance=[[1.0, 0.5], [0.5, 1.0]])
    >>> q.dimensions
    2
    """

    mean: FloatArray
    covariance: FloatArray

    def __post_init__(self) -> None:
        mean, covariance = finite("mean", self.mean), finite("covariance", self.covariance)
        if mean.ndim == 0 or covariance.shape[-2:] != (mean.shape[-1],) * 2:
            raise ValueError(
                f"mean and covariance must have shapes (..., d) and (..., d, d), but have "
                f"{mean.shape} and {covariance.shape}"
            )
        if not np.allclose(covariance, np.swapaxes(covariance, -1, -2), rtol=1e-9, atol=1e-12):
            raise ValueError("covariance must be symmetric, but isn't")
        least = np.linalg.eigvalsh(covariance).min()
        if least <= 0.0:
            raise ValueError(
                f"covariance must be positive definite, but has the eigenvalue {least:.6g}; "
                "give variances, not their logarithms"
            )
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "covariance", covariance)

    @property
    def dimensions(self) -> int:
        """Number of coordinates."""
        return int(self.mean.shape[-1])

    def at(self, noise: FloatArray) -> FloatArray:
        """Turn draws from N(0, I), shape (..., d), into draws of this distribution.

        They are ``mean + L noise`` with the Cholesky factor L of the covariance: the
        reparametrisation of Kingma and Welling (2014). The mean broadcasts with the noise.

        Examples
        --------
        >>> Gaussian([1.0], [[4.0]]).at(np.array([[0.0], [1.0]]))
        array([[1.],
               [3.]])
        """
        factor = np.linalg.cholesky(self.covariance)
        return np.asarray(self.mean + (factor @ noise[..., None])[..., 0])

    def log_density(self, z: FloatArray) -> FloatArray:
        """Logarithm of the density at z, shape (..., d), which broadcasts with the mean; in nats.

        Examples
        --------
        >>> print(f"{Gaussian([0.0], [[1.0]]).log_density(np.zeros(1)):.6f}")
        -0.918939
        """
        factor = np.linalg.cholesky(self.covariance)
        white = (np.linalg.inv(factor) @ (z - self.mean)[..., None])[..., 0]
        log_scale = np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(axis=-1)
        return np.asarray(
            -0.5 * (white**2).sum(axis=-1) - log_scale - 0.5 * self.dimensions * LOG_2_PI
        )

    def entropy(self) -> FloatArray:
        """Differential entropy of each distribution, in nats.

        Examples
        --------
        >>> print(f"{Gaussian([0.0], [[1.0]]).entropy():.6f}")
        1.418939
        """
        log_determinant = np.linalg.slogdet(self.covariance)[1]
        return np.asarray(0.5 * (log_determinant + self.dimensions * (1.0 + LOG_2_PI)))


def standard_normal(dimensions: int) -> Gaussian:
    """Give the usual prior of codes, N(0, I), with 1 coordinate or more.

    Examples
    --------
    >>> standard_normal(2).mean
    array([0., 0.])
    """
    return Gaussian(np.zeros(dimensions), np.eye(dimensions))


def kl_of_gaussians(q: Gaussian, p: Gaussian) -> FloatArray:
    r"""Kullback-Leibler divergence KL(q ‖ p) of Gaussian vectors, in nats and in closed form.

    .. math::

        \tfrac12 \left[ \mathrm{tr}(\Sigma_p^{-1} \Sigma_q)
        + (\mu_p - \mu_q)^\top \Sigma_p^{-1} (\mu_p - \mu_q) - d
        + \log \frac{|\Sigma_p|}{|\Sigma_q|} \right]

    Leading axes broadcast; another number of coordinates is a ValueError.
    Source: the report's equation (1); the KL term of (7) and (13) where p is the prior.

    Examples
    --------
    >>> print(kl_of_gaussians(Gaussian([1.0], [[1.0]]), standard_normal(1)))
    0.5
    """
    if q.dimensions != p.dimensions:
        raise ValueError(
            f"q and p must have as many coordinates, but q has {q.dimensions} and p has "
            f"{p.dimensions}; the divergence compares distributions over one space"
        )
    shift = (p.mean - q.mean)[..., None]
    ratio = np.linalg.solve(p.covariance, q.covariance)
    spread = np.trace(ratio, axis1=-2, axis2=-1) - q.dimensions
    distance = (shift * np.linalg.solve(p.covariance, shift))[..., 0].sum(axis=-1)
    # For nearly equal pairs the sum of signed terms can round to just below zero.
    return np.asarray(np.maximum(0.5 * (spread + distance - np.linalg.slogdet(ratio)[1]), 0.0))


@dataclass(frozen=True, eq=False)
class LinearGaussian:
    """A model whose evidence and posterior are known: z from N(0, I), x from N(Wz + b, s²I).

    Source: probabilistic principal component analysis, Tipping and Bishop (1999),
    doi:10.1111/1467-9868.00196.

    Parameters
    ----------
    weights, offset
        W, the linear decoder, shape (x_dim, z_dim), and b, the mean of x, shape (x_dim,).
    noise_std
        s, the standard deviation of each coordinate of x once z is known. All are finite and s is
        positive, or it is a ValueError.

    Examples
    --------
    >>> model = LinearGaussian(weights=[[1.0]], offset=[0.0], noise_std=1.0)
    >>> posterior = model.posterior(np.array([2.0]))
    >>> posterior.mean, posterior.covariance
    (array([1.]), array([[0.5]]))
    """

    weights: FloatArray
    offset: FloatArray
    noise_std: float

    def __post_init__(self) -> None:
        weights, offset = finite("weights", self.weights), finite("offset", self.offset)
        if weights.ndim != 2 or offset.shape != weights.shape[:1]:
            raise ValueError(
                f"weights and offset must have shapes (x_dim, z_dim) and (x_dim,), but have "
                f"{weights.shape} and {offset.shape}"
            )
        positive("noise_std", self.noise_std)
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "offset", offset)

    @property
    def prior(self) -> Gaussian:
        """The prior p(z)."""
        return standard_normal(self.weights.shape[1])

    @property
    def evidence(self) -> Gaussian:
        """The distribution p(x) of the data, N(b, WWᵀ + s²I)."""
        noise = self.noise_std**2 * np.eye(len(self.offset))
        return Gaussian(self.offset, self.weights @ self.weights.T + noise)

    def likelihood(self, z: FloatArray) -> Gaussian:
        """Give p(x|z) for codes of shape (..., z_dim)."""
        mean = z @ self.weights.T + self.offset
        return Gaussian(mean, self.noise_std**2 * np.eye(len(self.offset)))

    def posterior(self, x: FloatArray) -> Gaussian:
        """Give p(z|x) by Bayes' rule, equation (9), for x of shape (..., x_dim).

        Its covariance, (I + WᵀW/s²)⁻¹, is the same for every x.
        """
        squares = self.weights.T @ self.weights / self.noise_std**2
        covariance = finite("covariance", np.linalg.inv(np.eye(len(squares)) + squares))
        mean = (x - self.offset) @ self.weights @ covariance / self.noise_std**2
        return Gaussian(mean, covariance)

    def log_joint(self, x: FloatArray, z: FloatArray) -> FloatArray:
        """Give log p(x, z) in nats; x, shape (..., x_dim), and z, (..., z_dim), broadcast."""
        return self.likelihood(z).log_density(x) + self.prior.log_density(z)

    def expected_log_likelihood(self, x: FloatArray, q: Gaussian) -> FloatArray:
        """Mean of log p(x|z) over z from q, in nats: minus the first term of (7), in closed form.

        x has the shape (..., x_dim) and broadcasts with q, distributions of codes.
        """
        spread = self.weights @ q.covariance @ self.weights.T
        extra = np.trace(spread, axis1=-2, axis2=-1) / (2.0 * self.noise_std**2)
        return np.asarray(self.likelihood(q.mean).log_density(x) - extra)

    def elbo(self, x: FloatArray, q: Gaussian) -> FloatArray:
        """Evidence lower bound in closed form, equation (13) with the KL to the prior.

        In nats: at most ``evidence.log_density(x)``, and equal to it where q, distributions of
        codes, is the posterior. x has the shape (..., x_dim) and broadcasts with q.

        Examples
        --------
        >>> model, x = LinearGaussian([[1.0]], [0.0], noise_std=1.0), np.array([2.0])
        >>> gap = model.evidence.log_density(x) - model.elbo(x, model.posterior(x))
        >>> print(f"{abs(gap):.9f}")
        0.000000000
        """
        return self.expected_log_likelihood(x, q) - kl_of_gaussians(q, self.prior)


def elbo_monte_carlo(
    log_joint: LogJoint, q: Gaussian, count: int, rng: np.random.Generator
) -> Estimate:
    """Evidence lower bound of one x, as equation (11) has it: the mean of :func:`log_weights`.

    Unbiased, and in nats. Takes and refuses what :func:`log_weights` does.

    Examples
    --------
    >>> model, x = LinearGaussian([[1.0]], [0.0], noise_std=1.0), np.array([2.0])
    >>> estimate = elbo_monte_carlo(
    ...     lambda z: model.log_joint(x, z), model.prior, 10_000, np.random.default_rng(0))
    >>> bool(abs(estimate.value - model.elbo(x, model.prior)) < 4 * estimate.standard_error)
    True
    """
    return mean_of(log_weights(log_joint, q, count, rng))


def log_weights(
    log_joint: LogJoint, q: Gaussian, count: int, rng: np.random.Generator
) -> FloatArray:
    """Draw z from q and give log p(x, z) − log q(z), the logarithm of its importance weight.

    In nats, shape (count,). The mean of the weights is p(x); the mean of their logarithms is the
    bound (11). `log_joint` gives log p(x, z) for one x, from codes of shape (count, d) to values
    of shape (count,). A `count` below 2 is a ValueError.

    Examples
    --------
    >>> model, x = LinearGaussian([[1.0]], [0.0], noise_std=1.0), np.array([2.0])
    >>> exact = log_weights(
    ...     lambda z: model.log_joint(x, z), model.posterior(x), 5, np.random.default_rng(0))
    >>> np.allclose(exact, model.evidence.log_density(x))  # the posterior's weights don't vary
    True
    """
    z = draws(lambda rng, count: q.at(rng.normal(size=(count, q.dimensions))), rng, count)
    return np.asarray(log_joint(z) - q.log_density(z))


def importance_weighted_bound(log_weights: ArrayLike) -> np.float64 | FloatArray:
    r"""Importance-weighted bound on log p(x), :math:`\log \frac1k \sum_j w_j`, in nats.

    In expectation a lower bound on log p(x) that rises with k; for k = 1 it is the evidence lower
    bound. `log_weights` are logarithms of p(x, z)/q(z), each z drawn from q, shape (..., k); none
    at all, NaN and +inf are a ValueError.
    Source: Burda, Grosse and Salakhutdinov (2016), arXiv:1509.00519.

    Examples
    --------
    >>> print(f"{importance_weighted_bound(np.log([1.0, 3.0])):.6f}")  # log 2
    0.693147
    """
    weights = np.asarray(log_weights, dtype=np.float64)
    if weights.ndim == 0 or weights.shape[-1] == 0:
        raise ValueError(
            f"log_weights must have k of them along the last axis, but has shape {weights.shape}"
        )
    if not (weights < np.inf).all():
        found = weights[~(weights < np.inf)][0]
        raise ValueError(f"log_weights must be numbers or -inf, but one is {found}")
    bound: np.float64 | FloatArray = logsumexp(weights, axis=-1) - np.log(weights.shape[-1])
    return bound


def elbo_gradient(
    model: LinearGaussian, x: FloatArray, mean: FloatArray, std: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Exact gradient of the bound (13) by the mean and by the std of q, shape (z_dim,) each.

    In nats per unit of the code. q has independent coordinates, x the shape (x_dim,).

    Examples
    --------
    >>> model = LinearGaussian([[1.0]], [0.0], noise_std=1.0)
    >>> elbo_gradient(model, np.array([2.0]), np.zeros(1), np.ones(1))
    (array([2.]), array([-1.]))
    """
    curvature = model.weights.T @ model.weights / model.noise_std**2 + np.eye(len(mean))
    pull = model.weights.T @ (x - model.offset) / model.noise_std**2
    return pull - curvature @ mean, 1.0 / std - np.diag(curvature) * std


def reparametrised_gradients(
    model: LinearGaussian, x: FloatArray, mean: FloatArray, std: FloatArray, noise: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Estimate the bound's gradient through z = mean + std · noise, once for each draw.

    By mean and by std, shape (count, z_dim) each. The estimates are unbiased: average over the
    draws. The entropy of q enters exactly. x, mean and std are those of :func:`elbo_gradient`;
    the noise is drawn from N(0, I), shape (count, z_dim).
    Source: Kingma and Welling (2014), arXiv:1312.6114; Rezende et al. (2014), arXiv:1401.4082.

    Examples
    --------
    >>> model = LinearGaussian([[1.0]], [0.0], noise_std=1.0)
    >>> by_mean, by_std = reparametrised_gradients(
    ...     model, np.array([2.0]), np.zeros(1), np.ones(1), np.array([[0.0], [1.0]]))
    >>> by_mean.ravel(), by_std.ravel()
    (array([2., 0.]), array([1., 1.]))
    """
    z = mean + std * noise
    residual = x - model.offset - z @ model.weights.T
    slope = residual @ model.weights / model.noise_std**2 - z
    return slope, slope * noise + 1.0 / std


def score_function_gradients(
    model: LinearGaussian, x: FloatArray, mean: FloatArray, std: FloatArray, noise: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Estimate the bound's gradient by weighing the gradient of log q, once for each draw.

    Takes and gives what :func:`reparametrised_gradients` does, but needs no gradient of the model.
    Source: Williams (1992), doi:10.1007/BF00992696, whose REINFORCE it is.

    Examples
    --------
    >>> model = LinearGaussian([[1.0]], [0.0], noise_std=1.0)
    >>> by_mean, by_std = score_function_gradients(
    ...     model, np.array([2.0]), np.zeros(1), np.ones(1), np.array([[0.0], [1.0]]))
    >>> by_mean.ravel(), by_std.ravel()
    (array([-0. , -1.41893853]), array([ 2.91893853, -0. ]))
    """
    z = mean + std * noise
    q = Gaussian(mean, np.diag(std**2))
    weight = (model.log_joint(x, z) - q.log_density(z))[:, None]
    return weight * noise / std, weight * (noise**2 - 1.0) / std


def mean_kl_in_two(means: ArrayLike, stds: ArrayLike) -> tuple[float, float]:
    r"""Split the mean KL of codes from the prior into what they tell and how they lie.

    .. math::

        \frac1n \sum_i D_{KL}(q(z|x_i) \| p(z)) = I(x; z) + D_{KL}(q(z) \| p(z)),
        \qquad q(z) = \frac1n \sum_i q(z|x_i)

    Gives I(x; z), from 0 to log n: what the code tells about which data point it is of; and
    KL(q(z) ‖ p(z)). Both are in nats, by quadrature, each without the other.
    Source: Hoffman and Johnson (2016), *ELBO surgery*, workshop on advances in approximate
    Bayesian inference.

    `means` and `stds` are of the Gaussian q(z|x) of each data point, with a code of one dimension:
    shape (n,) each, finite, the latter positive, or it is a ValueError.

    Examples
    --------
    >>> information, divergence = mean_kl_in_two([0.0, 0.0], [1.0, 1.0])  # a collapsed encoder
    >>> print(f"{information:.6f} {divergence:.6f}")
    0.000000 0.000000
    """
    means, stds = finite("means", means), positive("stds", stds)
    if means.shape != stds.shape or means.ndim != 1:
        raise ValueError(
            f"means and stds must have one shape (n,), but have {means.shape} and {stds.shape}"
        )

    def log_aggregate(z: FloatArray) -> FloatArray:
        return np.asarray(logsumexp(norm.logpdf(z[:, None], means, stds), axis=1) - np.log(n))

    n = len(means)
    low = min(-9.0, float(np.min(means - 9.0 * stds)))
    high = max(9.0, float(np.max(means + 9.0 * stds)))
    information = [
        kl_divergence_density(norm(mean, std).logpdf, log_aggregate, low, high)
        for mean, std in zip(means, stds, strict=True)
    ]
    divergence = kl_divergence_density(log_aggregate, norm(0.0, 1.0).logpdf, low, high)
    return float(np.mean(information)), divergence
