"""The adversarial game: its value, the best discriminator, C(G): the report's equations (3) to (6).

A discriminator is given by its logit, the log-odds log D(x)/(1 - D(x)), because D itself rounds to
0 or 1 where its logarithm still matters. Every value is in nats.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, rel_entr

from gencomp_utils.distributions import (
    SUM_TOLERANCE,
    Estimate,
    FloatArray,
    Function,
    LogDensity,
    Sampler,
    draws,
    integrate,
    mean_of,
    probabilities_alike,
    values_at,
)


def game_value(logits: ArrayLike, p_data: ArrayLike, p_g: ArrayLike) -> np.float64 | FloatArray:
    r"""Value of the game, equation (3), for distributions over outcomes.

    .. math::

        V(D, G) = \sum_i p_{data,i} \log D_i + \sum_i p_{g,i} \log(1 - D_i)

    Parameters
    ----------
    logits : array_like, shape (..., n)
        The discriminator's logit for each outcome; infinite where D is 0 or 1.
    p_data, p_g : array_like, shape (..., n)
        Probabilities of the data and of the generator's samples. All three have one shape:
        nothing is broadcast.

    Returns
    -------
    float64 or ndarray, shape (...)
        Value in nats: 0 or less, and ``-inf`` where D is certain and can be wrong.

    Raises
    ------
    ValueError
        If the shapes differ, a logit is NaN, or a row of probabilities isn't a distribution.

    Notes
    -----
    Source: the report's equation (3), with the expectation over G(z) taken over its
    distribution; Goodfellow et al. (2014), arXiv:1406.2661.

    Examples
    --------
    >>> print(f"{game_value([0.0, 0.0], [0.5, 0.5], [0.9, 0.1]):.6f}")  # D = 1/2: -log 4
    -1.386294
    """
    total: np.float64 | FloatArray = _terms(*_game(logits, p_data, p_g)).sum(axis=-1)
    return total


def game_value_density(
    logit: Function, log_p_data: LogDensity, log_p_g: LogDensity, low: float, high: float
) -> float:
    """Value of the game, equation (3), for densities on the line, by quadrature.

    Parameters
    ----------
    logit : callable
        The discriminator's logit: from points of shape (k,) to values of shape (k,).
    log_p_data, log_p_g : callable
        Log-densities: from points of shape (k,) to values of shape (k,), -inf where the density
        is zero.
    low, high : float
        The interval of integration. It must hold all of both densities but 1e-9.

    Returns
    -------
    float
        Value in nats; ``-inf`` where D is certain and wrong on more than 1e-9 of the mass.

    Raises
    ------
    ValueError
        If the interval isn't finite and increasing; if a function returns another shape or NaN,
        or a log-density +inf; if a density doesn't integrate to 1 within 1e-9; or if the integral
        doesn't settle.

    Notes
    -----
    Source: equation (3) with integrals in place of the expectations.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> undecided = game_value_density(np.zeros_like, norm(0, 1).logpdf, norm(1, 1).logpdf, -8, 9)
    >>> print(f"{undecided:.9f}")
    -1.386294361
    """

    def logits(x: FloatArray, at_data: FloatArray, at_g: FloatArray) -> FloatArray:
        return _logits_at(logit, x)

    return _integrated_value(logits, log_p_data, log_p_g, low, high)


def game_value_monte_carlo(
    logit: Function, sample_data: Sampler, sample_g: Sampler, count: int, rng: np.random.Generator
) -> Estimate:
    """Value of the game, equation (3), estimated from draws, as training sees it.

    Parameters
    ----------
    logit : callable
        The discriminator's logit: from draws of shape (count, ...) to values of shape (count,).
    sample_data, sample_g : callable
        ``sample_data(rng, count)`` returns ``count`` independent draws of the data, stacked along
        the first axis; ``sample_g`` does so for the generator.
    count : int
        How many draws from each; at least 2.
    rng : numpy.random.Generator
        Where all randomness comes from.

    Returns
    -------
    Estimate
        Value and standard error in nats; ``Estimate(-inf, nan)`` where D is certain and wrong at
        a draw.

    Raises
    ------
    ValueError
        If `count` is below 2, or a function returns another shape or NaN.

    Notes
    -----
    Source: equation (3).

    Examples
    --------
    >>> estimate = game_value_monte_carlo(
    ...     lambda x: 0.5 - x,  # the best one for these two Gaussians
    ...     lambda rng, count: rng.normal(0, 1, count),
    ...     lambda rng, count: rng.normal(1, 1, count), 10_000, np.random.default_rng(0))
    >>> abs(estimate.value - -1.163451) < 4 * estimate.standard_error
    True
    """
    at_data = _logits_at(logit, draws(sample_data, rng, count))
    at_g = _logits_at(logit, draws(sample_g, rng, count))
    if np.isneginf(at_data).any() or np.isposinf(at_g).any():
        return Estimate(-np.inf, np.nan)
    real, fake = mean_of(-np.logaddexp(0.0, -at_data)), mean_of(-np.logaddexp(0.0, at_g))
    return Estimate(
        value=real.value + fake.value + 0.0,
        standard_error=float(np.hypot(real.standard_error, fake.standard_error)),
    )


def optimal_discriminator(
    p_data: ArrayLike, p_g: ArrayLike, real_share: float = 0.5
) -> np.float64 | FloatArray:
    r"""Best discriminator :math:`D^*(x) = p_{data}(x) / (p_{data}(x) + p_g(x))`, equation (4).

    Parameters
    ----------
    p_data, p_g : array_like
        Densities or probabilities at the same points; they broadcast together.
    real_share : float
        Share of the data among what D is shown, above 0 and below 1. Other than one half, it
        weighs the densities, and shifts the logit by ``log(real_share / (1 - real_share))``.

    Returns
    -------
    float64 or ndarray, of the broadcast shape
        Probability that x came from the data. Where both densities are zero every answer is
        optimal, and `real_share` is returned.

    Raises
    ------
    ValueError
        If a density is negative or not finite, or `real_share` isn't between 0 and 1.

    Notes
    -----
    Source: the report's equation (4); Goodfellow et al. (2014), proposition 1.

    Examples
    --------
    >>> optimal_discriminator([0.5, 0.5, 0.0], [0.5, 0.0, 0.5])
    array([0.5, 1. , 0. ])
    """
    if not 0.0 < real_share < 1.0:
        raise ValueError(f"real_share is {real_share!r}, but must be above 0 and below 1")
    real = real_share * _density("p_data", p_data)
    fake = (1.0 - real_share) * _density("p_g", p_g)
    total = real + fake
    best = np.full_like(total, real_share)
    np.divide(real, total, out=best, where=total > 0.0)
    return best[()]


def optimal_logit(log_p_data: ArrayLike, log_p_g: ArrayLike) -> np.float64 | FloatArray:
    r"""Logit of the best discriminator: the log density ratio, equation (4) rewritten.

    .. math::

        \log \frac{D^*(x)}{1 - D^*(x)} = \log p_{data}(x) - \log p_g(x)

    Parameters
    ----------
    log_p_data, log_p_g : array_like
        Logarithms of densities or probabilities at the same points, -inf where they are zero;
        they broadcast together.

    Returns
    -------
    float64 or ndarray, of the broadcast shape
        Logit; infinite where only one of both is zero, and 0 (D = 1/2) where both are.

    Raises
    ------
    ValueError
        If an argument is NaN or +inf somewhere.

    Notes
    -----
    Source: the report's equation (4).

    Examples
    --------
    >>> optimal_logit(np.log([0.5, 0.4]), np.log([0.5, 0.1]))
    array([0. , 1.38629436])
    """
    at_data, at_g = _log_density("log_p_data", log_p_data), _log_density("log_p_g", log_p_g)
    both_zero = np.isneginf(at_data) & np.isneginf(at_g)
    logits = np.zeros_like(at_data + at_g)
    np.subtract(at_data, at_g, out=logits, where=~both_zero)
    return logits[()]


def generator_cost(p_data: ArrayLike, p_g: ArrayLike) -> np.float64 | FloatArray:
    r"""Cost of a generator, :math:`C(G) = V(D^*, G)`: what it loses against the best discriminator.

    Parameters
    ----------
    p_data, p_g : array_like, shape (..., n)
        Probabilities; each row along the last axis sums to 1. Both have the same shape.

    Returns
    -------
    float64 or ndarray, shape (...)
        Cost in nats, from -log 4 for equal distributions (5) to 0 for disjoint ones.

    Raises
    ------
    ValueError
        If the shapes differ, or a row isn't a distribution.

    Notes
    -----
    Source: the report's equations (5) and (6). Computed from (3) and (4), not from the
    Jensen-Shannon divergence, which it is compared with.

    Examples
    --------
    >>> print(f"{generator_cost([0.5, 0.5], [0.5, 0.5]):.6f}")
    -1.386294
    """
    p_data, p_g = probabilities_alike(p_data=p_data, p_g=p_g)
    return game_value(_best_logits(p_data, p_g), p_data, p_g)


def generator_cost_density(
    log_p_data: LogDensity, log_p_g: LogDensity, low: float, high: float
) -> float:
    """Cost C(G) of a generator for densities on the line, by quadrature.

    Parameters
    ----------
    log_p_data, log_p_g : callable
        Log-densities: from points of shape (k,) to values of shape (k,), -inf where the density
        is zero.
    low, high : float
        The interval of integration. It must hold all of both densities but 1e-9.

    Returns
    -------
    float
        Cost in nats, from -log 4 to 0.

    Raises
    ------
    ValueError
        As :func:`game_value_density`.

    Notes
    -----
    Source: the report's equations (5) and (6), as in :func:`generator_cost`.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> cost = generator_cost_density(norm(0, 1).logpdf, norm(1, 1).logpdf, -8, 9)
    >>> print(f"{cost:.9f}")
    -1.163451397
    """

    def logits(x: FloatArray, at_data: FloatArray, at_g: FloatArray) -> FloatArray:
        return np.asarray(optimal_logit(at_data, at_g))

    return _integrated_value(logits, log_p_data, log_p_g, low, high)


def shortfall(logits: ArrayLike, p_data: ArrayLike, p_g: ArrayLike) -> np.float64 | FloatArray:
    r"""Shortfall of a discriminator, :math:`C(G) - V(D, G)`, from how D differs from D*.

    .. math::

        2\, \mathbb E_{x \sim m}
        \left[ D_{KL}(\mathrm{Bern}(D^*(x)) \,\|\, \mathrm{Bern}(D(x))) \right],
        \qquad m = \tfrac12 (p_{data} + p_g)

    Parameters
    ----------
    logits : array_like, shape (..., n)
        The discriminator's logit for each outcome; infinite where D is 0 or 1.
    p_data, p_g : array_like, shape (..., n)
        Probabilities of the data and of the generator's samples. All three have one shape.

    Returns
    -------
    float64 or ndarray, shape (...)
        Shortfall in nats, 0 or more; ``inf`` where D is certain and can be wrong.

    Raises
    ------
    ValueError
        If the shapes differ, a logit is NaN, or a row of probabilities isn't a distribution.

    Examples
    --------
    >>> gap = shortfall([0.0, 0.0], [0.5, 0.5], [0.9, 0.1])
    >>> print(f"{gap - generator_cost([0.5, 0.5], [0.9, 0.1]):.6f}")  # V of D = 1/2 is -log 4
    1.386294
    """
    logits, p_data, p_g = _game(logits, p_data, p_g)
    best = np.asarray(optimal_discriminator(p_data, p_g))
    best_complement = np.asarray(optimal_discriminator(p_g, p_data))
    divergence = rel_entr(best, expit(logits)) + rel_entr(best_complement, expit(-logits))
    # Where neither comes, D may be certain of anything.
    weighted = np.multiply(
        p_data + p_g, divergence, out=np.zeros_like(logits), where=p_data + p_g > 0.0
    )
    total: np.float64 | FloatArray = weighted.sum(axis=-1)
    return total


def _integrated_value(
    logits: Callable[[FloatArray, FloatArray, FloatArray], FloatArray],
    log_p_data: LogDensity,
    log_p_g: LogDensity,
    low: float,
    high: float,
) -> float:
    """Integrate (3), with logits from points and the log-densities there."""

    def integrands(x: FloatArray, at_data: FloatArray, at_g: FloatArray) -> list[FloatArray]:
        p_data, p_g = np.exp(at_data), np.exp(at_g)
        terms = _terms(logits(x, at_data, at_g), p_data, p_g)
        lost = np.isneginf(terms)
        # The mass decides, not a single point, on which no integral depends.
        return [np.where(lost, 0.0, terms), np.where(lost, p_data + p_g, 0.0)]

    total, lost_mass = integrate(integrands, low, high, log_p_data=log_p_data, log_p_g=log_p_g)
    # 0.0 is added because a sum of nothing lost is -0.0.
    return float("-inf") if lost_mass > SUM_TOLERANCE else total + 0.0


def _terms(logits: FloatArray, p_data: FloatArray, p_g: FloatArray) -> FloatArray:
    """Give p_data log D + p_g log(1 - D) of each point, with 0 log 0 = 0."""
    terms = np.zeros_like(logits)
    for weight, against in ((p_data, -logits), (p_g, logits)):
        terms -= np.multiply(
            weight, np.logaddexp(0.0, against), out=np.zeros_like(logits), where=weight > 0.0
        )
    return terms


def _best_logits(p_data: FloatArray, p_g: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.asarray(optimal_logit(np.log(p_data), np.log(p_g)))


def _game(
    logits: ArrayLike, p_data: ArrayLike, p_g: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    p_data, p_g = probabilities_alike(p_data=p_data, p_g=p_g)
    array = np.asarray(logits, dtype=np.float64)
    if array.shape != p_data.shape:
        raise ValueError(
            f"logits must have the shape of p_data and p_g, {p_data.shape}, but have "
            f"{array.shape}; nothing is broadcast: use np.broadcast_to"
        )
    if np.isnan(array).any():
        raise ValueError("logits must be numbers or infinite, but one is NaN")
    return array, p_data, p_g


def _logits_at(logit: Function, x: FloatArray) -> FloatArray:
    values = values_at("logit", logit, x)
    if np.isnan(values).any():
        raise ValueError(
            f"logit must return numbers or infinities, but returned NaN at {x[np.isnan(values)][0]}"
        )
    return values


def _density(name: str, values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    bad = ~(np.isfinite(array) & (array >= 0.0))
    if bad.any():
        raise ValueError(
            f"{name} must be finite and not negative, but holds {array[bad].flat[0]}; "
            "give densities, not their logarithms"
        )
    return array


def _log_density(name: str, values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    bad = np.isnan(array) | np.isposinf(array)
    if bad.any():
        raise ValueError(
            f"{name} must be finite, or -inf for no density, but holds {array[bad].flat[0]}"
        )
    return array
