"""Gaussians, the linear-Gaussian model, bounds and gradients against references and refusals."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid
from scipy.stats import multivariate_normal, norm
from torch.distributions import MultivariateNormal

from gencomp_utils import evidence
from gencomp_utils.evidence import (
    LOG_2_PI,
    Gaussian,
    LinearGaussian,
    elbo_gradient,
    elbo_monte_carlo,
    importance_weighted_bound,
    kl_of_gaussians,
    log_weights,
    mean_kl_in_two,
    reparametrised_gradients,
    score_function_gradients,
    standard_normal,
)


def test_the_constant_is_the_logarithm_of_two_pi():
    assert pytest.approx(1.8378770664093453, rel=1e-15) == LOG_2_PI


def covariances(*shape, seed=0):
    roots = np.random.default_rng(seed).normal(size=(*shape, shape[-1]))
    return roots @ roots.swapaxes(-1, -2) + 0.1 * np.eye(shape[-1])


@pytest.fixture
def model():
    rng = np.random.default_rng(0)
    return LinearGaussian(rng.normal(size=(4, 2)), rng.normal(size=4), noise_std=0.6)


@pytest.fixture
def x(model):
    return model.evidence.at(np.random.default_rng(1).normal(size=4))


# Gaussians


@pytest.mark.parametrize("d", [1, 2, 5])
def test_density_and_entropy_are_scipys(d):
    mean, covariance = np.arange(float(d)), covariances(d)
    z = np.random.default_rng(1).normal(size=(10, d))
    ours, reference = Gaussian(mean, covariance), multivariate_normal(mean, covariance)
    assert ours.log_density(z) == pytest.approx(np.atleast_1d(reference.logpdf(z)), rel=1e-10)
    assert ours.entropy() == pytest.approx(reference.entropy(), rel=1e-10)


def test_the_divergence_is_torchs_for_many_pairs_at_once():
    means = np.random.default_rng(2).normal(size=(2, 50, 3))
    q, p = (Gaussian(mean, covariances(50, 3, seed=i)) for i, mean in enumerate(means))
    pair = [MultivariateNormal(torch.tensor(g.mean), torch.tensor(g.covariance)) for g in (q, p)]
    expected = torch.distributions.kl_divergence(*pair).numpy()
    assert kl_of_gaussians(q, p) == pytest.approx(expected, rel=1e-9)
    assert kl_of_gaussians(q, q) == pytest.approx(np.zeros(50), abs=1e-10)


def test_draws_have_the_mean_and_the_covariance():
    gaussian = Gaussian([1.0, -2.0], [[2.0, 0.9], [0.9, 0.5]])
    draws = gaussian.at(np.random.default_rng(3).normal(size=(200_000, 2)))
    assert draws.mean(axis=0) == pytest.approx(gaussian.mean, abs=0.02)
    assert np.cov(draws.T) == pytest.approx(gaussian.covariance, abs=0.03)


def test_a_gaussian_that_a_hand_can_check():
    gaussian = Gaussian([1, 2], [[4, 0], [0, 0.25]])
    assert gaussian.mean.dtype == gaussian.covariance.dtype == np.float64
    assert gaussian.dimensions == 2
    # Its determinant is 1, and (3, 1) lies 1 and 2 standard deviations off.
    assert gaussian.log_density(np.array([3.0, 1.0])) == pytest.approx(-2.5 - LOG_2_PI)
    assert gaussian.entropy() == pytest.approx(1 + LOG_2_PI)
    assert gaussian.at(np.array([1.0, -2.0])).tolist() == [3.0, 1.0]
    # The Cholesky factor is lower: the first coordinate has the first noise alone.
    slanted = Gaussian([0.0, 0.0], [[4.0, 2.0], [2.0, 10.0]])
    assert slanted.at(np.array([[1.0, 0.0], [0.0, 1.0]])).tolist() == [[2.0, 1.0], [0.0, 3.0]]


def test_a_divergence_that_a_hand_can_check():
    q, p = Gaussian([1.0, 2.0], [[4.0, 0.0], [0.0, 0.25]]), standard_normal(2)
    assert p.covariance.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert kl_of_gaussians(q, p) == pytest.approx((4.25 + 5 - 2) / 2)
    assert kl_of_gaussians(p, q) == pytest.approx((0.25 + 4 + 0.25 + 16 - 2) / 2)
    wide = Gaussian([0.0, 0.0], [[4.0, 0.0], [0.0, 4.0]])
    assert kl_of_gaussians(wide, p) == pytest.approx(3 - 2 * np.log(2))


def test_many_densities_are_those_one_by_one():
    many = Gaussian(np.array([[0.0], [1.0]]), np.array([[[1.0]], [[4.0]]]))
    one = [Gaussian(many.mean[i], many.covariance[i]) for i in range(2)]
    z = np.array([[0.5], [-1.0]])
    expected = [float(one[i].log_density(z[i])) for i in range(2)]
    assert many.log_density(z) == pytest.approx(expected)
    assert many.entropy() == pytest.approx([float(single.entropy()) for single in one])
    assert many.at(z).tolist() == [one[i].at(z[i]).tolist() for i in range(2)]
    shared = Gaussian(many.mean, [[4.0]])
    assert shared.log_density(z)[1] == pytest.approx(expected[1])
    assert kl_of_gaussians(many, one[1]).tolist() == [kl_of_gaussians(one[0], one[1]), 0.0]


def test_a_divergence_does_not_round_below_zero():
    many = Gaussian(np.zeros((200, 3)), covariances(200, 3))
    assert (kl_of_gaussians(many, many) >= 0.0).all()


@pytest.mark.parametrize("off", [0.9e-9, 0.0])
def test_a_covariance_may_be_unsymmetric_by_rounding(off):
    slightly = Gaussian([0.0, 0.0], [[1.0, 0.5], [0.5 * (1 + off), 1.0]])
    assert slightly.covariance[1, 0] == 0.5 * (1 + off)
    nothing = Gaussian([0.0, 0.0], [[1.0, off / 1e3], [0.0, 1.0]])
    assert nothing.covariance[1, 0] == 0.0


UNSYMMETRIC = "covariance must be symmetric, but isn't"


@pytest.mark.parametrize(
    ("mean", "covariance", "message"),
    [
        (
            [0.0, 0.0],
            [[1.0]],
            "mean and covariance must have shapes (..., d) and (..., d, d), but have (2,) and "
            "(1, 1)",
        ),
        (
            0.0,
            [[1.0]],
            "mean and covariance must have shapes (..., d) and (..., d, d), but have () and (1, 1)",
        ),
        (
            [0.0, 0.0],
            [1.0, 1.0],
            "mean and covariance must have shapes (..., d) and (..., d, d), but have (2,) and (2,)",
        ),
        ([0.0, 0.0], [[1.0, 0.5], [0.0, 1.0]], UNSYMMETRIC),
        ([0.0, 0.0], [[1.0, 0.5], [0.5 * (1 + 1.5e-9), 1.0]], UNSYMMETRIC),
        ([0.0, 0.0], [[1.0, 1.5e-12], [0.0, 1.0]], UNSYMMETRIC),
        (
            [0.0, 0.0],
            [[1.0, 2.0], [2.0, 1.0]],
            "covariance must be positive definite, but has the eigenvalue -1; "
            "give variances, not their logarithms",
        ),
        (
            [0.0],
            [[0.0]],
            "covariance must be positive definite, but has the eigenvalue 0; "
            "give variances, not their logarithms",
        ),
        (
            [0.0],
            [[[2.0]], [[-0.5]]],
            "covariance must be positive definite, but has the eigenvalue -0.5; "
            "give variances, not their logarithms",
        ),
        (
            [0.0, np.nan],
            np.eye(2),
            "mean must be finite, but mean[1] is nan; "
            "look for a division by zero or a logarithm of zero before this call",
        ),
        (
            [0.0],
            [[np.inf]],
            "covariance must be finite, but covariance[0, 0] is inf; "
            "look for a division by zero or a logarithm of zero before this call",
        ),
    ],
)
def test_what_is_no_gaussian_is_refused(mean, covariance, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Gaussian(mean, covariance)


def test_a_divergence_over_different_spaces_is_refused():
    message = (
        "q and p must have as many coordinates, but q has 1 and p has 2; "
        "the divergence compares distributions over one space"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kl_of_gaussians(standard_normal(1), standard_normal(2))


# The model


@pytest.fixture
def simple():
    """z from N(0, 1), x from N(2z + 1, 1/4): the evidence is N(1, 17/4)."""
    return LinearGaussian([[2]], [1], noise_std=0.5)


def test_a_model_that_a_hand_can_check(simple):
    x, q = np.array([3.0]), Gaussian([0.5], [[0.25]])
    assert simple.weights.dtype == simple.offset.dtype == np.float64
    assert (simple.prior.mean, simple.prior.covariance) == ([0.0], [[1.0]])
    assert (simple.evidence.mean, simple.evidence.covariance) == ([1.0], [[4.25]])
    at_half = simple.likelihood(np.array([0.5]))
    assert (at_half.mean, at_half.covariance) == ([2.0], [[0.25]])
    best = simple.posterior(x)
    assert (best.mean, best.covariance) == (pytest.approx(16 / 17), pytest.approx(1 / 17))
    likelihood = -2 + np.log(2) - LOG_2_PI / 2
    assert simple.log_joint(x, np.array([0.5])) == pytest.approx(likelihood - 1 / 8 - LOG_2_PI / 2)
    assert simple.expected_log_likelihood(x, q) == pytest.approx(likelihood - 2)
    divergence = (0.25 + 0.25 - 1) / 2 + np.log(2)
    assert simple.elbo(x, q) == pytest.approx(likelihood - 2 - divergence)


def test_a_model_of_several_numbers_has_its_own_shapes(model, x):
    assert (model.prior.dimensions, model.evidence.dimensions) == (2, 4)
    z = np.random.default_rng(8).normal(size=(7, 2))
    assert model.likelihood(z).mean.shape == (7, 4)
    assert model.log_joint(x, z).shape == (7,)
    assert model.evidence.covariance == pytest.approx(
        model.weights @ model.weights.T + 0.36 * np.eye(4)
    )
    # Bayes' rule: the same at any code.
    logs = model.log_joint(x, z) - model.posterior(x).log_density(z)
    assert logs == pytest.approx(np.full(7, model.evidence.log_density(x)))


def test_the_evidence_is_the_integral_over_the_code(model, x):
    axis, cell = np.linspace(-9, 9, 601, retstep=True)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    integral = np.exp(model.log_joint(x, grid)).sum() * cell**2
    assert np.log(integral) == pytest.approx(model.evidence.log_density(x), abs=1e-9)


def test_many_points_at_once_are_the_points_one_by_one(model):
    points = model.evidence.at(np.random.default_rng(4).normal(size=(6, 4)))
    q = model.posterior(points)
    together = model.elbo(points, q)
    assert together.shape == (6,)
    for i in range(6):
        assert model.posterior(points[i]).mean == pytest.approx(q.mean[i])
        assert model.elbo(points[i], Gaussian(q.mean[i], q.covariance)) == pytest.approx(
            together[i]
        )


def test_bounds_of_many_covariances_at_once_are_those_one_by_one(model, x):
    means = np.random.default_rng(5).normal(size=(3, 2))
    q = Gaussian(means, covariances(3, 2))
    expected = [model.elbo(x, Gaussian(means[i], q.covariance[i])) for i in range(3)]
    assert model.elbo(x, q) == pytest.approx(expected)


@pytest.mark.parametrize("thing", [standard_normal(1), LinearGaussian([[1.0]], [0.0], 1.0)])
def test_what_was_checked_stays_as_it_is(thing):
    for field in dataclasses.fields(thing):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, field.name, 0.0)
    assert {thing} == {thing}  # by identity: arrays have no single truth


@pytest.mark.parametrize("factor", [0.1, 1.0, 10.0])
def test_the_bound_lies_below_the_evidence_by_the_divergence(model, x, factor):
    best = model.posterior(x)
    q = Gaussian(best.mean + 0.2, factor * best.covariance)
    gap = model.evidence.log_density(x) - model.elbo(x, q)
    assert gap == pytest.approx(kl_of_gaussians(q, best), abs=1e-10)
    assert gap > 0


SHAPES = "weights and offset must have shapes (x_dim, z_dim) and (x_dim,), but have "
CHECK = "look for a division by zero or a logarithm of zero before this call"


@pytest.mark.parametrize(
    ("weights", "offset", "noise_std", "message"),
    [
        (np.ones((3, 2)), np.ones(2), 1.0, SHAPES + "(3, 2) and (2,)"),
        (np.ones(3), np.ones(3), 1.0, SHAPES + "(3,) and (3,)"),
        (np.ones((3, 2)), 1.0, 1.0, SHAPES + "(3, 2) and ()"),
        ([[np.nan]], [0.0], 1.0, f"weights must be finite, but weights[0, 0] is nan; {CHECK}"),
        ([[1.0]], [np.inf], 1.0, f"offset must be finite, but offset[0] is inf; {CHECK}"),
        (
            np.ones((3, 2)),
            np.ones(3),
            0.0,
            "noise_std must be positive, but noise_std is 0; "
            "give a standard deviation, not its logarithm",
        ),
    ],
)
def test_what_is_no_model_is_refused(weights, offset, noise_std, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        LinearGaussian(weights, offset, noise_std)


def test_a_posterior_that_overflows_is_refused():
    model = LinearGaussian(1e160 * np.eye(2), [0.0, 0.0], 1e-200)
    with (
        np.errstate(all="ignore"),
        pytest.raises(
            ValueError, match=r"^covariance must be finite, but covariance\[0, 0\] is nan"
        ),
    ):
        model.posterior(np.zeros(2))


# Bounds


def test_the_mean_of_the_weights_is_the_evidence(model, x):
    best = model.posterior(x)
    q = Gaussian(best.mean, 1.5 * best.covariance)
    logs = log_weights(lambda z: model.log_joint(x, z), q, 100_000, np.random.default_rng(5))
    weights = np.exp(logs - model.evidence.log_density(x))
    error = weights.std(ddof=1) / np.sqrt(len(weights))
    assert abs(weights.mean() - 1) < 4 * error < 0.01


def test_the_bound_is_estimated_without_bias(model, x):
    q = standard_normal(2)
    estimate = elbo_monte_carlo(
        lambda z: model.log_joint(x, z), q, 200_000, np.random.default_rng(6)
    )
    assert abs(estimate.value - model.elbo(x, q)) < 4 * estimate.standard_error


def test_weights_are_those_of_the_draws(simple):
    q, x = Gaussian([0.5], [[0.25]]), np.array([3.0])
    logs = log_weights(lambda z: simple.log_joint(x, z), q, 2, np.random.default_rng(9))
    z = 0.5 + 0.5 * np.random.default_rng(9).normal(size=(2, 1))
    assert logs == pytest.approx(simple.log_joint(x, z) - q.log_density(z))
    estimate = elbo_monte_carlo(lambda z: simple.log_joint(x, z), q, 2, np.random.default_rng(9))
    assert estimate.value == pytest.approx(logs.mean())
    assert estimate.standard_error == pytest.approx(abs(logs[0] - logs[1]) / 2)


def test_the_importance_weighted_bound_of_rows():
    bounds = importance_weighted_bound(np.log([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]]))
    assert bounds == pytest.approx(np.log([2.0, 5.0]))
    assert importance_weighted_bound([-3.0]) == -3.0


def test_the_importance_weighted_bound_survives_tiny_weights():
    assert importance_weighted_bound([-2000.0, -2000.0]) == pytest.approx(-2000.0)
    assert importance_weighted_bound([-np.inf, 0.0]) == pytest.approx(-np.log(2))
    assert importance_weighted_bound(np.zeros((3, 5))).shape == (3,)


NO_WEIGHTS = "log_weights must have k of them along the last axis, but has shape "


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], NO_WEIGHTS + "(0,)"),
        (np.zeros((3, 0)), NO_WEIGHTS + "(3, 0)"),
        (0.0, NO_WEIGHTS + "()"),
        ([0.0, np.nan], "log_weights must be numbers or -inf, but one is nan"),
        ([[0.0], [np.inf]], "log_weights must be numbers or -inf, but one is inf"),
    ],
)
def test_weights_that_are_none_are_refused(bad, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        importance_weighted_bound(bad)


def test_one_draw_is_too_few(model, x):
    with pytest.raises(ValueError, match="count must be at least 2"):
        log_weights(lambda z: model.log_joint(x, z), model.prior, 1, np.random.default_rng(0))


# Gradients


def test_gradients_that_a_hand_can_check(simple):
    x, mean, std = np.array([3.0]), np.array([0.5]), np.array([0.25])
    # By the mean: 2 (3 - 1) / ¼ - (1 + 16) ½; by the std: 4 - 17/4.
    assert elbo_gradient(simple, x, mean, std) == ([7.5], [-0.25])
    noise = np.array([[2.0], [-2.0]])  # z is 1, then 0; the slope 8 (x - 1 - 2z) - z
    by_mean, by_std = reparametrised_gradients(simple, x, mean, std, noise)
    assert by_mean.tolist() == [[-1.0], [16.0]]
    assert by_std.tolist() == [[2.0], [-28.0]]
    by_mean, by_std = score_function_gradients(simple, x, mean, std, noise)
    # log p(x|z) is -2(2 - 2z)² + log 2, log p(z) is -z²/2, log q(z) is -2 + log 4: less log 2π / 2.
    weights = np.array([-0.5, -8.0]) + 2 - np.log(2) - LOG_2_PI / 2
    assert by_mean == pytest.approx((weights * [8.0, -8.0])[:, None])
    assert by_std == pytest.approx((weights * 12.0)[:, None])


def test_the_exact_gradient_is_that_of_the_bound(model, x):
    mean, std, step = np.array([0.3, -0.5]), np.array([0.4, 0.9]), 1e-6

    def bound(mean, std):
        return model.elbo(x, Gaussian(mean, np.diag(std**2)))

    by_mean, by_std = elbo_gradient(model, x, mean, std)
    for i, move in enumerate(step * np.eye(2)):
        slope = (bound(mean + move, std) - bound(mean - move, std)) / (2 * step)
        assert by_mean[i] == pytest.approx(slope, rel=1e-6)
        slope = (bound(mean, std + move) - bound(mean, std - move)) / (2 * step)
        assert by_std[i] == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("estimator", [reparametrised_gradients, score_function_gradients])
def test_both_estimators_are_unbiased(model, x, estimator):
    mean, std = np.array([0.3, -0.5]), np.array([0.4, 0.9])
    noise = np.random.default_rng(7).normal(size=(400_000, 2))
    exact = elbo_gradient(model, x, mean, std)
    for draws, expected in zip(estimator(model, x, mean, std, noise), exact, strict=True):
        errors = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
        assert (np.abs(draws.mean(axis=0) - expected) < 4 * errors).all()


# The mean KL


def test_codes_that_tell_nothing_and_codes_that_tell_all():
    information, divergence = mean_kl_in_two(np.zeros(4), np.ones(4))
    assert information == pytest.approx(0.0, abs=1e-9)
    assert divergence == pytest.approx(0.0, abs=1e-9)
    information, _ = mean_kl_in_two([-6.0, -2.0, 2.0, 6.0], np.full(4, 0.1))
    assert information == pytest.approx(np.log(4), abs=1e-9)


def test_the_aggregate_is_compared_with_the_prior():
    mean, std = 0.7, 0.5
    information, divergence = mean_kl_in_two([mean], [std])
    p, q = norm(mean, std), norm(0, 1)
    z = np.linspace(-8, 8, 20_001)
    expected = trapezoid(p.pdf(z) * (p.logpdf(z) - q.logpdf(z)), z)
    assert information == pytest.approx(0.0, abs=1e-9)
    assert divergence == pytest.approx(expected, abs=1e-8)


def test_the_mean_kl_is_the_sum_of_its_two_parts():
    means, stds = np.array([-1.5, 0.25, 2.0]), np.array([0.5, 1.25, 0.75])
    parts = mean_kl_in_two(means, stds)
    whole = np.mean((stds**2 + means**2 - 1) / 2 - np.log(stds))
    assert sum(parts) == pytest.approx(whole, abs=1e-9)
    assert 0 < parts[0] < np.log(3)
    assert {type(part) for part in parts} == {float}


@pytest.mark.parametrize(("mean", "std"), [(30.0, 0.5), (-30.0, 0.5), (0.0, 4.0)])
def test_codes_far_off_and_wide_ones_are_held_by_the_interval(mean, std):
    information, divergence = mean_kl_in_two([mean], [std])
    assert information == pytest.approx(0.0, abs=1e-9)
    assert divergence == pytest.approx((std**2 + mean**2 - 1) / 2 - np.log(std), rel=1e-9)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_interval_holds_the_farthest_code(sign):
    means, stds = sign * np.array([0.0, 30.0, 10.0]), np.array([0.5, 1.0, 2.0])
    information, divergence = mean_kl_in_two(means, stds)
    assert information == pytest.approx(np.log(3), abs=1e-3)
    whole = np.mean((stds**2 + means**2 - 1) / 2 - np.log(stds))
    assert information + divergence == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize(
    ("means", "ends"),
    [([0.0, 1.0], (-9.0, 9.0)), ([-30.0, 4.0], (-34.5, 9.0)), ([-4.0, 30.0], (-9.0, 34.5))],
)
def test_the_interval_goes_nine_standard_deviations_to_both_sides(monkeypatch, means, ends):
    met = []
    monkeypatch.setattr(
        evidence, "kl_divergence_density", lambda p, q, low, high: met.append((low, high)) or 0.0
    )
    mean_kl_in_two(means, [0.5, 0.5])
    assert met == [ends] * 3


ONE_SHAPE = "means and stds must have one shape (n,), but have "


@pytest.mark.parametrize(
    ("means", "stds", "message"),
    [
        ([0.0, 1.0], [1.0], ONE_SHAPE + "(2,) and (1,)"),
        ([0.0], [1.0, 1.0], ONE_SHAPE + "(1,) and (2,)"),
        (0.0, 1.0, ONE_SHAPE + "() and ()"),
        ([[0.0]], [[1.0]], ONE_SHAPE + "(1, 1) and (1, 1)"),
        ([np.nan], [1.0], f"means must be finite, but means[0] is nan; {CHECK}"),
        (
            [0.0],
            [0.0],
            "stds must be positive, but stds[0] is 0; give a standard deviation, not its logarithm",
        ),
    ],
)
def test_what_are_no_means_and_stds_is_refused(means, stds, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        mean_kl_in_two(means, stds)
