"""The evidence and its bounds: the equations (9) to (13), and three that the report leaves out."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from gencomp_utils import evidence
from gencomp_utils.distributions import Estimate, FloatArray, mean_of
from gencomp_utils.divergences import kl_divergence_gaussian
from gencomp_utils.evidence import Gaussian, LinearGaussian, kl_of_gaussians
from gencomp_utils.ledger.core import Case, Form, at_most, exact, row, sampled

_PAGE = "autoencoding/evidence-lower-bound.ipynb#"
_TIGHTER = "autoencoding/tighter-bounds.ipynb#"
_SIZES = ((1, 1), (2, 2), (2, 3), (3, 5))
_Model = tuple[str, LinearGaussian, FloatArray, Gaussian]


def _models(*sizes: tuple[int, int], count: int = 500) -> Iterator[_Model]:
    """Draw a model of each size, data points, and for each of them a distribution of codes."""
    for z_dim, x_dim in sizes:
        rng = np.random.default_rng([z_dim, x_dim])
        model = LinearGaussian(rng.normal(size=(x_dim, z_dim)), rng.normal(size=x_dim), 0.7)
        roots = rng.normal(size=(count, z_dim, z_dim)) / np.sqrt(z_dim)
        covariance = roots @ roots.swapaxes(-1, -2) + 0.1 * np.eye(z_dim)
        x = model.evidence.at(rng.normal(size=(count, x_dim)))
        size = f"{z_dim} code and {x_dim} data dimension{'s' * (x_dim > 1)}"
        yield size, model, x, Gaussian(rng.normal(size=(count, z_dim)), covariance)


def _grid(axis: FloatArray, dimensions: int) -> FloatArray:
    grid = np.stack(np.meshgrid(*[axis] * dimensions, indexing="ij"), axis=-1)
    return grid.reshape(-1, dimensions)


def _gauss_hermite(dimensions: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights that average polynomials up to degree 9 over N(0, I) exactly."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    shares = _grid(weights / weights.sum(), dimensions).prod(axis=-1)
    return _grid(nodes, dimensions), shares


def _bound_by_quadrature(model: LinearGaussian, x: FloatArray, q: Gaussian) -> Any:
    """Average log p(x, z) - log q(z) over z from each q, as (11) has it."""
    nodes, shares = _gauss_hermite(q.dimensions)
    z = q.at(nodes[:, None])
    return shares @ (model.log_joint(x, z) - q.log_density(z))


def _evidence_by_scipy(model: LinearGaussian, x: FloatArray) -> Any:
    covariance = model.weights @ model.weights.T + model.noise_std**2 * np.eye(len(model.offset))
    return multivariate_normal(model.offset, covariance).logpdf(x)


def _kl_to_posterior(model: LinearGaussian, x: FloatArray, q: Gaussian) -> FloatArray:
    return kl_of_gaussians(q, model.posterior(x))


@row(
    "(9) Posterior of the code",
    r"p(z \mid x) = \frac{p(x \mid z)\, p(z)}{p(x)}",
    page=_PAGE + "the-posterior-and-a-stand-in-for-it",
    unit="",
    right=LinearGaussian.posterior,
    wrong={"the prior in its place": lambda model, x: model.prior},
)
def _posterior(form: Form) -> Iterator[Case]:
    for size, model, x, q in _models((1, 1), (1, 3), (2, 3), count=3):
        axis, cell = np.linspace(-8.0, 8.0, 321, retstep=True)
        grid = _grid(axis, q.dimensions)
        for i in range(len(x)):
            joint = np.exp(model.log_joint(x[i], grid))
            by_bayes = joint / (joint.sum() * cell**q.dimensions)
            found = np.exp(form(model, x[i]).log_density(grid))
            name = f"joint over its sum on a grid, {size}, x no. {i + 1}"
            yield exact(name, found, by_bayes, 1e-9)


@row(
    "(10) Divergence from the posterior",
    r"D_{KL}(q \Vert p(z \mid x)) ="
    r" \mathbb E_q[\log q(z)] - \mathbb E_q[\log p(x, z)] + \log p(x)",
    page=_PAGE + "the-posterior-and-a-stand-in-for-it",
    right=_kl_to_posterior,
    wrong={
        "without log p(x)": lambda m, x, q: _kl_to_posterior(m, x, q) - m.evidence.log_density(x)
    },
)
def _expansion(form: Form) -> Iterator[Case]:
    for size, model, x, q in _models(*_SIZES):
        expanded = _evidence_by_scipy(model, x) - _bound_by_quadrature(model, x, q)
        yield exact(f"500 pairs of q and x, {size}", form(model, x, q), expanded, 1e-10)


@row(
    "(11) Evidence lower bound",
    r"\mathrm{ELBO} = \mathbb E_q[\log p(x, z)] - \mathbb E_q[\log q(z)]",
    page=_PAGE + "the-bound",
    right=LinearGaussian.elbo,
    wrong={"sign of the entropy term": lambda m, x, q: m.elbo(x, q) - 2.0 * q.entropy()},
)
def _bound(form: Form) -> Iterator[Case]:
    rng = np.random.default_rng(11)
    for size, model, x, q in _models(*_SIZES, count=1):
        one = Gaussian(q.mean[0], q.covariance[0])
        estimate = evidence.elbo_monte_carlo(partial(model.log_joint, x[0]), one, 100_000, rng)
        found, integral = form(model, x, q), _bound_by_quadrature(model, x, q)
        yield exact(f"quadrature over z, {size}", found, integral, 1e-10)
        yield sampled(f"draws of z, {size}", found[0], estimate)


@row(
    "(12) The evidence is the bound and its gap",
    r"\log p(x) = \mathrm{ELBO} + D_{KL}(q \Vert p(z \mid x))",
    page=_PAGE + "the-bound",
    right=lambda model, x, q: model.elbo(x, q) + _kl_to_posterior(model, x, q),
    wrong={"sign of the KL": lambda m, x, q: m.elbo(x, q) - _kl_to_posterior(m, x, q)},
)
def _gap(form: Form) -> Iterator[Case]:
    for size, model, x, q in _models(*_SIZES):
        found, highest = form(model, x, q), model.evidence.log_density(x)
        at_posterior = model.elbo(x, model.posterior(x))
        yield exact(f"500 pairs of q and x, {size}", found, _evidence_by_scipy(model, x), 1e-10)
        yield exact(f"no gap at the posterior, {size}", at_posterior, highest, 1e-10)
        yield at_most(f"never above log p(x), {size}", model.elbo(x, q), highest, 1e-10)


def _bound_to_evidence(model: LinearGaussian, x: FloatArray, q: Gaussian) -> FloatArray:
    if q.dimensions != model.evidence.dimensions:
        return np.full(len(x), np.inf)
    return model.expected_log_likelihood(x, q) - kl_of_gaussians(q, model.evidence)


@row(
    "(13) The bound with the KL to the prior",
    r"\mathrm{ELBO} = \mathbb E_q[\log p(x \mid z)] - D_{KL}(q(z \mid x) \Vert p(z))",
    page=_PAGE + "two-terms-that-pull-apart",
    right=LinearGaussian.elbo,
    wrong={
        "KL to p(x), as the report prints": _bound_to_evidence,
        "sign of the KL": lambda m, x, q: m.elbo(x, q) + 2.0 * kl_of_gaussians(q, m.prior),
    },
)
def _bound_to_prior(form: Form) -> Iterator[Case]:
    for size, model, x, q in _models(*_SIZES):
        yield exact(f"(11), {size}", form(model, x, q), _bound_by_quadrature(model, x, q), 1e-10)


@row(
    "(+) Importance-weighted bound",
    r"\mathbb E \log \frac1K \sum_{j=1}^K \frac{p(x, z_j)}{q(z_j)} \le \log p(x),"
    r"\; \text{rising with}\; K",
    page=_TIGHTER + "more-draws-a-tighter-bound",
    right=evidence.importance_weighted_bound,
    wrong={
        "no −log K": partial(logsumexp, axis=-1),
        "mean of logarithms": partial(np.mean, axis=-1),
    },
)
def _importance_weighted(form: Form) -> Iterator[Case]:
    [(_, model, x, _)] = _models((2, 3), count=1)
    best = model.posterior(x[0])
    wide = Gaussian(best.mean + 0.3, 1.5 * best.covariance)
    rng = np.random.default_rng(14)
    weights = evidence.log_weights(partial(model.log_joint, x[0]), wide, 500_000, rng)
    few, many = weights.reshape(-1, 10), weights.reshape(-1, 1000)
    whole, groups = form(many), form(many.reshape(-1, 10, 100)).mean(axis=-1)
    rise = mean_of(form(few) - form(few[:, :1]))
    least_rise = 4.0 * rise.standard_error
    error = mean_of(evidence.importance_weighted_bound(many)).standard_error
    known = Estimate(float(model.evidence.log_density(x[0])), error)
    yield exact("two weights", form(np.log([1.0, 3.0])), np.log(2.0))
    yield exact("equal weights", form(np.full(50, -3.0)), -3.0)
    yield exact("one weight", form(few[:, :1]), few[:, 0])
    yield at_most("mean of groups of 100 never above the 1,000", groups, whole)
    yield at_most("rises from K = 1 to 10, by 4 s.e. at least", least_rise, rise.value)
    yield sampled("log p(x), K = 1,000", whole.mean(), known)


def _scale_detached(*at: Any) -> tuple[FloatArray, FloatArray]:
    *_, std, noise = at
    by_mean, _ = evidence.reparametrised_gradients(*at)
    return by_mean, np.broadcast_to(1.0 / std, noise.shape)


@row(
    "(+) Reparametrised gradient",
    r"\nabla_{\mu, \sigma}\, \mathbb E_q[\log p(x, z)] ="
    r" \mathbb E_\varepsilon[\nabla_{\mu, \sigma} \log p(x, \mu + \sigma \varepsilon)]",
    page=_PAGE + "gradients-through-chance",
    unit="",
    right=evidence.reparametrised_gradients,
    wrong={"scale detached": _scale_detached},
)
def _reparametrised_gradient(form: Form) -> Iterator[Case]:
    [(_, model, points, q)] = _models((2, 3), count=1)
    at = model, points[0], q.mean[0], np.array([0.5, 1.2])
    gradient = np.concatenate(evidence.elbo_gradient(*at))
    nodes, shares = _gauss_hermite(2)
    integral = shares @ np.concatenate(form(*at, nodes), axis=1)
    noise = np.random.default_rng(15).normal(size=(100_000, 2))
    estimators = form, evidence.reparametrised_gradients, evidence.score_function_gradients
    found, drawn, score = (np.concatenate(by(*at, noise), axis=1) for by in estimators)
    yield exact("quadrature over the noise", integral, gradient, 1e-10)
    yield at_most("varies less than the score-function estimator", found.var(0), score.var(0))
    for i, name in enumerate(("mean 1", "mean 2", "scale 1", "scale 2")):
        known = Estimate(float(gradient[i]), mean_of(drawn[:, i]).standard_error)
        yield sampled(f"by {name}, from draws", found[:, i].mean(), known)


@row(
    "(+) The mean KL in two parts",
    r"\tfrac1n \sum_i D_{KL}(q(z \mid x_i) \Vert p(z)) = I(x; z) + D_{KL}(q(z) \Vert p(z))",
    page=_TIGHTER + "what-the-kl-is-made-of",
    right=evidence.mean_kl_in_two,
    wrong={"without I": lambda *codes: (0.0, evidence.mean_kl_in_two(*codes)[1])},
)
def _mean_kl(form: Form) -> Iterator[Case]:
    rng = np.random.default_rng(16)
    for count in (1, 2, 10):
        means, stds = rng.normal(size=count), rng.uniform(0.1, 1.0, size=count)
        whole = np.mean(kl_divergence_gaussian(means, stds, 0.0, 1.0))
        parts = form(means, stds)
        name = f"{count} data point{'s' * (count > 1)}"
        yield exact(f"mean of closed forms, {name}", sum(parts), whole, 1e-9)
        yield at_most(f"information at most log n, {name}", parts[0], np.log(count), 1e-9)
        yield at_most(f"neither part negative, {name}", 0.0, parts, 1e-9)
