"""The adversarial game: V, the best discriminator and C(G), against references and refusals."""

import re

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


def test_values_that_a_hand_can_check():
    three_to_one = [np.log(3), -np.log(3)]  # D is 3/4, then 1/4
    value = game_value(three_to_one, [0.5, 0.5], [0.25, 0.75])
    assert value == pytest.approx(1.25 * np.log(0.75) + 0.75 * np.log(0.25), rel=1e-15)
    assert game_value([three_to_one] * 3, [HEADS] * 3, [TAILS] * 3) == pytest.approx(
        np.full(3, 2 * np.log(0.75))
    )
    assert isinstance(value, float)


def test_a_certain_discriminator_wins_nothing_or_loses_all():
    certain = np.array([np.inf, -np.inf])
    assert game_value(certain, HEADS, TAILS) == 0.0
    assert game_value(certain, TAILS, HEADS) == -np.inf
    assert game_value(certain, HEADS, COIN) == -np.inf


@pytest.mark.parametrize("logit", [720.0, 800.0, 1e4])
def test_logits_keep_what_probabilities_round_away(logit):
    def sure(x):
        return np.full(len(x), logit)

    assert game_value([logit, -logit], COIN, COIN) == -logit
    assert game_value([logit, logit], COIN, COIN) == -logit
    assert game_value([logit, -logit], HEADS, TAILS) == pytest.approx(0.0, abs=1e-300)
    assert optimal_logit([logit, -logit], [0.0, 0.0]).tolist() == [logit, -logit]
    pair = norm(0, 1).logpdf, norm(1, 1).logpdf
    assert game_value_density(sure, *pair, -8, 9) == pytest.approx(-logit, rel=1e-9)
    sampler = [lambda rng, count: rng.normal(size=count)] * 2
    drawn = game_value_monte_carlo(sure, *sampler, 5, np.random.default_rng(0))
    assert drawn == Estimate(-logit, 0.0)


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


def test_draws_of_data_and_of_the_generator_enter_on_their_own_sides():
    odds = np.log([3.0, 1.0])  # D is 3/4, or 1/2
    asked = []

    def sampler(*outcomes):
        return lambda rng, count: asked.append((rng, count)) or np.array(outcomes)

    rng = np.random.default_rng(0)
    estimate = game_value_monte_carlo(
        lambda x: odds[x], sampler(0, 0, 0, 1), sampler(0, 1, 1, 1), 4, rng
    )
    real, fake = np.log([0.75, 0.75, 0.75, 0.5]), np.log([0.25, 0.5, 0.5, 0.5])
    assert estimate.value == pytest.approx(real.mean() + fake.mean(), rel=1e-14)
    error = np.sqrt((real.var(ddof=1) + fake.var(ddof=1)) / 4)
    assert estimate.standard_error == pytest.approx(error, rel=1e-14)
    assert asked == [(rng, 4), (rng, 4)]


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


@pytest.mark.parametrize("outcomes", [(0, 2), (1, 3), (0, 3)])
def test_one_wrong_draw_of_either_side_is_enough(outcomes):
    certain = np.array([-np.inf, 0.0, 0.0, np.inf])
    samplers = [lambda rng, count, at=at: np.array([1, at]) for at in outcomes]
    worst = game_value_monte_carlo(lambda x: certain[x], *samplers, 2, np.random.default_rng(0))
    assert worst.value == -np.inf
    assert np.isnan(worst.standard_error)


@pytest.mark.parametrize(("mass", "value"), [(0.4e-9, 0.0), (0.6e-9, -np.inf)])
def test_mass_that_is_lost_counts_beyond_the_tolerance(mass, value):
    """Both densities have `mass` in [0, 1), where D is certain; elsewhere it is right."""
    p_data, p_g = [mass, 1 - mass, 0, 0], [mass, 0, 1 - mass, 0]

    def steps(masses):
        return lambda x: np.log(masses, out=np.full(4, -np.inf), where=np.array(masses) > 0)[
            x.astype(int)
        ]

    certain = np.array([np.inf, np.inf, -np.inf, 0.0])
    found = game_value_density(lambda x: certain[x.astype(int)], steps(p_data), steps(p_g), 0, 4)
    assert found == value
    assert not np.signbit(found) or value


def test_a_discriminator_that_is_certain_and_right_loses_nothing():
    def certain(x):
        return np.where(x > 2, -np.inf, np.inf)

    data, g = uniform(0, 1).logpdf, uniform(3, 1).logpdf
    assert game_value_density(certain, data, g, -1, 5) == 0.0
    samplers = [lambda rng, n, low=low: rng.uniform(low, low + 1, n) for low in (0, 3)]
    value = game_value_monte_carlo(certain, *samplers, 10, np.random.default_rng(0))
    assert value == Estimate(0.0, 0.0)
    assert f"{value:.1f}" == "0.0 ± 0.0"


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


@pytest.mark.parametrize("share", [1e-9, 0.25, 1 - 1e-9])
def test_a_share_shifts_the_logit(share):
    best = optimal_discriminator(0.2, 0.8, share)
    shifted = np.log(0.25) + np.log(share / (1 - share))
    assert np.log(best / (1 - best)) == pytest.approx(shifted, rel=1e-7)


def test_arguments_of_the_best_discriminator_broadcast():
    assert optimal_discriminator([0.0, 3.0], [[1.0], [3.0]]).tolist() == [[0.0, 0.75], [0.0, 0.5]]
    assert optimal_logit([0.0, 3.0], [[1.0], [3.0]]).tolist() == [[-1.0, 2.0], [-3.0, 0.0]]
    assert isinstance(optimal_discriminator(1.0, 3.0), float)
    assert isinstance(optimal_logit(1.0, 3.0), float)


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
    # D* is 2/3, then 0.
    assert generator_cost(HEADS, COIN) == pytest.approx(np.log(2 / 3) + np.log(1 / 3) / 2)
    rows = generator_cost([HEADS, COIN], [TAILS, COIN])
    assert rows == pytest.approx(np.array([0.0, -LOG_4]), abs=1e-15)
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


def test_the_shortfall_of_rows_and_where_nothing_comes():
    rows = shortfall([[np.log(3), np.inf], [0.0, 0.0]], [HEADS, COIN], [HEADS, COIN])
    # D is 3/4 where it should be 1/2: log(4/3)/2 for each of both distributions.
    assert rows == pytest.approx(np.array([np.log(4 / 3), 0.0]), abs=1e-15)
    assert isinstance(shortfall([0.0], [1.0], [1.0]), float)


@given(st.integers(0, 10_000))
def test_the_shortfall_is_never_negative(seed):
    p_data, p_g = distributions(2, 50, 4, seed=seed)
    assert (shortfall(np.log(p_data / p_g), p_data, p_g) >= 0.0).all()


@pytest.mark.parametrize("logit", [0.0, 1.0, 30.0, 709.0, 720.0, 746.0, 1e4])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_shortfall_of_a_mistaken_logit_grows_by_half_of_it(logit, sign):
    expected = logit / 2 + np.log1p(np.exp(-logit)) - np.log(2)
    assert shortfall([sign * logit, 0.0], COIN, COIN) == pytest.approx(expected, abs=1e-12)


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ([0.0], COIN, COIN),
            "logits must have the shape of p_data and p_g, (2,), but have (1,); "
            "nothing is broadcast: use np.broadcast_to",
        ),
        (
            ([0.0, np.nan], COIN, COIN),
            "logits must be numbers or infinite, but logits[1] is nan; "
            "look for inf - inf before this call",
        ),
        (
            ([0.0, 0.0], [2, 3], COIN),
            "p_data must sum to 1 along the last axis, but p_data sums to 5; "
            "divide by p_data.sum(axis=-1, keepdims=True) if these are counts",
        ),
        (
            ([0.0, 0.0], COIN, [1.5, -0.5]),
            "p_g must not be negative, but p_g[1] is -0.5; probabilities lie between 0 and 1",
        ),
        (
            ([0.0, 0.0], COIN, [1.0]),
            "p_data and p_g must have the same shape, but have (2,) and (1,); "
            "nothing is broadcast: use np.broadcast_to to compare one with many",
        ),
    ],
)
@pytest.mark.parametrize("function", [game_value, shortfall])
def test_what_is_no_game_is_refused(function, arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(*arguments)


def test_a_cost_is_one_of_distributions_of_one_shape():
    with pytest.raises(ValueError, match=r"^p_data and p_g must have the same shape, but"):
        generator_cost([1.0], COIN)
    with pytest.raises(ValueError, match=r"^p_g must sum to 1 along the last axis"):
        generator_cost(COIN, [0.5, 0.6])


PAIR = norm(0, 1).logpdf, norm(1, 1).logpdf
SAMPLERS = [lambda rng, count: rng.normal(size=count)] * 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: optimal_discriminator([0.5, 0.5], [0.5, -0.1]),
            "p_g must be finite and not negative, but p_g[1] is -0.1; "
            "give densities, not their logarithms",
        ),
        (
            lambda: optimal_discriminator([np.inf, 0.5], 0.5),
            "p_data must be finite and not negative, but p_data[0] is inf; "
            "give densities, not their logarithms",
        ),
        (
            lambda: optimal_discriminator(np.nan, 0.5),
            "p_data must be finite and not negative, but p_data is nan; "
            "give densities, not their logarithms",
        ),
        *(
            (
                lambda share=share: optimal_discriminator(0.5, 0.5, share),
                f"real_share is {share}, but must be above 0 and below 1",
            )
            for share in (0.0, 1.0, -0.5, 1.5, np.nan)
        ),
        (
            lambda: optimal_logit(np.nan, 0.0),
            "log_p_data must be finite, or -inf for no density, but log_p_data is nan; "
            "look for an infinite density before this call",
        ),
        (
            lambda: optimal_logit([0.0, 0.0], [0.0, np.inf]),
            "log_p_g must be finite, or -inf for no density, but log_p_g[1] is inf; "
            "look for an infinite density before this call",
        ),
        (
            lambda: game_value_density(lambda x: 0.0, *PAIR, -9, 10),
            "logit must return one value for each point, shape (21,), but returned shape ()",
        ),
        (
            lambda: game_value_monte_carlo(
                lambda x: np.where(x == 1, np.nan, x),
                *[lambda rng, count: np.arange(count)] * 2,
                3,
                np.random.default_rng(0),
            ),
            "logit must return numbers or infinities, but returned NaN at 1",
        ),
        (
            lambda: game_value_density(undecided, PAIR[0], lambda x: x + np.nan, -9, 10),
            "log_p_g must return finite values, or -inf for no density, but returned nan at ",
        ),
        (
            lambda: generator_cost_density(lambda x: x + np.inf, PAIR[1], -9, 10),
            "log_p_data must return finite values, or -inf for no density, but returned inf at ",
        ),
        (
            lambda: game_value_density(undecided, PAIR[0], lambda x: PAIR[1](x) + 1.0, -9, 10),
            f"exp(log_p_g) must integrate to 1 over [-9, 10], but integrates to {np.e:.10g}; "
            "choose low and high closer around all of its mass, or normalise it",
        ),
        (
            lambda: game_value_monte_carlo(undecided, *SAMPLERS, 1, np.random.default_rng(0)),
            "count must be at least 2, or there is no standard error, but is 1",
        ),
    ],
)
def test_bad_input_is_refused_with_what_would_do(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        call()
