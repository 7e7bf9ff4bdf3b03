"""Distributions as numbers: checked probabilities, integrals of densities, means over draws."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import cubature

FloatArray = NDArray[np.float64]
Function = Callable[[NDArray[Any]], FloatArray]
LogDensity = Function
Sampler = Callable[[np.random.Generator, int], NDArray[Any]]

SUM_TOLERANCE = 1e-9
_QUADRATURE_TOLERANCE = 1e-11
_MAX_SUBDIVISIONS = 1000


@dataclass(frozen=True)
class Estimate:
    """A Monte Carlo estimate.

    Attributes
    ----------
    value : float
        The estimate, in nats.
    standard_error : float
        Its standard error, in nats.

    Examples
    --------
    >>> estimate = Estimate(value=0.5, standard_error=0.01)
    >>> abs(estimate.value - 0.51) < 4 * estimate.standard_error
    True
    """

    value: float
    standard_error: float


def probabilities(name: str, values: ArrayLike) -> FloatArray:
    """Check that values are distributions along the last axis.

    Parameters
    ----------
    name : str
        What an error calls them.
    values : array_like, shape (..., n)

    Returns
    -------
    ndarray of float64, shape (..., n)

    Raises
    ------
    ValueError
        If they are empty, negative or not finite, or a row doesn't sum to 1 within 1e-9.

    Examples
    --------
    >>> probabilities("p", [0.5, 0.25, 0.25])
    array([0.5 , 0.25, 0.25])
    """
    array = finite(name, values)
    if array.ndim == 0:
        raise ValueError(
            f"{name} must have at least one axis, but is the number {array}; "
            "a distribution on one point is [1.0]"
        )
    if (array < 0.0).any():
        index = _first(array < 0.0)
        raise ValueError(
            f"{name} must not be negative, but {_entry(name, index)} is {array[index]:.10g}; "
            "probabilities lie between 0 and 1"
        )
    sums = array.sum(axis=-1)
    if (np.abs(sums - 1.0) > SUM_TOLERANCE).any():
        index = _first(np.abs(sums - 1.0) > SUM_TOLERANCE)
        raise ValueError(
            f"{name} must sum to 1 along the last axis, but {_entry(name, index)} sums to "
            f"{sums[index]:.10g}; divide by {name}.sum(axis=-1, keepdims=True) if these are counts"
        )
    return array


def probabilities_alike(**named: ArrayLike) -> tuple[FloatArray, ...]:
    """Check that arguments are distributions of one shape; nothing is broadcast.

    Parameters
    ----------
    **named : array_like, shape (..., n)
        Arguments by the name that an error calls them.

    Returns
    -------
    tuple of ndarray of float64, shape (..., n)

    Raises
    ------
    ValueError
        If one isn't a distribution along its last axis (see :func:`probabilities`), or the shapes
        differ.

    Examples
    --------
    >>> p, q = probabilities_alike(p=[0.5, 0.5], q=[1, 0])
    >>> q
    array([1., 0.])
    """
    arrays = tuple(probabilities(name, values) for name, values in named.items())
    shapes = [array.shape for array in arrays]
    if len(set(shapes)) > 1:
        raise ValueError(
            f"{' and '.join(named)} must have the same shape, but have "
            f"{' and '.join(map(str, shapes))}; nothing is broadcast: use np.broadcast_to to "
            "compare one with many"
        )
    return arrays


def finite(name: str, values: ArrayLike) -> FloatArray:
    """Check that values are finite numbers.

    Parameters
    ----------
    name : str
        What an error calls them.
    values : array_like

    Returns
    -------
    ndarray of float64

    Raises
    ------
    ValueError
        If there are none, or one is infinite or NaN.

    Examples
    --------
    >>> finite("mean", [0, 1])
    array([0., 1.])
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError(
            f"{name} must not be empty, but has shape {array.shape}; give at least one number"
        )
    if not np.isfinite(array).all():
        index = _first(~np.isfinite(array))
        raise ValueError(
            f"{name} must be finite, but {_entry(name, index)} is {array[index]}; "
            "look for a division by zero or a logarithm of zero before this call"
        )
    return array


def positive(name: str, values: ArrayLike) -> FloatArray:
    """Check that values are finite and above 0, as standard deviations are.

    Parameters
    ----------
    name : str
        What an error calls them.
    values : array_like

    Returns
    -------
    ndarray of float64

    Raises
    ------
    ValueError
        If there are none, or one is infinite, NaN, zero or negative.

    Examples
    --------
    >>> positive("std", 0.5)
    array(0.5)
    """
    array = finite(name, values)
    if (array <= 0.0).any():
        index = _first(array <= 0.0)
        raise ValueError(
            f"{name} must be positive, but {_entry(name, index)} is {array[index]:.10g}; "
            "give a standard deviation, not its logarithm"
        )
    return array


def integrate(
    integrands: Callable[..., list[FloatArray]],
    low: float,
    high: float,
    **log_densities: LogDensity,
) -> list[float]:
    """Integrate functions of x and of log-densities at x over an interval, adaptively.

    Parameters
    ----------
    integrands : callable
        Takes points of shape (k,) and each log-density's values there, and returns a list of
        arrays of shape (k,), one for each integral.
    low, high : float
        The interval. It must hold all of each density but 1e-9.
    **log_densities : callable
        By the name that an error calls them: from points of shape (k,) to values of shape (k,).

    Returns
    -------
    list of float
        The integrals, to 1e-11, absolute or relative.

    Raises
    ------
    ValueError
        If the interval isn't finite and increasing; if a log-density returns another shape, NaN
        or +inf; if a density doesn't integrate to 1 within 1e-9 over the interval; or if an
        integral doesn't settle.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> mean, = integrate(lambda x, at_p: [x * np.exp(at_p)], -7, 9, log_p=norm(1, 1).logpdf)
    >>> print(f"{mean:.9f}")
    1.000000000
    """
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(
            f"low and high must be finite with low < high, but are {low} and {high}; "
            "for Gaussians take every mean and 8 standard deviations to both sides"
        )

    def masses_and_integrands(points: FloatArray) -> FloatArray:
        x = points[:, 0]
        values = [log_values(name, f, x) for name, f in log_densities.items()]
        return np.stack([*map(np.exp, values), *integrands(x, *values)], axis=-1)

    result = cubature(
        masses_and_integrands,
        [low],
        [high],
        rtol=_QUADRATURE_TOLERANCE,
        atol=_QUADRATURE_TOLERANCE,
        max_subdivisions=_MAX_SUBDIVISIONS,
    )
    if result.status != "converged":
        raise ValueError(
            f"the integral over [{low}, {high}] hasn't settled after {_MAX_SUBDIVISIONS} "
            "subdivisions; choose low and high closer around the densities"
        )
    masses = dict(zip(log_densities, result.estimate, strict=False))
    for name, mass in masses.items():
        if abs(mass - 1.0) > SUM_TOLERANCE:
            raise ValueError(
                f"exp({name}) must integrate to 1 over [{low}, {high}], but integrates to "
                f"{mass:.10g}; choose low and high closer around all of its mass, or normalise it"
            )
    return [float(integral) for integral in result.estimate[len(masses) :]]


def values_at(name: str, function: Function, points: NDArray[Any]) -> FloatArray:
    """Evaluate a function and check that it returns one value for each point.

    Parameters
    ----------
    name : str
        What an error calls it.
    function : callable
    points : ndarray, shape (k, ...)

    Returns
    -------
    ndarray of float64, shape (k,)

    Raises
    ------
    ValueError
        If it returns another shape.

    Examples
    --------
    >>> values_at("f", lambda x: 2 * x, np.array([0.5, 1.0]))
    array([1., 2.])
    """
    values = np.asarray(function(points), dtype=np.float64)
    if values.shape != points.shape[:1]:
        raise ValueError(
            f"{name} must return one value for each point, shape {points.shape[:1]}, "
            f"but returned shape {values.shape}"
        )
    return values


def log_values(name: str, log_density: LogDensity, points: NDArray[Any]) -> FloatArray:
    """Evaluate a log-density and check what it returns.

    Parameters
    ----------
    name : str
        What an error calls it.
    log_density : callable
    points : ndarray, shape (k, ...)

    Returns
    -------
    ndarray of float64, shape (k,)

    Raises
    ------
    ValueError
        If it returns another shape, NaN or +inf.

    Examples
    --------
    >>> log_values("log_p", lambda x: -x, np.array([0.5, 1.0]))
    array([-0.5, -1. ])
    """
    values = values_at(name, log_density, points)
    bad = np.isnan(values) | np.isposinf(values)
    if bad.any():
        raise ValueError(
            f"{name} must return finite values, or -inf for no density, but returned "
            f"{values[bad][0]} at {points[bad][0]}"
        )
    return values


def draws(sampler: Sampler, rng: np.random.Generator, count: int) -> NDArray[Any]:
    """Draw from a sampler and check what it returns.

    Parameters
    ----------
    sampler : callable
        ``sampler(rng, count)`` returns ``count`` independent draws, stacked along the first axis.
    rng : numpy.random.Generator
    count : int
        At least 2.

    Returns
    -------
    ndarray, shape (count, ...)

    Raises
    ------
    ValueError
        If `count` is below 2, or the sampler returns another number of draws.

    Examples
    --------
    >>> draws(lambda rng, count: rng.normal(size=count), np.random.default_rng(0), 3).shape
    (3,)
    """
    if count < 2:
        raise ValueError(f"count must be at least 2, or there is no standard error, but is {count}")
    sample = np.asarray(sampler(rng, count))
    if sample.shape[:1] != (count,):
        raise ValueError(
            f"a sampler must return count = {count} draws along the first axis, but returned "
            f"shape {sample.shape}"
        )
    return sample


def mean_of(values: FloatArray) -> Estimate:
    """Estimate an expectation by the mean of independent values.

    Parameters
    ----------
    values : ndarray, shape (count,)
        At least 2 of them.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> mean_of(np.array([1.0, 3.0]))
    Estimate(value=2.0, standard_error=1.0)
    """
    error = values.std(ddof=1) / np.sqrt(values.size)
    return Estimate(value=float(values.mean()), standard_error=float(error))


def _first(condition: NDArray[np.bool_]) -> tuple[int, ...]:
    """Index of the first true element; () for a single number."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(condition)), np.shape(condition)))


def _entry(name: str, index: tuple[int, ...]) -> str:
    return f"{name}[{', '.join(map(str, index))}]" if index else name
