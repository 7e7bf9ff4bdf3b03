"""Gaussians, the linear-Gaussian model, bounds and gradients against references and refusals."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm
from torch.distributions import MultivariateNormal

from gencomp_utils.evidence import (
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


@pytest.mark.parametrize(
    ("mean", "covariance", "message"),
    [
        ([0.0, 0.0], [[1.0]], r"must have shapes \(..., d\) and \(..., d, d\)"),
        ([0.0, 0.0], [[1.0, 0.5], [0.0, 1.0]], "covariance must be symmetric"),
        ([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]], "positive definite, but has the eigenvalue -1"),
        ([np.nan], [[1.0]], "mean must be finite"),
    ],
)
def test_what_is_no_gaussian_is_refused(mean, covariance, message):
    with pytest.raises(ValueError, match=message):
        Gaussian(mean, covariance)


def test_a_divergence_over_different_spaces_is_refused():
    with pytest.raises(ValueError, match="q has 1 and p has 2"):
        kl_of_gaussians(standard_normal(1), standard_normal(2))


# The model


def test_the_evidence_is_the_integral_over_the_code(model, x):
    axis, cell = np.linspace(-9, 9, 601, retstep=True)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    integral = np.exp(model.log_joint(x, grid)).sum() * cell**2
    assert np.log(integral) == pytest.approx(model.evidence.log_density(x), abs=1e-9)


def test_many_points_at_once_are_the_points_one_by_one(model):
    points = model.evidence.at(np.random.default_rng(4).normal(size=(6, 4)))
    q = model.posterior(points)
    together = model.elbo(points, q)
    for i in range(6):
        assert model.posterior(points[i]).mean == pytest.approx(q.mean[i])
        assert model.elbo(points[i], Gaussian(q.mean[i], q.covariance)) == pytest.approx(
            together[i]
        )


@pytest.mark.parametrize("factor", [0.1, 1.0, 10.0])
def test_the_bound_lies_below_the_evidence_by_the_divergence(model, x, factor):
    best = model.posterior(x)
    q = Gaussian(best.mean + 0.2, factor * best.covariance)
    gap = model.evidence.log_density(x) - model.elbo(x, q)
    assert gap == pytest.approx(kl_of_gaussians(q, best), abs=1e-10)
    assert gap > 0


def test_a_model_whose_shapes_differ_is_refused():
    with pytest.raises(ValueError, match=r"weights and offset must have shapes"):
        LinearGaussian(np.ones((3, 2)), np.ones(2), 1.0)
    with pytest.raises(ValueError, match="noise_std must be positive"):
        LinearGaussian(np.ones((3, 2)), np.ones(3), 0.0)


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


def test_the_importance_weighted_bound_survives_tiny_weights():
    assert importance_weighted_bound([-2000.0, -2000.0]) == pytest.approx(-2000.0)
    assert importance_weighted_bound([-np.inf, 0.0]) == pytest.approx(-np.log(2))
    assert importance_weighted_bound(np.zeros((3, 5))).shape == (3,)


@pytest.mark.parametrize("bad", [[], 0.0, [np.nan], [np.inf, 0.0]])
def test_weights_that_are_none_are_refused(bad):
    with pytest.raises(ValueError, match="log_weights must"):
        importance_weighted_bound(bad)


def test_one_draw_is_too_few(model, x):
    with pytest.raises(ValueError, match="count must be at least 2"):
        log_weights(lambda z: model.log_joint(x, z), model.prior, 1, np.random.default_rng(0))


# Gradients


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
    expected = np.trapezoid(p.pdf(z) * (p.logpdf(z) - q.logpdf(z)), z)
    assert information == pytest.approx(0.0, abs=1e-9)
    assert divergence == pytest.approx(expected, abs=1e-8)


def test_means_without_their_stds_are_refused():
    with pytest.raises(ValueError, match="means and stds must have one shape"):
        mean_kl_in_two([0.0, 1.0], [1.0])
