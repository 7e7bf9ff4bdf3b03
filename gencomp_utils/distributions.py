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
_TOLERANCE = 1e-11
_SUBDIVISIONS = 1000


@dataclass(frozen=True)
class Estimate:
    """A Monte Carlo estimate and its standard error (NaN where the value is infinite), in nats.

    Formatted, it says both by the one format.

    Examples
    --------
    >>> estimate = Estimate(value=0.5, standard_error=0.0125)
    >>> f"{estimate:.2f} nats"
    '0.50 ± 0.01 nats'
    >>> print(estimate)
    0.5 ± 0.0125
    """

    value: float
    standard_error: float

    def __format__(self, form: str) -> str:
        return f"{self.value:{form}} ± {self.standard_error:{form}}"

    def __str__(self) -> str:
        return format(self)


def refuse(
    name: str, array: FloatArray, bad: NDArray[np.bool_], must: str, remedy: str, found: str = "is"
) -> None:
    """Raise a ValueError that shows the first value of `array` that is `bad`, if there is one.

    It calls the argument `name` and says what it `must` do, what was `found`, and the `remedy`.

    Examples
    --------
    >>> refuse("n", np.array([2.0, 3.0]), np.array([False, True]), "be even", "double it")
    Traceback (most recent call last):
    ValueError: n must be even, but n[1] is 3; double it
    """
    if bad.any():
        index = tuple(np.argwhere(bad)[0].tolist())
        entry = f"{name}[{', '.join(map(str, index))}]" if index else name
        raise ValueError(f"{name} must {must}, but {entry} {found} {array[index]:.10g}; {remedy}")


def probabilities(name: str, values: ArrayLike) -> FloatArray:
    """Check that values, shape (..., n), are distributions along the last axis, called `name`.

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
    refuse(name, array, array < 0.0, "not be negative", "probabilities lie between 0 and 1")
    sums = np.asarray(array.sum(axis=-1))
    bad = np.abs(sums - 1.0) > SUM_TOLERANCE
    remedy = f"divide by {name}.sum(axis=-1, keepdims=True) if these are counts"
    refuse(name, sums, bad, "sum to 1 along the last axis", remedy, found="sums to")
    return array


def probabilities_alike(**named: ArrayLike) -> tuple[FloatArray, ...]:
    """Check that arguments are distributions of one shape (..., n); nothing is broadcast.

    A ValueError if :func:`probabilities` refuses one, or the shapes differ.

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
    """Check that values, of any shape, are finite numbers: a ValueError if there are none, too.

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
    remedy = "look for a division by zero or a logarithm of zero before this call"
    refuse(name, array, ~np.isfinite(array), "be finite", remedy)
    return array


def positive(name: str, values: ArrayLike) -> FloatArray:
    """Check that values are finite and above 0, as standard deviations are, or raise ValueError.

    Examples
    --------
    >>> positive("std", 0.5)
    array(0.5)
    """
    array = finite(name, values)
    remedy = "give a standard deviation, not its logarithm"
    refuse(name, array, array <= 0.0, "be positive", remedy)
    return array


def integrate(
    integrands: Callable[..., list[FloatArray]],
    low: float,
    high: float,
    **log_densities: LogDensity,
) -> list[float]:
    """Integrate functions of x and of log-densities at x over an interval, to 1e-11 or better.

    Parameters
    ----------
    integrands
        Takes points of shape (k,) and each log-density's values there, and returns a list of
        arrays of shape (k,), one for each integral.
    low, high
        The interval. It must hold all of each density but 1e-9.
    **log_densities
        By the name that an error calls them: from points of shape (k,) to values of shape (k,).

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
    if not -np.inf < low < high < np.inf:
        raise ValueError(
            f"low and high must be finite with low < high, but are {low} and {high}; "
            "for Gaussians take every mean and 8 standard deviations to both sides"
        )

    def everything(points: FloatArray) -> FloatArray:
        x = points[:, 0]
        values = [log_values(name, f, x) for name, f in log_densities.items()]
        return np.stack([*map(np.exp, values), *integrands(x, *values)], axis=-1)

    result = cubature(
        everything, [low], [high], rtol=_TOLERANCE, atol=_TOLERANCE, max_subdivisions=_SUBDIVISIONS
    )
    if result.status != "converged":
        raise ValueError(
            f"the integral over [{low}, {high}] hasn't settled after {_SUBDIVISIONS} "
            "subdivisions; choose low and high closer around the densities"
        )
    for name, mass in zip(log_densities, result.estimate, strict=False):
        if abs(mass - 1.0) > SUM_TOLERANCE:
            raise ValueError(
                f"exp({name}) must integrate to 1 over [{low}, {high}], but integrates to "
                f"{mass:.10g}; choose low and high closer around all of its mass, or normalise it"
            )
    return [float(integral) for integral in result.estimate[len(log_densities) :]]


def values_at(name: str, function: Function, points: NDArray[Any]) -> FloatArray:
    """Evaluate a function at points of shape (k, ...): a ValueError if it doesn't give shape (k,).

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
    """Evaluate a log-density, as :func:`values_at` does: a ValueError if it gives NaN or +inf, too.

    Examples
    --------
    >>> log_values("log_p", lambda x: -x, np.array([0.5, 1.0]))
    array([-0.5, -1. ])
    """
    values = values_at(name, log_density, points)
    bad = ~(values < np.inf)
    if bad.any():
        raise ValueError(
            f"{name} must return finite values, or -inf for no density, but returned "
            f"{values[bad][0]} at {points[bad][0]}"
        )
    return values


def draws(sampler: Sampler, rng: np.random.Generator, count: int) -> NDArray[Any]:
    """Draw from a sampler: ``sampler(rng, count)`` returns independent draws, shape (count, ...).

    A ValueError if `count` is below 2, or the sampler returns another number of draws.

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


def mean_of(values: ArrayLike) -> Estimate:
    """Estimate an expectation by the mean of independent values, 2 or more, shape (count,).

    A tensor that NumPy can convert will do. Another shape, or fewer values, is a ValueError.

    Examples
    --------
    >>> mean_of([1.0, 3.0])
    Estimate(value=2.0, standard_error=1.0)
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size < 2:
        raise ValueError(
            f"values must be at least 2 in a row, or there is no standard error, but have shape "
            f"{array.shape}"
        )
    error = array.std(ddof=1) / np.sqrt(array.size)
    return Estimate(value=float(array.mean()), standard_error=float(error))
