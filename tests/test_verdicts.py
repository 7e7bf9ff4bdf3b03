"""An interval covers the mean as often as it says, and a verdict follows from where it lies."""

import math
import re

import numpy as np
import pytest
from scipy import stats

from gencomp_utils import verdicts
from gencomp_utils.verdicts import Interval


@pytest.mark.parametrize("n", [2, 3, 5])
def test_an_interval_covers_the_mean_as_often_as_it_says(n):
    """Of 1,000 experiments 95 % should cover 7, give or take four standard errors (0.028)."""
    experiments = np.random.default_rng(n).normal(7.0, 2.0, (1000, n))
    ends = [verdicts.interval(values) for values in experiments]
    covered = np.mean([one.low < 7.0 < one.high for one in ends])
    assert covered == pytest.approx(0.95, abs=0.028)


@pytest.mark.parametrize(("n", "factor"), [(2, 12.706), (3, 4.303), (5, 2.776)])
def test_the_factor_is_students(n, factor):
    values = np.arange(n, dtype=float)
    mean, low, high = verdicts.interval(values)
    error = stats.sem(values)
    assert mean == pytest.approx(values.mean())
    assert (mean - low) / error == pytest.approx(factor, rel=1e-3)
    assert (high - mean) / error == pytest.approx(factor, rel=1e-3)


def test_intervals_that_a_hand_can_check():
    # Student's t of two values is Cauchy's, with 97.5 % of it below tan(0.475π).
    one = verdicts.interval([1.0, 3.0])
    assert one == pytest.approx((2.0, 2 - np.tan(0.475 * np.pi), 2 + np.tan(0.475 * np.pi)))
    assert type(one) is Interval
    assert {type(number) for number in one} == {float}
    of_two = verdicts.correlation_interval([0.0, 0.6])
    middle = np.log(2) / 2  # artanh 0.6 is log 2
    half = middle * np.tan(0.475 * np.pi)
    assert of_two == pytest.approx((1 / 3, np.tanh(middle - half), np.tanh(middle + half)))
    assert type(of_two) is Interval


@pytest.mark.parametrize("function", [verdicts.interval, verdicts.correlation_interval])
def test_single_precision_is_taken_as_double(function):
    single = np.array([0.1, 0.25, 0.7], dtype=np.float32)
    assert function(single) == function(single.astype(np.float64))


def test_an_interval_says_all_three_numbers():
    assert f"{Interval(0.25, -0.125, 0.625):+.3f}" == "+0.250 (-0.125 to +0.625)"
    assert f"{Interval(0.25, 0.0, 0.5)}" == "0.25 (0.0 to 0.5)"
    assert f"{Interval(0.25, -math.inf, math.inf):.0%}" == "25% (one seed)"


def test_one_training_says_nothing_about_the_spread():
    one = verdicts.interval([3.0])
    assert one == (3.0, -math.inf, math.inf)
    assert f"{one:.1f}" == "3.0 (one seed)"
    assert verdicts.side(one, low=0.0) == "undecided"


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf], 3.0, [[1.0, 2.0]]])
def test_values_that_have_no_mean_are_refused(values):
    message = f"values is {values}, but must be one or more finite numbers in a row"
    for function in (verdicts.interval, verdicts.judge):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            function(values)


def test_a_correlation_stays_within_bounds():
    mean, low, high = verdicts.correlation_interval([0.9, 0.2, 0.95])
    assert -1 < low < mean < high < 1
    mirrored = verdicts.correlation_interval([-0.9, -0.2, -0.95])
    assert mirrored == pytest.approx((-mean, -high, -low))


@pytest.mark.parametrize("correlation", [1.0, -1.0, -1.5, math.nan])
def test_what_is_no_correlation_is_refused(correlation):
    message = rf"^correlations is \[0.5, {correlation}\], but each must be between -1 and 1$"
    with pytest.raises(ValueError, match=message):
        verdicts.correlation_interval([0.5, correlation])


def test_no_correlations_at_all_are_refused():
    with pytest.raises(ValueError, match="must be one or more finite numbers"):
        verdicts.correlation_interval([])


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
        (0.8, math.inf, "undecided"),
        (-math.inf, 0.6, "undecided"),
        (-math.inf, math.inf, "holds"),
        (0.7, 0.7, "undecided"),
        (0.9, 0.9, "fails"),
        (0.5, 0.7, "undecided"),
        (0.7, 0.9, "undecided"),
    ],
)
def test_a_verdict_asks_where_the_whole_interval_lies(low, high, word):
    assert verdicts.side(Interval(0.7, 0.6, 0.8), low, high) == word


def test_bounds_the_wrong_way_round_are_refused():
    for call in (verdicts.side, verdicts.judge):
        with pytest.raises(ValueError, match=r"^low is 2, but must be at most high, 1$"):
            call(Interval(0.7, 0.6, 0.8), 2, 1)


def test_thresholds_are_left_out_or_given_by_name():
    ends = Interval(0.7, 0.6, 0.8)
    for call in (verdicts.side, lambda *given, **named: verdicts.judge(*given, **named).word):
        assert call(ends) == "holds"
        assert call(ends, high=0.5) == call(ends, low=0.9) == "fails"
        assert call(ends, low=0.5) == call(ends, high=0.9) == "holds"


def test_numbers_are_judged_by_their_interval():
    numbers = [0.5, 0.6, 0.7]
    verdict = verdicts.judge(numbers, low=0.3, high=0.9)
    assert verdict == ("holds", verdicts.interval(numbers))
    assert verdicts.judge(np.array(numbers), low=0.4) == verdicts.judge(numbers, 0.4)
    assert verdicts.judge(numbers, low=0.4).word == "undecided"
    assert verdicts.judge(numbers, 0.9, 1.0).word == "fails"


def test_a_verdict_names_its_word_and_its_interval():
    ends = Interval(-0.5, -0.75, -0.25)
    verdict = verdicts.judge(ends, high=0.0)
    assert verdict.interval is ends
    assert f"{verdict:+.2f}" == "-0.50 (-0.75 to -0.25), holds"
    word, measured = verdict
    assert (word, measured) == ("holds", ends)
    assert f"{verdicts.judge([0.25], high=1.0)}" == "0.25 (one seed), undecided"


@pytest.mark.parametrize(
    ("words", "of_all", "of_any"),
    [
        (["holds", "holds"], "holds", "holds"),
        (["holds", "undecided"], "undecided", "holds"),
        (["holds", "fails"], "fails", "holds"),
        (["undecided", "fails"], "fails", "undecided"),
        (["fails", "fails"], "fails", "fails"),
        (["undecided", "undecided"], "undecided", "undecided"),
        (["fails"], "fails", "fails"),
    ],
)
def test_a_claim_of_several_parts(words, of_all, of_any):
    assert verdicts.overall(words, all) == of_all
    assert verdicts.overall(words, any) == of_any
    assert verdicts.overall(iter(words), all) == of_all
