"""Entropy, KL and JS: agreement with references, bounds, the metric question, refusals."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import rel_entr
from scipy.stats import multivariate_normal, norm, uniform

from gencomp_utils.distributions import Estimate
from gencomp_utils.divergences import (
    entropy,
    js_divergence,
    js_divergence_density,
    js_divergence_monte_carlo,
    kl_divergence,
    kl_divergence_density,
    kl_divergence_gaussian,
    kl_divergence_monte_carlo,
)

LOG_2 = np.log(2)
SIZES = (1, 2, 7, 60)
GAUSSIANS = [(0, 1, 0, 1), (0, 1, 1, 1), (0, 1, 0, 1.001), (2, 0.3, -1, 2), (0, 3, 10, 0.7)]


def normalised(weights):
    return weights / weights.sum(axis=-1, keepdims=True)


def pairs(size, count=500, seed=0):
    """Pairs of distributions by kind, 5 kinds of `count`: each of shape (count, size)."""
    rng = np.random.default_rng([seed, size])
    shape = (count, size)
    plain = normalised(rng.exponential(size=shape))
    # The first entry is kept, so that no row of a pair is all zeros.
    kept = (rng.random((2, *shape)) < 0.5) | (np.arange(size) == 0)
    noise = 10 ** rng.uniform(-15, -6, size=(count, 1)) * rng.normal(size=shape)
    return {
        "unrelated": (plain, normalised(rng.exponential(size=shape))),
        "with zeros": (normalised(plain * kept[0]), normalised(plain * kept[1])),
        "nearly equal": (plain, normalised(plain * (1 + noise))),
        "huge ratios": tuple(normalised(10 ** rng.uniform(-300, 0, (2, *shape)))),
        "equal": (plain, plain),
    }


def all_pairs():
    return [
        pytest.param(*pair, id=f"{kind}, length {size}")
        for size in SIZES
        for kind, pair in pairs(size).items()
    ]


def agree(ours, reference):
    np.testing.assert_allclose(ours, reference, rtol=1e-12, atol=1e-12)


def reference_js(p, q):
    m = (p + q) / 2
    return (rel_entr(p, m) + rel_entr(q, m)).sum(axis=-1) / 2


@st.composite
def distributions(draw, count):
    """`count` distributions of one length; weights may be zero or tiny."""
    size = draw(st.integers(1, 12))
    weights = st.lists(st.floats(0, 1), min_size=size, max_size=size).filter(any)
    return [normalised(np.array(draw(weights))) for _ in range(count)]


# Agreement with references


def test_the_reference_pairs_are_ten_thousand():
    assert sum(len(param.values[0]) for param in all_pairs()) == 10_000


@pytest.mark.parametrize(("p", "q"), all_pairs())
def test_kl_agrees_with_rel_entr(p, q):
    agree(kl_divergence(p, q), rel_entr(p, q).sum(axis=-1))


@pytest.mark.parametrize(("p", "q"), all_pairs())
def test_js_agrees_with_rel_entr(p, q):
    agree(js_divergence(p, q), reference_js(p, q))


@pytest.mark.parametrize(("p", "q"), all_pairs())
def test_entropy_agrees_with_rel_entr(p, q):
    uniform_q = np.full_like(p, 1 / p.shape[-1])
    agree(entropy(p), np.log(p.shape[-1]) - rel_entr(p, uniform_q).sum(axis=-1))


@pytest.mark.parametrize("size", SIZES)
def test_entropy_of_the_uniform_distribution_is_log_n_and_of_a_certain_one_zero(size):
    agree(entropy(np.full(size, 1 / size)), np.log(size))
    assert entropy(np.eye(size)[0]) == 0.0


@pytest.mark.parametrize("size", [1e-3, 1e-6, 1e-9, 1e-12])
def test_js_keeps_its_accuracy_for_nearly_equal_pairs(size):
    p, q = np.array([1 + size, 1 - size]) / 2, np.array([1 - size, 1 + size]) / 2
    difference = p[0] - q[0]  # what rounding made of `size`
    series = difference**2 / 2 + difference**4 / 12
    assert js_divergence(p, q) == pytest.approx(series, rel=1e-3 if size < 1e-11 else 1e-6)


GOLDEN = [
    # p, q, KL(p ‖ q), JS: with logarithms of small integers, by hand
    ([0.5, 0.5], [0.75, 0.25], np.log(4 / 3) / 2, 3 * LOG_2 / 2 - np.log(5) * 5 / 8),
    ([1.0, 0.0], [0.5, 0.5], LOG_2, 3 * LOG_2 / 2 - np.log(3) * 3 / 4),
    ([0.25, 0.0, 0.75], [0.75, 0.0, 0.25], np.log(3) / 2, np.log(3) * 3 / 4 - LOG_2),
    ([1.0, 0.0], [0.0, 1.0], np.inf, LOG_2),
    ([1.0], [1.0], 0.0, 0.0),
]


@pytest.mark.parametrize(("p", "q", "kl", "js"), GOLDEN)
def test_values_that_a_hand_can_check(p, q, kl, js):
    assert kl_divergence(p, q) == pytest.approx(kl, rel=1e-14)
    assert js_divergence(p, q) == pytest.approx(js, abs=1e-15)


@pytest.mark.parametrize(("p", "q", "kl", "js"), GOLDEN)
def test_the_divergence_is_the_entropy_of_the_mean_less_the_mean_entropy(p, q, kl, js):
    middle = np.add(p, q) / 2
    assert entropy(middle) - (entropy(p) + entropy(q)) / 2 == pytest.approx(js, abs=1e-15)


def test_single_pairs_give_numbers_and_batches_give_rows():
    assert entropy([0.25, 0.75]) == pytest.approx(LOG_2 * 2 - 0.75 * np.log(3), rel=1e-15)
    batch = [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]
    agree(entropy(batch), [LOG_2, 0.0])
    agree(kl_divergence(batch, [[0.25, 0.75, 0.0], [0.5, 0.0, 0.5]]), [np.log(4 / 3) / 2, LOG_2])
    for value in (entropy([1.0]), kl_divergence([1.0], [1.0]), js_divergence([1.0], [1.0])):
        assert isinstance(value, float)


# Bounds, symmetry, the metric question


@given(distributions(2))
def test_bounds_and_symmetry_hold_exactly(pair):
    p, q = pair
    assert 0.0 <= js_divergence(p, q) <= LOG_2
    assert js_divergence(p, q) == js_divergence(q, p)
    assert js_divergence(p, p) == 0.0
    assert kl_divergence(p, q) >= 0.0
    assert kl_divergence(p, p) == 0.0
    assert 0.0 <= entropy(p) <= np.log(len(p)) + 1e-12


def test_kl_of_nearly_equal_pairs_does_not_round_below_zero():
    p, q = pairs(7)["nearly equal"]
    assert (rel_entr(p, q).sum(axis=-1) < 0.0).any()
    assert (kl_divergence(p, q) >= 0.0).all()


@given(distributions(1))
def test_js_of_disjoint_supports_is_log_2(single):
    (p,) = single
    empty = np.zeros_like(p)
    assert js_divergence(np.r_[p, empty], np.r_[empty, p]) == pytest.approx(LOG_2, abs=1e-12)


def test_kl_is_infinite_where_q_is_zero_and_p_is_not():
    assert kl_divergence([0.5, 0.5], [1, 0]) == np.inf
    assert kl_divergence([1, 0], [0.5, 0.5]) == pytest.approx(LOG_2)


def test_root_js_satisfies_the_triangle_inequality_on_1e5_triples():
    rng = np.random.default_rng(1)
    weights = rng.exponential(size=(3, 100_000, 4)) * (rng.random((3, 100_000, 4)) < 0.8)
    weights[..., 0] += 1e-3
    a, b, c = normalised(weights)
    ab, bc, ac = (np.sqrt(js_divergence(*pair)) for pair in ((a, b), (b, c), (a, c)))
    for far, near, other in ((ab, bc, ac), (bc, ac, ab), (ac, ab, bc)):
        assert (far <= near + other + 1e-12).all()


def test_js_itself_breaks_the_triangle_inequality():
    p, q, m = [1, 0], [0, 1], [0.5, 0.5]
    direct, detour = js_divergence(p, q), js_divergence(p, m) + js_divergence(m, q)
    assert direct == pytest.approx(LOG_2, abs=1e-12)
    assert detour == pytest.approx(1.5 * np.log(4 / 3), abs=1e-12)
    assert direct > detour


# Shapes


@pytest.mark.parametrize("divergence", [kl_divergence, js_divergence])
def test_batches_run_along_the_last_axis(divergence):
    p, q = pairs(7, count=6)["with zeros"]
    batch = divergence(p.reshape(2, 3, 7), q.reshape(2, 3, 7))
    assert batch.shape == (2, 3)
    rows = [divergence(row_p, row_q) for row_p, row_q in zip(p, q, strict=True)]
    np.testing.assert_array_equal(batch.ravel(), rows)


def test_entropy_takes_batches_along_the_last_axis():
    assert entropy(np.full((2, 3, 5), 0.2)).shape == (2, 3)


def test_arguments_are_left_as_they_were():
    p, q = np.array([0.25, 0.75]), np.array([0.5, 0.5])
    js_divergence(p, q), kl_divergence(p, q), entropy(p)
    assert p.tolist() == [0.25, 0.75]
    assert q.tolist() == [0.5, 0.5]


# Gaussians and densities


@pytest.mark.parametrize(("mean_p", "std_p", "mean_q", "std_q"), GAUSSIANS)
def test_gaussian_kl_three_ways(mean_p, std_p, mean_q, std_q):
    p, q = norm(mean_p, std_p), norm(mean_q, std_q)
    closed = kl_divergence_gaussian(mean_p, std_p, mean_q, std_q)
    assert kl_divergence_density(p.logpdf, q.logpdf, -30, 30) == pytest.approx(closed, abs=1e-9)
    estimate = kl_divergence_monte_carlo(
        p.logpdf,
        q.logpdf,
        lambda rng, count: rng.normal(mean_p, std_p, count),
        20_000,
        np.random.default_rng(2),
    )
    assert abs(estimate.value - closed) <= 4 * estimate.standard_error + 1e-12


@pytest.mark.parametrize(
    ("gaussians", "expected"),
    [
        ((0, 1, 0, 2), LOG_2 - 3 / 8),
        ((0, 2, 0, 1), 3 / 2 - LOG_2),
        ((3, 2, 1, 2), 1 / 2),
        ((1, 2, 3, 4), LOG_2 - 1 / 4),
        ((-5, 3, -5, 3), 0.0),
    ],
)
def test_gaussian_kl_that_a_hand_can_check(gaussians, expected):
    assert kl_divergence_gaussian(*gaussians) == pytest.approx(expected, rel=1e-14)


def test_gaussian_kl_takes_arrays():
    values = kl_divergence_gaussian([0, 1], 1, 0, [[1], [2]])
    assert values.shape == (2, 2)
    assert values[1, 1] == kl_divergence_gaussian(1, 1, 0, 2)


def test_gaussian_kl_is_never_negative_for_nearly_equal_scales():
    scales = 1 + np.linspace(-1e-7, 1e-7, 1001)
    assert (kl_divergence_gaussian(0, scales, 0, 1) >= 0).all()


@pytest.mark.parametrize(("mean_p", "std_p", "mean_q", "std_q"), GAUSSIANS)
def test_js_of_gaussians_two_ways(mean_p, std_p, mean_q, std_q):
    p, q = norm(mean_p, std_p), norm(mean_q, std_q)
    exact = js_divergence_density(p.logpdf, q.logpdf, -30, 30)
    estimate = js_divergence_monte_carlo(
        p.logpdf,
        q.logpdf,
        lambda rng, count: rng.normal(mean_p, std_p, count),
        lambda rng, count: rng.normal(mean_q, std_q, count),
        20_000,
        np.random.default_rng(3),
    )
    assert abs(estimate.value - exact) <= 4 * estimate.standard_error + 1e-12


def test_js_by_quadrature_agrees_with_a_fine_sum():
    # Equal steps are as accurate as any rule for a smooth integrand that dies off at both ends.
    x, step = np.linspace(-12, 14, 5001, retstep=True)
    p, q = norm(0, 1), norm(1, 1.5)
    at_p, at_q = p.pdf(x), q.pdf(x)
    assert js_divergence_density(p.logpdf, q.logpdf, -12, 14) == pytest.approx(
        reference_js(at_p, at_q) * step, abs=1e-9
    )


@pytest.mark.parametrize("shift", [0.3, 1.0, 2.5])
def test_densities_that_jump(shift):
    p, q = uniform(0, 1), uniform(shift, 1)
    exact = min(shift, 1) * LOG_2
    assert js_divergence_density(p.logpdf, q.logpdf, -1, 4) == pytest.approx(exact, abs=1e-9)
    assert kl_divergence_density(p.logpdf, q.logpdf, -1, 4) == np.inf


@pytest.mark.parametrize("shift", [50, 141])
def test_densities_survive_ratios_that_they_cannot_hold(shift):
    pair = norm(0, 1).logpdf, norm(shift, 1).logpdf
    ends = -10, shift + 10
    assert kl_divergence_density(*pair, *ends) == pytest.approx(shift**2 / 2, rel=1e-9)
    assert js_divergence_density(*pair, *ends) == pytest.approx(LOG_2, abs=1e-9)


def steps(*masses):
    """Log-density on the line that has these masses in [0, 1), [1, 2) and so on."""

    def log_density(x):
        with np.errstate(divide="ignore"):
            return np.log(np.asarray(masses))[x.astype(int)]

    return log_density


def test_densities_in_steps_are_distributions():
    p, q = [0.5, 0.5, 0, 0], [0.75, 0, 0.25, 0]
    js = js_divergence_density(steps(*p), steps(*q), 0, 4)
    assert js == pytest.approx(js_divergence(p, q), abs=1e-11)
    kl = kl_divergence_density(steps(*q), steps(0.25, 0.25, 0.5, 0), 0, 4)
    assert kl == pytest.approx(0.75 * np.log(3) - 0.25 * LOG_2, abs=1e-11)


@pytest.mark.parametrize(("mass", "divergence"), [(0.8e-9, 0.0), (1.2e-9, np.inf)])
def test_density_kl_overlooks_uncovered_mass_within_the_tolerance_only(mass, divergence):
    assert kl_divergence_density(steps(mass, 1 - mass), steps(0, 1), 0, 2) == divergence


def test_density_divergences_stay_within_their_bounds():
    p = norm(0, 1).logpdf
    for scale in 1 + np.array([-1e-9, 0.0, 1e-9]):
        assert kl_divergence_density(p, norm(0, scale).logpdf, -9, 9) >= 0.0
    apart = js_divergence_density(uniform(0, 1).logpdf, uniform(3, 1).logpdf, -0.3, 4.4)
    assert LOG_2 - 1e-9 < apart <= LOG_2
    for low, high in ((-12, 33), (-8.5, 28.7)):  # where the sum itself rounds to above log 2
        assert js_divergence_density(p, norm(20, 1).logpdf, low, high) <= LOG_2
    assert kl_divergence_density(p, p, -9, 9) == js_divergence_density(p, p, -9, 9) == 0.0


def test_density_kl_is_finite_where_q_vanishes_at_one_point_only():
    def log_q(x):
        return 2 * np.log(np.abs(x), out=np.full_like(x, -np.inf), where=x != 0) + norm.logpdf(x)

    # E log x² = log 2 + digamma(1/2) = -log 2 - Euler's constant, for a standard normal x.
    value = kl_divergence_density(norm(0, 1).logpdf, log_q, -9, 9)
    assert value == pytest.approx(LOG_2 + np.euler_gamma, abs=1e-9)


# Monte Carlo


def standard(rng, count):
    return rng.normal(0, 1, count)


def estimate_kl(seed, count=400):
    rng = np.random.default_rng(seed)
    return kl_divergence_monte_carlo(norm(0, 1).logpdf, norm(1, 1).logpdf, standard, count, rng)


def test_one_seed_gives_one_estimate_and_global_randomness_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert estimate_kl(4) == estimate_kl(4) != estimate_kl(5)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_standard_error_is_the_spread_of_estimates():
    estimates = [estimate_kl(seed) for seed in range(200)]
    z = [(estimate.value - 0.5) / estimate.standard_error for estimate in estimates]
    assert 0.85 < np.std(z) < 1.15
    assert abs(np.mean(z)) < 4 / np.sqrt(len(z))


LOGS = np.log([[0.25, 0.75], [0.75, 0.25]])


def log_p(x):
    return LOGS[0, x]


def log_q(x):
    return LOGS[1, x]


def fixed(*outcomes):
    return lambda rng, count: np.array(outcomes)


def test_monte_carlo_takes_the_mean_and_its_error_over_the_draws():
    # log p/q is -log 3 at 0 and log 3 at 1.
    rng = np.random.default_rng(0)
    estimate = kl_divergence_monte_carlo(log_p, log_q, fixed(1, 1, 1, 0), 4, rng)
    assert estimate.value == pytest.approx(np.log(3) / 2, rel=1e-14)
    assert estimate.standard_error == pytest.approx(np.log(3) / 2, rel=1e-14)
    # p/m is 1/2 at 0 and 3/2 at 1, q/m the other way round.
    samplers = fixed(1, 1, 1, 0), fixed(0, 1, 1, 1)
    estimate = js_divergence_monte_carlo(log_p, log_q, *samplers, 4, rng)
    values = np.log([[1.5, 1.5, 1.5, 0.5], [1.5, 0.5, 0.5, 0.5]])
    assert estimate.value == pytest.approx(values.mean(), rel=1e-13)
    error = np.sqrt(values.var(axis=1, ddof=1).sum() / 4) / 2
    assert estimate.standard_error == pytest.approx(error, rel=1e-13)


@pytest.mark.parametrize("ratio", [720.0, 1e4])
def test_monte_carlo_survives_any_ratio(ratio):
    def high(x):
        return np.where(x == 0, ratio, -ratio)

    def flat(x):
        return np.zeros(len(x))

    rng = np.random.default_rng(0)
    kl = kl_divergence_monte_carlo(high, flat, fixed(0, 0), 2, rng)
    assert kl == Estimate(ratio, 0.0)
    js = js_divergence_monte_carlo(high, flat, fixed(0, 0), fixed(1, 1), 2, rng)
    assert js == Estimate(pytest.approx(LOG_2, rel=1e-15), 0.0)
    worst = js_divergence_monte_carlo(high, flat, fixed(1, 1), fixed(0, 0), 2, rng)
    assert worst == Estimate(pytest.approx(LOG_2 - ratio, rel=1e-15), 0.0)


def test_each_sampler_is_asked_for_the_count_and_given_the_generator():
    rng = np.random.default_rng(0)
    asked = []

    def sampler(given, count):
        asked.append((given, count))
        return np.zeros(count, dtype=int)

    kl_divergence_monte_carlo(log_p, log_q, sampler, 2, rng)
    js_divergence_monte_carlo(log_p, log_q, sampler, sampler, 3, rng)
    assert asked == [(rng, 2), (rng, 3), (rng, 3)]


def test_monte_carlo_takes_draws_of_several_dimensions():
    p, q = multivariate_normal([0, 0]), multivariate_normal([1, 2])
    rng = np.random.default_rng(6)
    estimate = kl_divergence_monte_carlo(
        p.logpdf, q.logpdf, lambda rng, count: rng.normal(size=(count, 2)), 10_000, rng
    )
    assert abs(estimate.value - 2.5) <= 4 * estimate.standard_error


def test_monte_carlo_on_disjoint_supports():
    p, q = uniform(0, 1), uniform(5, 1)
    rng = np.random.default_rng(7)
    samplers = (lambda r, n: r.uniform(0, 1, n), lambda r, n: r.uniform(5, 6, n))
    js = js_divergence_monte_carlo(p.logpdf, q.logpdf, *samplers, 100, rng)
    assert js == Estimate(pytest.approx(LOG_2, abs=1e-12), 0.0)
    kl = kl_divergence_monte_carlo(p.logpdf, q.logpdf, samplers[0], 100, rng)
    assert kl.value == np.inf
    assert np.isnan(kl.standard_error)


# Refusals: each names the argument, the value met and what would do

REFUSALS = [
    (lambda: entropy([]), "p must not be empty, but has shape (0,); give at least one"),
    (lambda: entropy(1.0), "p must have at least one axis, but is the number 1.0; a dist"),
    (lambda: entropy([0.5, np.nan]), "p must be finite, but p[1] is nan; look for"),
    (lambda: entropy([[0.5, np.inf]]), "p must be finite, but p[0, 1] is inf; look for"),
    (
        lambda: kl_divergence([0.5, 0.5], [1.5, -0.5]),
        "q must not be negative, but q[1] is -0.5; probabilities lie between 0 and 1",
    ),
    (
        lambda: js_divergence([2, 3], [0.5, 0.5]),
        "p must sum to 1 along the last axis, but p sums to 5; "
        "divide by p.sum(axis=-1, keepdims=True) if these are counts",
    ),
    (
        lambda: js_divergence([[0.5, 0.5]] * 4, [[0.5, 0.5]] * 3 + [[0.5, 0.43]]),
        "q must sum to 1 along the last axis, but q[3] sums to 0.93; divide by q.sum",
    ),
    (
        lambda: js_divergence([0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]]),
        "p and q must have the same shape, but have (2,) and (2, 2); nothing is broadcast",
    ),
    (
        lambda: kl_divergence_gaussian(0, 0, 1, 1),
        "std_p must be positive, but std_p is 0; give a standard deviation",
    ),
    (
        lambda: kl_divergence_gaussian(0, 1, 1, [1, -2]),
        "std_q must be positive, but std_q[1] is -2; give a standard deviation",
    ),
    (lambda: kl_divergence_gaussian(np.nan, 1, 1, 1), "mean_p must be finite, but mean_p is nan"),
    (
        lambda: kl_divergence_gaussian([0, 1], 1, [0, 1, 2], 1),
        "mean_p, std_p, mean_q and std_q must broadcast together, but their shapes are "
        "(2,), (), (3,), (); use numbers or arrays of one shape",
    ),
    (
        lambda: kl_divergence_density(norm.logpdf, norm.logpdf, 8, -8),
        "low and high must be finite with low < high, but are 8 and -8; for Gaussians take",
    ),
    (
        lambda: js_divergence_density(norm.logpdf, norm.logpdf, -np.inf, 8),
        "low and high must be finite with low < high, but are -inf and 8",
    ),
    (
        lambda: js_divergence_density(norm.logpdf, norm(6, 1).logpdf, -8, 8),
        "exp(log_q) must integrate to 1 over [-8, 8], but integrates to 0.9772498681; choose",
    ),
    (
        lambda: kl_divergence_density(norm.pdf, norm.logpdf, -8, 8),
        "exp(log_p) must integrate to 1 over [-8, 8], but integrates to 17.1577",
    ),
    (
        lambda: kl_divergence_density(lambda x: 0.0, norm.logpdf, -8, 8),
        "log_p must return one value for each point, shape (21,), but returned shape ()",
    ),
    (
        lambda: kl_divergence_density(norm.logpdf, lambda x: x + np.nan, -8, 8),
        "log_q must return finite values, or -inf for no density, but returned nan at ",
    ),
    (lambda: estimate_kl(0, count=1), "count must be at least 2, or there is no standard error"),
    (
        lambda: kl_divergence_monte_carlo(
            uniform(0, 1).logpdf, norm.logpdf, standard, 10, np.random.default_rng(0)
        ),
        "log_p must be finite at every draw of sample_p, but is -inf at one; "
        "the sampler and the log-density must describe the same distribution",
    ),
    (
        lambda: js_divergence_monte_carlo(
            norm.logpdf,
            uniform(0, 1).logpdf,
            standard,
            standard,
            10,
            np.random.default_rng(0),
        ),
        "log_q must be finite at every draw of sample_q, but is -inf at one; "
        "the sampler and the log-density must describe the same distribution",
    ),
    (
        lambda: kl_divergence_monte_carlo(
            norm.logpdf, norm.logpdf, lambda rng, n: rng.normal(), 10, np.random.default_rng(0)
        ),
        "a sampler must return count = 10 draws along the first axis, but returned shape ()",
    ),
]


@pytest.mark.parametrize(("call", "message"), REFUSALS, ids=[text[:40] for _, text in REFUSALS])
def test_bad_input_is_refused_with_what_would_do(call, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        call()
