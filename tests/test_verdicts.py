"""An interval covers the mean as often as it says, and a verdict follows from where it lies."""

import math

import numpy as np
import pytest
from scipy import stats

from gencomp_utils import verdicts
from gencomp_utils.verdicts import Interval


@pytest.mark.parametrize("n", [2, 3, 5])
def test_an_interval_covers_the_mean_as_often_as_it_says(n):
    """Of 4,000 experiments 95 % should cover 7, give or take four standard errors (0.014)."""
    experiments = np.random.default_rng(n).normal(7.0, 2.0, (4000, n))
    ends = [verdicts.interval(values) for values in experiments]
    covered = np.mean([one.low < 7.0 < one.high for one in ends])
    assert covered == pytest.approx(0.95, abs=0.014)


@pytest.mark.parametrize(("n", "factor"), [(2, 12.706), (3, 4.303), (5, 2.776)])
def test_the_factor_is_students(n, factor):
    values = np.arange(n, dtype=float)
    mean, low, high = verdicts.interval(values)
    error = stats.sem(values)
    assert mean == pytest.approx(values.mean())
    assert (mean - low) / error == pytest.approx(factor, rel=1e-3)
    assert (high - mean) / error == pytest.approx(factor, rel=1e-3)


def test_one_training_says_nothing_about_the_spread():
    one = verdicts.interval([3.0])
    assert one == (3.0, -math.inf, math.inf)
    assert f"{one:.1f}" == "3.0 (one seed)"
    assert verdicts.side(one, low=0.0) == "undecided"


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf], 3.0, [[1.0, 2.0]]])
def test_values_that_have_no_mean_are_refused(values):
    with pytest.raises(ValueError, match="values is"):
        verdicts.interval(values)


def test_a_correlation_stays_within_bounds():
    mean, low, high = verdicts.correlation_interval([0.9, 0.2, 0.95])
    assert -1 < low < mean < high < 1
    mirrored = verdicts.correlation_interval([-0.9, -0.2, -0.95])
    assert mirrored == pytest.approx((-mean, -high, -low))


@pytest.mark.parametrize("correlation", [1.0, -1.5, math.nan])
def test_what_is_no_correlation_is_refused(correlation):
    with pytest.raises(ValueError, match="correlations is"):
        verdicts.correlation_interval([0.5, correlation])


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.5, math.inf, "holds"),
        (-math.inf, 0.9, "holds"),
        (0.6, 0.8, "holds"),
        (0.65, math.inf, "undecided"),
        (-math.inf, 0.7, "undecided"),
        (0.65, 0.75, "undecided"),
        (0.81, math.inf, "fails"),
        (-math.inf, 0.59, "fails"),
    ],
)
def test_a_verdict_asks_where_the_whole_interval_lies(low, high, word):
    assert verdicts.side(Interval(0.7, 0.6, 0.8), low, high) == word


def test_bounds_the_wrong_way_round_are_refused():
    with pytest.raises(ValueError, match="low is 2, but must be at most high, 1"):
        verdicts.side(Interval(0.7, 0.6, 0.8), 2, 1)


@pytest.mark.parametrize(
    ("words", "of_all", "of_any"),
    [
        (["holds", "holds"], "holds", "holds"),
        (["holds", "undecided"], "undecided", "holds"),
        (["holds", "fails"], "fails", "holds"),
        (["undecided", "fails"], "fails", "undecided"),
        (["fails", "fails"], "fails", "fails"),
    ],
)
def test_a_claim_of_several_parts(words, of_all, of_any):
    assert verdicts.overall(words, all) == of_all
    assert verdicts.overall(words, any) == of_any
