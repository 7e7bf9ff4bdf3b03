"""Claims put to the test: the interval of a mean over trainings, and its side of a threshold."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

_CONFIDENCE = 0.95
Values = Sequence[float] | np.ndarray
Word = Literal["holds", "fails", "undecided"]


class Interval(NamedTuple):
    """A mean over trainings, and the ends of its 95% confidence interval.

    Formatted, it says all three. The ends are infinite where one training says nothing about the
    spread.

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


class Verdict(NamedTuple):
    """What became of a claim, and the interval that says so. Formatted, it says both.

    Examples
    --------
    >>> f"{Verdict('holds', Interval(0.831, 0.825, 0.837)):.2f}"
    '0.83 (0.82 to 0.84), holds'
    """

    word: Word
    interval: Interval

    def __format__(self, form: str) -> str:
        return f"{self.interval:{form}}, {self.word}"


def judge(measured: Interval | Values, low: float = -math.inf, high: float = math.inf) -> Verdict:
    """Put to the test a claim by which the mean over all trainings lies from `low` to `high`.

    Refuses what :func:`interval` and :func:`side` do.

    Parameters
    ----------
    measured
        One number for each training, or the interval of their mean.
    low, high
        Thresholds, in the unit of the numbers; a claim may have one or both.

    Examples
    --------
    >>> word, m = judge([0.82, 0.83, 0.84], low=0.5)
    >>> print(f"{word}: {m:.2f}")
    holds: 0.83 (0.81 to 0.85)
    >>> f"{judge(correlation_interval([0.4, 0.5, 0.6]), low=0.39):.2f}"
    '0.50 (0.22 to 0.71), undecided'
    """
    ends = measured if isinstance(measured, Interval) else interval(measured)
    return Verdict(side(ends, low, high), ends)


def interval(values: Values) -> Interval:
    """Give the mean of values, shape (n,), and where the mean of all possible ones may lie.

    By Student's t distribution with n − 1 degrees of freedom, if the values, one for each
    training, are independent. None at all, NaN or infinity are a ValueError.
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


def correlation_interval(correlations: Values) -> Interval:
    """Give the mean of correlations, shape (n,), and its interval, which stays within ±1.

    That of Fisher's transform ``artanh``, and back; ±1 itself is a ValueError.
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

    It ``"holds"`` if the whole interval lies inside, ``"fails"`` if the whole interval lies
    outside, and is ``"undecided"`` otherwise. A `low` above `high` is a ValueError.

    Examples
    --------
    >>> side(Interval(0.7, 0.6, 0.8), low=0.5), side(Interval(0.7, 0.4, 1.0), low=0.5)
    ('holds', 'undecided')
    """
    if low > high:
        raise ValueError(f"low is {low}, but must be at most high, {high}")
    if low <= ends.low and ends.high <= high:
        return "holds"
    return "fails" if ends.high < low or high < ends.low else "undecided"


def overall(words: Iterable[Word], enough: Callable[[Iterable[bool]], bool]) -> Word:
    """Say whether a claim of several parts holds; undecided parts count where they could decide.

    `enough` is ``all`` where each part must hold, ``any`` where one does.

    Examples
    --------
    >>> overall(["holds", "undecided"], all), overall(["holds", "undecided"], any)
    ('undecided', 'holds')
    """
    said = list(words)
    if enough(word == "holds" for word in said):
        return "holds"
    return "undecided" if enough(word != "fails" for word in said) else "fails"
