"""The adversarial game: V, the best discriminator and C(G), against references and refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import norm, uniform

from gencomp_utils.distributions import Estimate
from gencomp_utils.divergences import js_divergence, js_divergence_density
from gencomp_utils.minimax import (
    game_value,
    game_value_density,
    game_value_monte_carlo,
    generator_cost,
    generator_cost_density,
    optimal_discriminator,
    optimal_logit,
    shortfall,
)

LOG_4 = np.log(4.0)
HEADS, TAILS, COIN = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])


def distributions(*shape, seed=0):
    weights = np.random.default_rng(seed).exponential(size=shape)
    return weights / weights.sum(axis=-1, keepdims=True)


def undecided(x):
    return np.zeros(len(x))


# The value


def test_the_value_is_the_two_mean_logarithms():
    p_data, p_g = distributions(2, 100, 7)
    logits = np.random.default_rng(1).normal(size=(100, 7))
    expected = (p_data * np.log(expit(logits)) + p_g * np.log(1 - expit(logits))).sum(axis=-1)
    assert game_value(logits, p_data, p_g) == pytest.approx(expected, rel=1e-12)


def test_a_certain_discriminator_wins_nothing_or_loses_all():
    certain = np.array([np.inf, -np.inf])
    assert game_value(certain, HEADS, TAILS) == 0.0
    assert game_value(certain, TAILS, HEADS) == -np.inf
    assert game_value(certain, HEADS, COIN) == -np.inf


def test_logits_keep_what_probabilities_round_away():
    value = game_value([800.0, -800.0], COIN, COIN)
    assert value == pytest.approx(-800.0)


def test_sums_quadrature_and_draws_agree():
    data, g = norm(0, 1), norm(1, 2)
    x = np.linspace(-20, 22, 4001)
    cells = [density.pdf(x) / density.pdf(x).sum() for density in (data, g)]
    integral = game_value_density(np.cos, data.logpdf, g.logpdf, -20, 22)
    assert integral == pytest.approx(game_value(np.cos(x), *cells), abs=1e-9)
    estimate = game_value_monte_carlo(
        np.cos,
        lambda rng, count: rng.normal(0, 1, count),
        lambda rng, count: rng.normal(1, 2, count),
        100_000,
        np.random.default_rng(0),
    )
    assert abs(estimate.value - integral) < 4 * estimate.standard_error < 0.02


def test_the_standard_error_describes_the_spread_of_estimates():
    def estimate(seed):
        return game_value_monte_carlo(
            lambda x: 2 * x,
            lambda rng, count: rng.normal(1, 1, count),
            lambda rng, count: rng.normal(-1, 1, count),
            200,
            np.random.default_rng(seed),
        )

    estimates = [estimate(seed) for seed in range(400)]
    spread = np.std([e.value for e in estimates])
    assert np.mean([e.standard_error for e in estimates]) == pytest.approx(spread, rel=0.15)


def test_a_discriminator_that_is_certain_and_wrong_costs_without_limit():
    def certain(x):
        return np.where(x > 0.5, np.inf, -np.inf)

    block = uniform(0, 1).logpdf
    assert game_value_density(certain, block, block, 0, 1) == -np.inf
    sampler = [lambda rng, count: rng.uniform(size=count)] * 2
    worst = game_value_monte_carlo(certain, *sampler, 100, np.random.default_rng(0))
    assert worst.value == -np.inf
    assert np.isnan(worst.standard_error)


def test_a_discriminator_that_is_certain_and_right_loses_nothing():
    def certain(x):
        return np.where(x > 2, -np.inf, np.inf)

    data, g = uniform(0, 1).logpdf, uniform(3, 1).logpdf
    assert game_value_density(certain, data, g, -1, 5) == 0.0
    samplers = [lambda rng, n, low=low: rng.uniform(low, low + 1, n) for low in (0, 3)]
    value = game_value_monte_carlo(certain, *samplers, 10, np.random.default_rng(0))
    assert value == Estimate(0.0, 0.0)


# The best discriminator


@given(st.integers(0, 10_000), st.floats(-30, 30))
def test_no_discriminator_beats_the_best_one(seed, scale):
    p_data, p_g = distributions(2, 6, seed=seed)
    logits = scale * np.random.default_rng(seed).normal(size=6)
    assert game_value(logits, p_data, p_g) <= generator_cost(p_data, p_g) + 1e-12


def test_the_best_discriminator_and_its_logit_agree():
    p_data, p_g = distributions(2, 100, 4)
    logits = optimal_logit(np.log(p_data), np.log(p_g))
    assert expit(logits) == pytest.approx(optimal_discriminator(p_data, p_g), rel=1e-12)


def test_the_logit_outlives_densities_that_round_to_zero():
    far = np.array([60.0])
    logit = optimal_logit(norm(0, 1).logpdf(far), norm(1, 1).logpdf(far))
    assert logit == pytest.approx(0.5 - 60.0)


def test_where_nothing_comes_the_best_discriminator_keeps_its_prior():
    assert optimal_discriminator(0.0, 0.0) == 0.5
    assert optimal_discriminator([0.0, 1.0], [0.0, 1.0], 0.2).tolist() == [0.2, 0.2]
    assert optimal_logit(-np.inf, -np.inf) == 0.0
    assert optimal_logit([-np.inf, 0.0], [0.0, -np.inf]).tolist() == [-np.inf, np.inf]


def test_the_share_of_the_data_is_bayes_rule():
    p_data, p_g = distributions(2, 5)
    expected = 0.9 * p_data / (0.9 * p_data + 0.1 * p_g)
    assert optimal_discriminator(p_data, p_g, 0.9) == pytest.approx(expected, rel=1e-12)


# The cost of a generator


def test_the_cost_is_twice_the_js_divergence_less_log_4():
    p_data, p_g = distributions(2, 10_000, 5)
    expected = 2 * js_divergence(p_data, p_g) - LOG_4
    assert np.abs(generator_cost(p_data, p_g) - expected).max() < 1e-12


@pytest.mark.parametrize("mean", [0.0, 0.1, 1.0, 5.0, 20.0])
@pytest.mark.parametrize("std", [0.2, 1.0, 3.0])
def test_the_cost_of_gaussians_by_quadrature(mean, std):
    pair = norm(0, 1).logpdf, norm(mean, std).logpdf
    ends = -30.0, 60.0
    expected = 2 * js_divergence_density(*pair, *ends) - LOG_4
    assert generator_cost_density(*pair, *ends) == pytest.approx(expected, abs=1e-9)


def test_the_ends_of_the_cost():
    assert generator_cost(COIN, COIN) == pytest.approx(-LOG_4, abs=1e-15)
    assert generator_cost(HEADS, TAILS) == 0.0
    apart = generator_cost_density(uniform(0, 1).logpdf, uniform(9, 1).logpdf, -1, 11)
    assert apart == pytest.approx(0.0, abs=1e-9)


# The shortfall


@given(st.integers(0, 10_000), st.floats(0, 20))
def test_the_shortfall_is_the_cost_less_the_value(seed, scale):
    p_data, p_g = distributions(2, 9, seed=seed)
    logits = scale * np.random.default_rng(seed).normal(size=9)
    gap = generator_cost(p_data, p_g) - game_value(logits, p_data, p_g)
    assert shortfall(logits, p_data, p_g) == pytest.approx(gap, abs=1e-12, rel=1e-12)


def test_the_shortfall_is_zero_for_the_best_and_infinite_for_the_certain_and_wrong():
    p_data, p_g = np.array([0.5, 0.5, 0.0, 0.0]), np.array([0.2, 0.0, 0.8, 0.0])
    with np.errstate(divide="ignore"):
        best = optimal_logit(np.log(p_data), np.log(p_g))
    assert shortfall(best, p_data, p_g) == pytest.approx(0.0, abs=1e-15)
    assert shortfall([np.inf, np.inf, -np.inf, 3.0], p_data, p_g) == np.inf


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.0], COIN, COIN), r"logits must have the shape of p_data and p_g, \(2,\)"),
        (([0.0, np.nan], COIN, COIN), "logits must be numbers or infinite"),
        (([0.0, 0.0], [2, 3], COIN), "p_data must sum to 1"),
        (([0.0, 0.0], COIN, [1.5, -0.5]), r"p_g must not be negative, but p_g\[1\] is -0.5"),
        (([0.0, 0.0], COIN, [1.0]), "p_data and p_g must have the same shape"),
    ],
)
@pytest.mark.parametrize("function", [game_value, shortfall])
def test_what_is_no_game_is_refused(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)


def test_densities_and_shares_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"p_g must be finite and not negative, but holds -0\.1"):
        optimal_discriminator([0.5, 0.5], [0.5, -0.1])
    with pytest.raises(ValueError, match=r"real_share is 1\.0, but must be above 0 and below 1"):
        optimal_discriminator(0.5, 0.5, 1.0)
    with pytest.raises(ValueError, match="log_p_data must be finite, or -inf for no density"):
        optimal_logit(np.nan, 0.0)


def test_functions_that_return_something_else_are_refused():
    pair = norm(0, 1).logpdf, norm(1, 1).logpdf
    with pytest.raises(ValueError, match="logit must return one value for each point"):
        game_value_density(lambda x: 0.0, *pair, -9, 10)
    with pytest.raises(ValueError, match="logit must return numbers or infinities"):
        game_value_density(lambda x: np.full(len(x), np.nan), *pair, -9, 10)
    with pytest.raises(ValueError, match=r"exp\(log_p_g\) must integrate to 1"):
        game_value_density(undecided, pair[0], lambda x: pair[1](x) + 1.0, -9, 10)
    sampler = [lambda rng, count: rng.normal(size=count)] * 2
    with pytest.raises(ValueError, match="count must be at least 2"):
        game_value_monte_carlo(undecided, *sampler, 1, np.random.default_rng(0))
