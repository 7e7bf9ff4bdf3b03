"""Claims put to the test: the interval of a mean over trainings, and its side of a threshold."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

_CONFIDENCE = 0.95
Word = Literal["holds", "fails", "undecided"]


class Interval(NamedTuple):
    """A mean over trainings, and the ends of its 95 % confidence interval.

    Formatted, it says all three.

    Attributes
    ----------
    mean, low, high : float
        The ends are infinite where one training says nothing about the spread.

    Examples
    --------
    >>> f"{Interval(0.831, 0.825, 0.837):.2f}"
    '0.83 (0.82 to 0.84)'
    """

    mean: float
    low: float
    high: float

    def __format__(self, form: str) -> str:
        mean, low, high = (format(value, form) for value in self)
        return f"{mean} ({f'{low} to {high}' if math.isfinite(self.low) else 'one seed'})"


def interval(values: Sequence[float] | np.ndarray) -> Interval:
    """Give the mean of independent values, and where the mean of all possible ones may lie.

    Parameters
    ----------
    values : sequence of float, or array of shape (n,)
        One for each training.

    Returns
    -------
    Interval
        By Student's t distribution with n − 1 degrees of freedom, in the unit of the values.

    Raises
    ------
    ValueError
        If there are no values, or one isn't finite.

    Notes
    -----
    Source: Student (1908).

    Examples
    --------
    >>> f"{interval([1.0, 2.0, 3.0]):.2f}"
    '2.00 (-0.48 to 4.48)'
    """
    numbers = np.asarray(values, dtype=float)
    if numbers.ndim != 1 or len(numbers) == 0 or not np.isfinite(numbers).all():
        raise ValueError(f"values is {values}, but must be one or more finite numbers in a row")
    n, mean = len(numbers), float(numbers.mean())
    if n == 1:
        return Interval(mean, -math.inf, math.inf)
    factor = stats.t.ppf((1 + _CONFIDENCE) / 2, n - 1)
    half = float(factor * numbers.std(ddof=1) / math.sqrt(n))
    return Interval(mean, mean - half, mean + half)


def correlation_interval(correlations: Sequence[float] | np.ndarray) -> Interval:
    """Give the mean of correlations and its interval, which stays within ±1.

    Parameters
    ----------
    correlations : sequence of float, or array of shape (n,)
        One for each training, between −1 and 1.

    Returns
    -------
    Interval
        Of Fisher's transform ``artanh``, and back.

    Raises
    ------
    ValueError
        If there are none, or one is not strictly between −1 and 1.

    Notes
    -----
    Source: Fisher (1921).

    Examples
    --------
    >>> f"{correlation_interval([0.4, 0.5, 0.6]):.2f}"
    '0.50 (0.22 to 0.71)'
    """
    numbers = np.asarray(correlations, dtype=float)
    if not (np.abs(numbers) < 1).all():
        raise ValueError(f"correlations is {correlations}, but each must be between -1 and 1")
    return Interval(*np.tanh(interval(np.arctanh(numbers))).tolist())


def side(ends: Interval, low: float = -math.inf, high: float = math.inf) -> Word:
    """Say whether a claim holds by which its mean lies from `low` to `high`.

    Parameters
    ----------
    ends : Interval
    low, high : float

    Returns
    -------
    str
        ``"holds"`` if the whole interval lies inside, ``"fails"`` if the whole interval lies
        outside, otherwise ``"undecided"``.

    Raises
    ------
    ValueError
        If `low` is above `high`.

    Examples
    --------
    >>> side(Interval(0.7, 0.6, 0.8), low=0.5)
    'holds'
    >>> side(Interval(0.7, 0.4, 1.0), low=0.5)
    'undecided'
    """
    if low > high:
        raise ValueError(f"low is {low}, but must be at most high, {high}")
    if low <= ends.low and ends.high <= high:
        return "holds"
    return "fails" if ends.high < low or high < ends.low else "undecided"


def overall(words: Iterable[Word], enough: Callable[[Iterable[bool]], bool]) -> Word:
    """Say whether a claim of several parts holds.

    Parameters
    ----------
    words : iterable of str
        What is said of each part.
    enough : callable
        ``all`` where each part must hold, ``any`` where one is enough.

    Returns
    -------
    str
        ``"undecided"`` where parts that are undecided could still make it hold.

    Examples
    --------
    >>> overall(["holds", "undecided"], all), overall(["holds", "undecided"], any)
    ('undecided', 'holds')
    """
    said = list(words)
    if enough(word == "holds" for word in said):
        return "holds"
    return "undecided" if enough(word != "fails" for word in said) else "fails"
