"""Estimates, checked probabilities, integrals and draws: golden values, boundaries, refusals."""

import dataclasses
import re
from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import norm

from gencomp_utils import distributions
from gencomp_utils.distributions import (
    Estimate,
    draws,
    finite,
    integrate,
    log_values,
    mean_of,
    positive,
    probabilities,
    probabilities_alike,
    refuse,
    values_at,
)

RNG = np.random.default_rng(0)


# Estimates


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (".2f", "0.50 ± 0.01"),
        ("+.1e", "+5.0e-01 ± +1.3e-02"),
        ("", "0.5 ± 0.0125"),
        ("6.3f", " 0.500 ±  0.013"),
    ],
)
def test_an_estimate_is_formatted_with_its_error(form, text):
    assert format(Estimate(0.5, 0.0125), form) == text


def test_an_estimate_prints_both_numbers_and_cannot_be_changed():
    estimate = Estimate(0.5, 0.0125)
    assert str(estimate) == "0.5 ± 0.0125"
    assert f"{Estimate(np.inf, np.nan):.2f}" == "inf ± nan"
    with pytest.raises(dataclasses.FrozenInstanceError):
        estimate.value = 1.0


@pytest.mark.parametrize(
    "convert", [list, tuple, np.array, torch.tensor, partial(np.array, dtype=np.float32)]
)
def test_the_mean_and_its_error_are_those_of_independent_values(convert):
    estimate = mean_of(convert([1.0, 2.0, 3.0, 6.0]))
    assert estimate.value == 3.0
    assert estimate.standard_error == pytest.approx(np.sqrt(14 / 3 / 4), rel=1e-15)
    assert {type(estimate.value), type(estimate.standard_error)} == {float}


def test_two_values_are_enough_for_a_mean():
    assert mean_of([1.0, 3.0]) == Estimate(2.0, 1.0)


def test_a_mean_of_small_floats_is_taken_in_double_precision():
    estimate = mean_of(torch.full((3,), 0.1, dtype=torch.float32))
    assert estimate.value == pytest.approx(float(np.float32(0.1)), abs=1e-17)


# What is taken


@pytest.mark.parametrize("off", [0.9e-9, -0.9e-9])
def test_sums_may_miss_one_by_the_tolerance(off):
    assert probabilities("p", [0.5, 0.5 + off]).tolist() == [0.5, 0.5 + off]


def test_probabilities_may_be_zero_and_come_in_batches():
    batch = probabilities("p", [[[1, 0], [0, 1]], [[0.25, 0.75], [0.5, 0.5]]])
    assert batch.shape == (2, 2, 2)
    assert batch.dtype == np.float64


def test_alike_gives_each_argument_in_its_turn():
    p, q, r = probabilities_alike(p=[1.0], q=[1], r=np.ones(1, dtype=np.float32))
    assert p.tolist() == q.tolist() == r.tolist() == [1.0]
    assert len(probabilities_alike(p=[0.5, 0.5])) == 1


def test_finite_takes_any_number_and_positive_the_least_one():
    assert finite("x", [-1e308, 0.0, 5e-324]).tolist() == [-1e308, 0.0, 5e-324]
    assert finite("x", 3).shape == ()
    assert positive("std", 5e-324) == 5e-324


def test_nothing_bad_is_not_refused():
    assert refuse("x", np.ones(2), np.zeros(2, dtype=bool), "be bad", "nothing") is None


def test_functions_get_the_points_and_give_doubles():
    points = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    values = values_at("f", lambda x: x.sum(axis=1).astype(int), points)
    assert values.tolist() == [3.0, 7.0, 11.0]
    assert values.dtype == np.float64


def test_a_log_density_may_be_minus_infinity():
    at = log_values("log_p", lambda x: np.where(x > 0, 700.0, -np.inf), np.array([-1.0, 1.0]))
    assert at.tolist() == [-np.inf, 700.0]


def test_draws_come_from_the_generator_and_two_are_enough():
    drawn = draws(lambda rng, count: rng.normal(size=(count, 3)), np.random.default_rng(5), 2)
    assert np.array_equal(drawn, np.random.default_rng(5).normal(size=(2, 3)))


# Integrals


def test_integrals_come_in_the_order_of_the_integrands():
    def moments(x, at_p, at_q):
        p, q = np.exp(at_p), np.exp(at_q)
        return [np.exp(-x * x), x * p, x * q, x * x * q]

    integrals = integrate(moments, -20, 30, log_p=norm(1, 1).logpdf, log_q=norm(3, 2).logpdf)
    assert integrals == pytest.approx([np.sqrt(np.pi), 1.0, 3.0, 13.0], abs=1e-10)
    assert {type(integral) for integral in integrals} == {float}


def test_an_integral_needs_no_density():
    assert integrate(lambda x: [x**3, 0 * x], 0, 2) == pytest.approx([4.0, 0.0], abs=1e-12)


def test_integrals_are_asked_for_to_eleven_digits(monkeypatch):
    asked = {}

    def spy(f, low, high, **options):
        asked.update(options, low=low, high=high)
        return real(f, low, high, **options)

    real = distributions.cubature
    monkeypatch.setattr(distributions, "cubature", spy)
    integrate(lambda x: [x], 0.0, 1.0)
    expected = {"rtol": 1e-11, "atol": 1e-11, "max_subdivisions": 1000, "low": [0.0], "high": [1.0]}
    assert asked == expected


@pytest.mark.parametrize("off", [0.8e-9, -0.8e-9])
def test_a_density_may_miss_one_by_the_tolerance(off):
    (one,) = integrate(
        lambda x, at_p: [np.exp(at_p)], -9, 9, log_p=lambda x: norm.logpdf(x) + np.log1p(off)
    )
    assert one == pytest.approx(1 + off, abs=1e-11)


# Refusals: the whole message, which names the argument, the value met and what would do


def scaled(x, mass):
    return norm.logpdf(x) + np.log1p(mass)


NO_ERROR = "or there is no standard error, but"
REFUSALS = [
    (lambda: finite("x", []), "x must not be empty, but has shape (0,); give at least one number"),
    (
        lambda: finite("x", np.ones((2, 0))),
        "x must not be empty, but has shape (2, 0); give at least one number",
    ),
    (
        lambda: finite("x", [[0.0, 1.0], [2.0, -np.inf]]),
        "x must be finite, but x[1, 1] is -inf; "
        "look for a division by zero or a logarithm of zero before this call",
    ),
    (
        lambda: finite("x", np.nan),
        "x must be finite, but x is nan; "
        "look for a division by zero or a logarithm of zero before this call",
    ),
    (
        lambda: positive("std", [1.0, 0.0, -1.0]),
        "std must be positive, but std[1] is 0; give a standard deviation, not its logarithm",
    ),
    (
        lambda: positive("std", -0.25),
        "std must be positive, but std is -0.25; give a standard deviation, not its logarithm",
    ),
    (
        lambda: probabilities("p", 1.0),
        "p must have at least one axis, but is the number 1.0; "
        "a distribution on one point is [1.0]",
    ),
    (
        lambda: probabilities("p", [1.5, -0.5]),
        "p must not be negative, but p[1] is -0.5; probabilities lie between 0 and 1",
    ),
    (
        lambda: probabilities("p", [1.0, -5e-324]),
        "p must not be negative, but p[1] is -4.940656458e-324; probabilities lie between 0 and 1",
    ),
    (
        lambda: probabilities("p", [[0.5, 0.5], [0.5, 0.5 + 1.1e-9]]),
        "p must sum to 1 along the last axis, but p[1] sums to 1.000000001; "
        "divide by p.sum(axis=-1, keepdims=True) if these are counts",
    ),
    (
        lambda: probabilities("p", [0.5, 0.5 - 1.1e-9]),
        "p must sum to 1 along the last axis, but p sums to 0.9999999989; "
        "divide by p.sum(axis=-1, keepdims=True) if these are counts",
    ),
    (
        lambda: probabilities_alike(p=[1.0], q=[0.5, 0.5], r=[[1.0]]),
        "p and q and r must have the same shape, but have (1,) and (2,) and (1, 1); "
        "nothing is broadcast: use np.broadcast_to to compare one with many",
    ),
    *(
        (
            lambda low=low, high=high: integrate(lambda x: [x], low, high),
            f"low and high must be finite with low < high, but are {low} and {high}; "
            "for Gaussians take every mean and 8 standard deviations to both sides",
        )
        for low, high in [(1, 1), (8, -8), (-np.inf, 8), (0, np.inf), (np.nan, 1), (0, np.nan)]
    ),
    (
        lambda: integrate(lambda x: [np.sin(1e6 * x)], -8, 8),
        "the integral over [-8, 8] hasn't settled after 1000 subdivisions; "
        "choose low and high closer around the densities",
    ),
    *(
        (
            lambda off=off: integrate(
                lambda x, *_: [x], -9, 9, log_p=norm.logpdf, log_q=partial(scaled, mass=off)
            ),
            f"exp(log_q) must integrate to 1 over [-9, 9], but integrates to {1 + off:.10g}; "
            "choose low and high closer around all of its mass, or normalise it",
        )
        for off in (1.2e-9, -1.2e-9)
    ),
    (
        lambda: values_at("f", lambda x: x[:1], np.zeros((3, 2))),
        "f must return one value for each point, shape (3,), but returned shape (1, 2)",
    ),
    (
        lambda: log_values("log_p", lambda x: np.where(x > 1, np.nan, x), np.arange(4.0)),
        "log_p must return finite values, or -inf for no density, but returned nan at 2.0",
    ),
    (
        lambda: log_values("log_p", lambda x: np.where(x > 1, np.inf, x), np.arange(4.0)),
        "log_p must return finite values, or -inf for no density, but returned inf at 2.0",
    ),
    (
        lambda: draws(lambda rng, count: np.zeros(count), RNG, 1),
        f"count must be at least 2, {NO_ERROR} is 1",
    ),
    (
        lambda: draws(lambda rng, count: np.zeros(count + 1), RNG, 2),
        "a sampler must return count = 2 draws along the first axis, but returned shape (3,)",
    ),
    (
        lambda: draws(lambda rng, count: 0.5, RNG, 2),
        "a sampler must return count = 2 draws along the first axis, but returned shape ()",
    ),
    (lambda: mean_of([1.0]), f"values must be at least 2 in a row, {NO_ERROR} have shape (1,)"),
    (
        lambda: mean_of([[1.0, 2.0], [3.0, 4.0]]),
        f"values must be at least 2 in a row, {NO_ERROR} have shape (2, 2)",
    ),
    (lambda: mean_of(1.0), f"values must be at least 2 in a row, {NO_ERROR} have shape ()"),
]


@pytest.mark.parametrize(("call", "message"), REFUSALS, ids=[text[:60] for _, text in REFUSALS])
def test_bad_input_is_refused_with_what_would_do(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()
