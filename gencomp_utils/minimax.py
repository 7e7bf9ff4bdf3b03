"""The adversarial game: its value, the best discriminator, C(G): the report's equations (3) to (6).

A discriminator is given by its logit, the log-odds log D(x)/(1 - D(x)), because D itself rounds to
0 or 1 where its logarithm still matters. Every value is in nats.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr

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
    refuse,
    values_at,
)


def game_value(logits: ArrayLike, p_data: ArrayLike, p_g: ArrayLike) -> np.float64 | FloatArray:
    r"""Value of the game, equation (3), for distributions over outcomes.

    .. math::

        V(D, G) = \sum_i p_{data,i} \log D_i + \sum_i p_{g,i} \log(1 - D_i)

    In nats, for each row: 0 or less, and ``-inf`` where D is certain and can be wrong.
    Source: the report's equation (3), with the expectation over G(z) taken over its distribution;
    Goodfellow et al. (2014), arXiv:1406.2661.

    Parameters
    ----------
    logits
        The discriminator's logit for each outcome, shape (..., n), not NaN; infinite where D is
        0 or 1.
    p_data, p_g
        Probabilities of the data and of the generator's samples, of the same shape, as for
        :func:`gencomp_utils.divergences.kl_divergence`.

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

    In nats; ``-inf`` where D is certain and wrong on more than 1e-9 of the mass. Refuses what
    :func:`gencomp_utils.distributions.integrate` does.

    Parameters
    ----------
    logit
        The discriminator's logit: from points of shape (k,) to values of shape (k,), not NaN.
    log_p_data, log_p_g, low, high
        As for :func:`gencomp_utils.divergences.kl_divergence_density`.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> print(f"{game_value_density(np.zeros_like, norm.logpdf, norm(1).logpdf, -8, 9):.9f}")
    -1.386294361
    """

    def integrands(x: FloatArray, at_data: FloatArray, at_g: FloatArray) -> list[FloatArray]:
        p_data, p_g = np.exp(at_data), np.exp(at_g)
        terms = _terms(_logits_at(logit, x), p_data, p_g)
        lost = np.isneginf(terms)
        # The mass decides, not a single point, on which no integral depends.
        return [np.where(lost, 0.0, terms), np.where(lost, p_data + p_g, 0.0)]

    total, lost_mass = integrate(integrands, low, high, log_p_data=log_p_data, log_p_g=log_p_g)
    return float("-inf") if lost_mass > SUM_TOLERANCE else total


def game_value_monte_carlo(
    logit: Function, sample_data: Sampler, sample_g: Sampler, count: int, rng: np.random.Generator
) -> Estimate:
    """Value of the game, equation (3), estimated from draws, as training sees it.

    In nats; ``Estimate(-inf, nan)`` where D is certain and wrong at a draw.

    Parameters
    ----------
    logit
        The discriminator's logit: from draws of shape (count, ...) to values of shape (count,).
        NaN and another shape are a ValueError.
    sample_data, sample_g
        ``sample_data(rng, count)`` returns independent draws of the data, shape (count, ...);
        ``sample_g`` does so for the generator.
    count, rng
        How many draws from each, at least 2, and where all randomness comes from.

    Examples
    --------
    >>> samplers = [lambda rng, n, mean=mean: rng.normal(mean, 1, n) for mean in (0, 1)]
    >>> estimate = game_value_monte_carlo(  # for the best D for these two
    ...     lambda x: 0.5 - x, *samplers, 10_000, np.random.default_rng(0))
    >>> abs(estimate.value - -1.163451) < 4 * estimate.standard_error
    True
    """
    at_data = _logits_at(logit, draws(sample_data, rng, count))
    at_g = _logits_at(logit, draws(sample_g, rng, count))
    if np.isneginf(at_data).any() or np.isposinf(at_g).any():
        return Estimate(-np.inf, np.nan)
    real, fake = mean_of(-np.logaddexp(0.0, -at_data)), mean_of(-np.logaddexp(0.0, at_g))
    return Estimate(
        value=real.value + fake.value,
        standard_error=float(np.hypot(real.standard_error, fake.standard_error)),
    )


def optimal_discriminator(
    p_data: ArrayLike, p_g: ArrayLike, real_share: float = 0.5
) -> np.float64 | FloatArray:
    """Best discriminator :math:`D^*(x) = p_{data}(x) / (p_{data}(x) + p_g(x))`, equation (4).

    The probability that x came from the data. Where both densities are zero every answer is
    optimal, and `real_share` is returned.
    Source: the report's equation (4); Goodfellow et al. (2014), proposition 1.

    Parameters
    ----------
    p_data, p_g
        Densities or probabilities at the same points; they broadcast together.
    real_share
        Share of the data among what D is shown, above 0 and below 1. Other than one half, it
        weighs the densities, and shifts the logit by ``log(real_share / (1 - real_share))``.

    Raises
    ------
    ValueError
        If a density is negative or not finite, or `real_share` isn't between 0 and 1.

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
    return np.divide(real, total, out=np.full_like(total, real_share), where=total > 0.0)[()]


def optimal_logit(log_p_data: ArrayLike, log_p_g: ArrayLike) -> np.float64 | FloatArray:
    r"""Logit of the best discriminator: the log density ratio, equation (4) rewritten.

    .. math::

        \log \frac{D^*(x)}{1 - D^*(x)} = \log p_{data}(x) - \log p_g(x)

    Infinite where only one of both densities is zero, and 0 (D = 1/2) where both are.

    Parameters
    ----------
    log_p_data, log_p_g
        Logarithms of densities or probabilities at the same points, -inf where they are zero
        (a ValueError if NaN or +inf); they broadcast together.

    Examples
    --------
    >>> optimal_logit(np.log([0.5, 0.4]), np.log([0.5, 0.1]))
    array([0. , 1.38629436])
    """
    at_data, at_g = _log_density("log_p_data", log_p_data), _log_density("log_p_g", log_p_g)
    both_zero = np.isneginf(at_data) & np.isneginf(at_g)
    return np.subtract(at_data, at_g, out=np.zeros_like(at_data + at_g), where=~both_zero)[()]


def generator_cost(p_data: ArrayLike, p_g: ArrayLike) -> np.float64 | FloatArray:
    """Cost of a generator, :math:`C(G) = V(D^*, G)`: what it loses against the best discriminator.

    In nats, for each row: from -log 4 for equal distributions (5) to 0 for disjoint ones. Takes
    and refuses what :func:`gencomp_utils.divergences.js_divergence` does.
    Source: the report's equations (5) and (6). Computed from (3) and (4), not from the
    Jensen-Shannon divergence, which it is compared with.

    Examples
    --------
    >>> print(f"{generator_cost([0.5, 0.5], [0.5, 0.5]):.6f}")
    -1.386294
    """
    p_data, p_g = probabilities_alike(p_data=p_data, p_g=p_g)
    with np.errstate(divide="ignore"):
        logits = optimal_logit(np.log(p_data), np.log(p_g))
    return game_value(logits, p_data, p_g)


def generator_cost_density(
    log_p_data: LogDensity, log_p_g: LogDensity, low: float, high: float
) -> float:
    """Cost C(G) of a generator for densities on the line, in nats, by quadrature.

    Takes and refuses what :func:`gencomp_utils.divergences.js_divergence_density` does.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> print(f"{generator_cost_density(norm(0, 1).logpdf, norm(1, 1).logpdf, -8, 9):.9f}")
    -1.163451397
    """

    def logit(x: FloatArray) -> FloatArray:
        return np.asarray(optimal_logit(log_p_data(x), log_p_g(x)))

    return game_value_density(logit, log_p_data, log_p_g, low, high)


def shortfall(logits: ArrayLike, p_data: ArrayLike, p_g: ArrayLike) -> np.float64 | FloatArray:
    r"""Shortfall of a discriminator, :math:`C(G) - V(D, G)`, from how D differs from D*.

    .. math::

        2\, \mathbb E_{x \sim m}
        \left[ D_{KL}(\mathrm{Bern}(D^*(x)) \,\|\, \mathrm{Bern}(D(x))) \right],
        \qquad m = \tfrac12 (p_{data} + p_g)

    In nats, for each row: 0 or more, and ``inf`` where D is certain and can be wrong. Takes and
    refuses what :func:`game_value` does.

    Examples
    --------
    >>> gap = shortfall([0.0, 0.0], [0.5, 0.5], [0.9, 0.1])
    >>> print(f"{gap - generator_cost([0.5, 0.5], [0.9, 0.1]):.6f}")  # V of D = 1/2 is -log 4
    1.386294
    """
    logits, p_data, p_g = _game(logits, p_data, p_g)
    best = np.asarray(optimal_discriminator(p_data, p_g))
    complement = np.asarray(optimal_discriminator(p_g, p_data))
    # Cross entropy less entropy: D itself would round to 0 at a logit of -746. At D* the difference
    # can round to just below zero.
    divergence = np.maximum(-_terms(logits, best, complement) - entr(best) - entr(complement), 0.0)
    # Where neither comes, D may be certain of anything.
    weighted = (p_data + p_g) * np.where(p_data + p_g > 0.0, divergence, 0.0)
    total: np.float64 | FloatArray = weighted.sum(axis=-1)
    return total


def _terms(logits: FloatArray, p_data: FloatArray, p_g: FloatArray) -> FloatArray:
    """Give p_data log D + p_g log(1 - D) of each point, with 0 log 0 = 0."""
    terms = np.zeros_like(logits)
    for weight, against in ((p_data, -logits), (p_g, logits)):
        terms -= weight * np.where(weight > 0.0, np.logaddexp(0.0, against), 0.0)
    return terms


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
    remedy = "look for inf - inf before this call"
    refuse("logits", array, np.isnan(array), "be numbers or infinite", remedy)
    return array, p_data, p_g


def _logits_at(logit: Function, x: FloatArray) -> FloatArray:
    values = values_at("logit", logit, x)
    if np.isnan(values).any():
        at = x[np.isnan(values)][0]
        raise ValueError(f"logit must return numbers or infinities, but returned NaN at {at}")
    return values


def _density(name: str, values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    good = (array >= 0.0) & (array < np.inf)
    refuse(name, array, ~good, "be finite and not negative", "give densities, not their logarithms")
    return array


def _log_density(name: str, values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    remedy = "look for an infinite density before this call"
    refuse(name, array, ~(array < np.inf), "be finite, or -inf for no density", remedy)
    return array
