"""Entropy, Kullback-Leibler and Jensen-Shannon divergence: the report's equations (1) and (2).

Every value is in nats (natural logarithms); divide by ``log(2)`` for bits.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr, rel_entr, xlog1py

from gencomp_utils.distributions import (
    SUM_TOLERANCE,
    Estimate,
    FloatArray,
    LogDensity,
    Sampler,
    draws,
    finite,
    integrate,
    log_values,
    mean_of,
    positive,
    probabilities,
    probabilities_alike,
)

_LOG_2 = float(np.log(2.0))


def entropy(p: ArrayLike) -> np.float64 | FloatArray:
    r"""Entropy :math:`H(p) = -\sum_i p_i \log p_i` in nats, between 0 and log n; 0 log 0 = 0.

    Source: the report's section 3.1, which drops the minus sign.

    Parameters
    ----------
    p
        Probabilities, shape (..., n); each row sums to 1 within 1e-9, or it is a ValueError.

    Examples
    --------
    >>> print(f"{entropy([0.5, 0.5]):.6f}")
    0.693147
    """
    total: np.float64 | FloatArray = entr(probabilities("p", p)).sum(axis=-1)
    return total


def kl_divergence(p: ArrayLike, q: ArrayLike) -> np.float64 | FloatArray:
    r"""Kullback-Leibler divergence :math:`\sum_i p_i \log(p_i / q_i)` of each row, equation (1).

    In nats: 0 or more, and ``inf`` where some :math:`q_i = 0 < p_i`. Source: the report's
    equation (1); Kullback and Leibler (1951), doi:10.1214/aoms/1177729694.

    Parameters
    ----------
    p, q
        Probabilities, both of one shape (..., n); each row sums to 1. Nothing is broadcast.

    Raises
    ------
    ValueError
        If the shapes differ, or either argument is empty, negative or not finite, or has a row
        that doesn't sum to 1 within 1e-9.

    Examples
    --------
    >>> print(kl_divergence([0.5, 0.5], [0.9, 0.1]).round(6), kl_divergence([0.5, 0.5], [1, 0]))
    0.510826 inf
    """
    p, q = probabilities_alike(p=p, q=q)
    # For nearly equal pairs the sum of signed terms can round to just below zero.
    value: np.float64 | FloatArray = np.maximum(rel_entr(p, q).sum(axis=-1), 0.0)
    return value


def js_divergence(p: ArrayLike, q: ArrayLike) -> np.float64 | FloatArray:
    r"""Jensen-Shannon divergence of each row, equation (2), in nats: between 0 and log 2.

    .. math::

        D_{JS}(p \| q) = \tfrac12 D_{KL}(p \| m) + \tfrac12 D_{KL}(q \| m),
        \qquad m = \tfrac12 (p + q)

    It is not a metric; its square root is. Takes and refuses what :func:`kl_divergence` does.
    Source: the report's equation (2); Lin (1991), doi:10.1109/18.61115.

    Examples
    --------
    >>> print(f"{js_divergence([1.0, 0.0], [0.0, 1.0]):.6f}")
    0.693147
    >>> js_divergence([[1.0, 0.0], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]])
    array([0.21576..., 0. ])
    """
    p, q = probabilities_alike(p=p, q=q)
    total = p + q
    contrast = np.divide(p - q, total, out=np.zeros_like(total), where=total > 0.0)
    value: np.float64 | FloatArray = np.minimum(_js_terms(total, contrast).sum(axis=-1), _LOG_2)
    return value


def kl_divergence_gaussian(
    mean_p: ArrayLike, std_p: ArrayLike, mean_q: ArrayLike, std_q: ArrayLike
) -> np.float64 | FloatArray:
    r"""Kullback-Leibler divergence of one-dimensional Gaussians, in nats and in closed form.

    .. math::

        \log\frac{\sigma_q}{\sigma_p}
        + \frac{\sigma_p^2 + (\mu_p - \mu_q)^2}{2 \sigma_q^2} - \frac12

    Sum over independent coordinates for their joint divergence. Means and standard deviations are
    finite, the latter positive, and broadcast, or it is a ValueError. Source: equation (1).

    Examples
    --------
    >>> print(kl_divergence_gaussian(0.0, 1.0, 1.0, 1.0))
    0.5
    """
    mean_p, mean_q = finite("mean_p", mean_p), finite("mean_q", mean_q)
    std_p, std_q = positive("std_p", std_p), positive("std_q", std_q)
    shapes = [values.shape for values in (mean_p, std_p, mean_q, std_q)]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(
            "mean_p, std_p, mean_q and std_q must broadcast together, but their shapes are "
            f"{', '.join(map(str, shapes))}; use numbers or arrays of one shape"
        ) from None
    spread, shift = std_p / std_q, (mean_p - mean_q) / std_q
    return np.maximum(0.5 * (spread**2 + shift**2 - 1.0) - np.log(spread), 0.0)


def kl_divergence_density(log_p: LogDensity, log_q: LogDensity, low: float, high: float) -> float:
    """Kullback-Leibler divergence of two densities on the line, by quadrature.

    In nats; ``inf`` where q has no density and p does. Source: equation (1) with an integral in
    place of the sum. Refuses what :func:`gencomp_utils.distributions.integrate` does.

    Parameters
    ----------
    log_p, log_q
        Log-densities: from points of shape (k,) to values of shape (k,), -inf where the density
        is zero, such as ``scipy.stats.norm(0, 1).logpdf``. A density itself rounds to zero (38
        standard deviations out, for a Gaussian) long before its logarithm is lost.
    low, high
        The interval of integration. It must hold all of p and of q but 1e-9; for Gaussians, every
        mean and 8 standard deviations to both sides of it give 1e-9 or better.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> print(f"{kl_divergence_density(norm(0, 1).logpdf, norm(1, 1).logpdf, -8, 9):.9f}")
    0.500000000
    """

    def integrands(x: FloatArray, at_p: FloatArray, at_q: FloatArray) -> list[FloatArray]:
        density, uncovered = np.exp(at_p), np.isneginf(at_q)
        ratio = np.subtract(at_p, at_q, out=np.zeros_like(at_p), where=(density > 0) & ~uncovered)
        return [density * ratio, np.where(uncovered, density, 0.0)]

    divergence, uncovered_mass = integrate(integrands, low, high, log_p=log_p, log_q=log_q)
    # The mass decides, not a single point: q may be zero at one x and the divergence finite.
    return float("inf") if uncovered_mass > SUM_TOLERANCE else max(divergence, 0.0)


def js_divergence_density(log_p: LogDensity, log_q: LogDensity, low: float, high: float) -> float:
    """Jensen-Shannon divergence of two densities on the line, in nats: between 0 and log 2.

    Takes and refuses what :func:`kl_divergence_density` does. Source: equation (2) with an
    integral in place of the sum.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> print(f"{js_divergence_density(norm(0, 1).logpdf, norm(1, 1).logpdf, -8, 9):.9f}")
    0.111421482
    """

    def integrands(x: FloatArray, at_p: FloatArray, at_q: FloatArray) -> list[FloatArray]:
        both_zero = np.isneginf(at_p) & np.isneginf(at_q)
        ratio = np.subtract(at_p, at_q, out=np.zeros_like(at_p), where=~both_zero)
        # (p - q)/(p + q) from log p/q, which stays finite where p and q round to zero.
        return [_js_terms(np.exp(at_p) + np.exp(at_q), np.tanh(ratio / 2.0))]

    (divergence,) = integrate(integrands, low, high, log_p=log_p, log_q=log_q)
    return min(divergence, _LOG_2)


def kl_divergence_monte_carlo(
    log_p: LogDensity, log_q: LogDensity, sample_p: Sampler, count: int, rng: np.random.Generator
) -> Estimate:
    """Kullback-Leibler divergence, estimated as the mean of log p(x) - log q(x) over x from p.

    In nats and unbiased, so it can fall below zero. Where a draw from p meets q = 0, the
    divergence is infinite: ``Estimate(inf, nan)``. Source: equation (1) as an expectation.

    Parameters
    ----------
    log_p, log_q
        Log-densities, or logarithms of probabilities: from draws of shape (count, ...) to values
        of shape (count,).
    sample_p
        ``sample_p(rng, count)`` returns independent draws from p, shape (count, ...).
    count, rng
        How many draws, at least 2, and where all randomness comes from.

    Raises
    ------
    ValueError
        If `count` is below 2; if a log-density returns another shape, NaN or +inf; or if `log_p`
        is -inf at a draw from p.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> kl_divergence_monte_carlo(  # no spread: log p(x)/q(x) is 1/2 at x = 0
    ...     norm(0, 1).logpdf, norm(1, 1).logpdf, lambda rng, count: np.zeros(count),
    ...     100, np.random.default_rng(0))
    Estimate(value=0.5, standard_error=0.0)
    """
    x = draws(sample_p, rng, count)
    at_p, at_q = _own_log_values("p", log_p, x), log_values("log_q", log_q, x)
    if np.isneginf(at_q).any():
        return Estimate(np.inf, np.nan)
    return mean_of(at_p - at_q)


def js_divergence_monte_carlo(
    log_p: LogDensity,
    log_q: LogDensity,
    sample_p: Sampler,
    sample_q: Sampler,
    count: int,
    rng: np.random.Generator,
) -> Estimate:
    """Jensen-Shannon divergence, estimated from as many draws of p as of q.

    Half the mean of log p(x)/m(x) over draws from p, plus half the mean of log q(x)/m(x) over
    draws from q, with m = (p + q)/2. In nats and unbiased, so it can leave [0, log 2].
    Takes and refuses what :func:`kl_divergence_monte_carlo` does; `log_q` must be finite at draws
    from q, too. Source: equation (2) as two expectations.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> estimate = js_divergence_monte_carlo(
    ...     norm(0, 1).logpdf, norm(1, 1).logpdf, lambda rng, count: rng.normal(0, 1, count),
    ...     lambda rng, count: rng.normal(1, 1, count), 10_000, np.random.default_rng(0))
    >>> abs(estimate.value - 0.111421482) < 4 * estimate.standard_error
    True
    """
    x_p, x_q = draws(sample_p, rng, count), draws(sample_q, rng, count)
    p_at_p, q_at_p = _own_log_values("p", log_p, x_p), log_values("log_q", log_q, x_p)
    p_at_q, q_at_q = log_values("log_p", log_p, x_q), _own_log_values("q", log_q, x_q)
    # log p/m = log 2 - log(1 + q/p), and the like for q.
    from_p = mean_of(_LOG_2 - np.logaddexp(0.0, q_at_p - p_at_p))
    from_q = mean_of(_LOG_2 - np.logaddexp(0.0, p_at_q - q_at_q))
    return Estimate(
        value=(from_p.value + from_q.value) / 2.0,
        standard_error=float(np.hypot(from_p.standard_error, from_q.standard_error)) / 2.0,
    )


def _js_terms(total: FloatArray, contrast: FloatArray) -> FloatArray:
    """Contribution of each point to (2), from p + q and d = (p - q)/(p + q)."""
    # As p = (p + q)(1 + d)/2. So a term of a nearly equal pair is a small number computed well,
    # never below zero; the two logarithms of (2) would leave their rounding errors instead.
    terms: FloatArray = xlog1py(1.0 + contrast, contrast) + xlog1py(1.0 - contrast, -contrast)
    return total / 4.0 * terms


def _own_log_values(name: str, log_density: LogDensity, x: FloatArray) -> FloatArray:
    """Evaluate a log-density at draws from the distribution itself."""
    values = log_values(f"log_{name}", log_density, x)
    if np.isneginf(values).any():
        raise ValueError(
            f"log_{name} must be finite at every draw of sample_{name}, but is -inf at one; "
            "the sampler and the log-density must describe the same distribution"
        )
    return values
