"""Distances between distributions: entropy, and the equations (1) and (2)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.integrate import quad
from scipy.special import expit, logit, rel_entr
from scipy.stats import norm
from torch.distributions import Categorical, MultivariateNormal, Normal

from gencomp_utils import divergences
from gencomp_utils.distributions import FloatArray, LogDensity, Sampler
from gencomp_utils.divergences import (
    entropy,
    js_divergence,
    kl_divergence,
    kl_divergence_density,
    kl_divergence_gaussian,
    kl_divergence_monte_carlo,
)
from gencomp_utils.ledger.core import Case, Form, at_most, distributions, exact, row, sampled

_PAGE = "distance/entropy-and-kl.ipynb#"


@row(
    "(H) Entropy",
    r"H(p) = -\sum_i p_i \log p_i",
    page=_PAGE + "entropy",
    right=entropy,
    wrong={
        "no minus, as the report prints": lambda p: -entropy(p),
        "base 2": lambda p: entropy(p) / np.log(2.0),
    },
)
def _entropy(form: Form) -> Iterator[Case]:
    p = distributions(np.random.default_rng(0), 10_000, 6)
    p[::2, :3] = 0.0
    p /= p.sum(axis=-1, keepdims=True)
    sizes = [1, 2, 3, 10, 1000]
    flat = [form(np.full(n, 1.0 / n)) for n in sizes]
    yield exact("minus the sum of rel_entr(p, 1)", form(p), -rel_entr(p, 1.0).sum(axis=-1))
    yield exact("log n for n equal outcomes", flat, np.log(sizes))
    yield exact("zero for a certain outcome", form(np.array([0.0, 1.0, 0.0])), 0.0)
    yield at_most("never below 0", 0.0, form(p))
    yield at_most("never above log n", form(p), np.log(6.0))


def _log(p: FloatArray) -> LogDensity:
    return lambda outcomes: np.log(p)[outcomes]


def _sampler(p: FloatArray) -> Sampler:
    return lambda rng, count: rng.choice(len(p), size=count, p=p)


@row(
    "(1) Kullback–Leibler divergence",
    r"D_{KL}(p \Vert q) = \sum_i p_i \log \frac{p_i}{q_i}",
    page=_PAGE + "the-price-of-a-wrong-belief",
    right=kl_divergence,
    wrong={"p and q swapped": lambda p, q: kl_divergence(q, p)},
)
def _kl(form: Form) -> Iterator[Case]:
    rng = np.random.default_rng(1)
    p, q, r, s = distributions(rng, 4, 10_000, 4)
    kl, other = form(p, q), form(r, s)
    joint = form(*((a[:, :, None] * b[:, None, :]).reshape(-1, 16) for a, b in ((p, r), (q, s))))
    by_torch = torch.distributions.kl_divergence(*(Categorical(torch.tensor(a)) for a in (p, q)))
    coarse = form(*(a.reshape(-1, 2, 2).sum(axis=-1) for a in (p, q)))
    fair, heads = np.array([0.5, 0.5]), np.array([1.0, 0.0])
    few, many = np.array([0.5, 0.4, 0.1]), np.array([0.1, 0.3, 0.6])
    estimate = kl_divergence_monte_carlo(_log(few), _log(many), _sampler(few), 100_000, rng)
    yield exact("sum of rel_entr", kl, rel_entr(p, q).sum(axis=-1))
    yield exact("torch.distributions", kl, by_torch)
    yield exact("zero for equal pairs", form(p, p), 0.0)
    yield exact("infinite where q = 0 < p", 1.0 / form(fair, heads), 0.0)
    yield exact("finite where p = 0 < q", 1.0 / form(heads, fair), 1.0 / np.log(2.0))
    yield at_most("never below 0", 0.0, kl)
    yield exact("additive over independent factors", joint, kl + other)
    yield at_most("no larger when outcomes are merged", coarse, kl)
    yield sampled("two distributions on three outcomes", form(few, many), estimate)


@row(
    "(1) Kullback–Leibler divergence of Gaussians",
    r"D_{KL} = \log \frac{\sigma_q}{\sigma_p}"
    r" + \frac{\sigma_p^2 + (\mu_p - \mu_q)^2}{2 \sigma_q^2} - \frac12",
    page=_PAGE + "two-gaussians-three-ways",
    right=kl_divergence_gaussian,
    wrong={"p and q swapped": lambda *pair: kl_divergence_gaussian(*pair[2:], *pair[:2])},
)
def _kl_of_gaussians(form: Form) -> Iterator[Case]:
    rng = np.random.default_rng(1)
    means, stds = rng.normal(size=(2, 5)), np.exp(0.5 * rng.normal(size=(2, 5)))
    found = form(means[0], stds[0], means[1], stds[1])
    integrals = [
        kl_divergence_density(norm(a, s).logpdf, norm(b, t).logpdf, -40.0, 40.0)
        for a, b, s, t in np.concatenate([means, stds]).T
    ]
    gaussians = [Normal(torch.tensor(means[i]), torch.tensor(stds[i])) for i in range(2)]
    vectors = [MultivariateNormal(g.mean, torch.diag(g.variance)) for g in gaussians]
    by_torch, together = (torch.distributions.kl_divergence(*v) for v in (gaussians, vectors))
    near, far = norm(0.0, 1.0), norm(1.0, 2.0)
    estimate = kl_divergence_monte_carlo(
        near.logpdf, far.logpdf, lambda rng, count: rng.normal(0.0, 1.0, count), 100_000, rng
    )
    yield exact("torch.distributions", found, by_torch)
    yield exact("quadrature", found, integrals, tolerance=1e-9)
    yield exact("five independent coordinates at once", found.sum(), together)
    yield sampled("N(0, 1) from N(1, 2²)", form(0.0, 1.0, 1.0, 2.0), estimate)


@dataclass(frozen=True)
class _Map:
    """A smooth increasing map y of x, and what a change of variables needs of it."""

    name: str
    forward: Callable[[Any], Any]
    inverse: Callable[[Any], Any]
    log_slope: Callable[[Any], Any]  # log dy/dx at x

    def density(self, log_density: LogDensity) -> LogDensity:
        """Turn the log-density of x into that of y."""
        return lambda y: log_density(x := self.inverse(y)) - self.log_slope(x)


_TENFOLD = _Map("y = 10x", lambda x: 10.0 * x, lambda y: y / 10.0, lambda x: np.log(10.0))
_LOGISTIC = _Map(
    "y = 1/(1 + exp(-x))", expit, logit, lambda x: -np.logaddexp(0, x) - np.logaddexp(0, -x)
)
_CUBIC = _Map(
    "y = x + x³",
    lambda x: x + x**3,
    lambda y: 2.0 / np.sqrt(3.0) * np.sinh(np.arcsinh(1.5 * np.sqrt(3.0) * y) / 3.0),
    lambda x: np.log1p(3.0 * x**2),
)
_IDENTITY = _Map("y = x", lambda x: x, lambda y: y, lambda x: 0.0)


def _mapped(log_p: LogDensity, log_q: LogDensity, change: _Map, *limits: float) -> float:
    return kl_divergence_density(change.density(log_p), change.density(log_q), *limits)


def _without_jacobian(log_p: LogDensity, log_q: LogDensity, change: _Map, *limits: float) -> Any:
    def integrand(y: float) -> Any:
        x = change.inverse(y)
        return np.exp(log_p(x)) * (log_p(x) - log_q(x))

    return quad(integrand, *limits, points=[change.forward(0.0)], limit=500)[0]


def _folded(log_density: LogDensity) -> LogDensity:
    """Turn the log-density of x into that of |x|."""
    return lambda y: np.logaddexp(log_density(y), log_density(-y))


@row(
    "(1) Kullback–Leibler divergence under a map",
    r"D_{KL}(p_Y \Vert q_Y) = D_{KL}(p_X \Vert q_X),\; p_Y(y) = p_X(x) \tfrac{dx}{dy}",
    page=_PAGE + "new-units-new-entropy-the-same-kl",
    right=_mapped,
    wrong={
        "Jacobian left out": _without_jacobian,
        "p and q swapped": lambda p, q, *rest: _mapped(q, p, *rest),
    },
)
def _kl_under_a_map(form: Form) -> Iterator[Case]:
    p, q = norm(0.0, 1.0), norm(0.5, 0.8)
    kl = kl_divergence_gaussian(0.0, 1.0, 0.5, 0.8)
    for change in (_TENFOLD, _LOGISTIC, _CUBIC):
        found = form(p.logpdf, q.logpdf, change, change.forward(-9.0), change.forward(9.0))
        yield exact(f"unchanged by {change.name}", found, kl, 1e-9)
    log_density = _LOGISTIC.density(p.logpdf)
    after = quad(lambda y: -np.exp(log_density(y)) * log_density(y), expit(-9.0), expit(9.0))[0]
    slope = quad(lambda x: p.pdf(x) * _LOGISTIC.log_slope(x), -9.0, 9.0)[0]
    coarse = form(_folded(p.logpdf), _folded(q.logpdf), _IDENTITY, 0.0, 9.0)
    yield exact("entropy moves by the mean of log dy/dx", after, p.entropy() + slope, 1e-9)
    yield at_most("smaller for y = abs(x)", coarse, kl)


def _kls_to_mixture(p: FloatArray, q: FloatArray) -> Any:
    return kl_divergence(p, (p + q) / 2.0) + kl_divergence(q, (p + q) / 2.0)


@row(
    "(2) Jensen–Shannon divergence",
    r"D_{JS}(p \Vert q) = \tfrac12 D_{KL}(p \Vert m)"
    r" + \tfrac12 D_{KL}(q \Vert m),\; m = \tfrac12 (p + q)",
    page="distance/jensen-shannon.ipynb#meeting-in-the-middle",
    right=js_divergence,
    wrong={
        "a missing ½": _kls_to_mixture,
        "half of KL(p‖q) + KL(q‖p)": lambda p, q: (kl_divergence(p, q) + kl_divergence(q, p)) / 2.0,
    },
)
def _js(form: Form) -> Iterator[Case]:
    rng = np.random.default_rng(2)
    p, q, r = distributions(rng, 3, 100_000, 4)
    m = (p + q) / 2.0
    js = form(p, q)
    roots = np.sqrt([js, form(q, r), form(r, p)])
    heads, tails, coin = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    detour = form(heads, coin) + form(coin, tails)
    x = np.linspace(-9.0, 10.0, 2001)
    left, right = norm(0.0, 1.0), norm(1.0, 1.0)
    cells = [density.pdf(x) / density.pdf(x).sum() for density in (left, right)]
    integral = divergences.js_divergence_density(left.logpdf, right.logpdf, x[0], x[-1])
    a, b = p[0], q[0]
    estimate = divergences.js_divergence_monte_carlo(
        _log(a), _log(b), _sampler(a), _sampler(b), 100_000, rng
    )
    yield exact("two sums of rel_entr", js, (rel_entr(p, m) + rel_entr(q, m)).sum(axis=-1) / 2.0)
    yield exact("zero for equal pairs", form(p, p), 0.0)
    yield exact("log 2 for disjoint supports", form(heads, tails), np.log(2.0))
    yield at_most("never below 0", 0.0, js)
    yield at_most("never above log 2", js, np.log(2.0))
    yield exact("symmetry", form(q, p), js)
    yield at_most("triangle inequality of the root", roots, roots.sum(axis=0) - roots)
    yield exact("0.4315 from (1, 0) to (0, 1) by (½, ½)", detour, 1.5 * np.log(4.0 / 3.0))
    yield exact("two Gaussians, by quadrature", form(*cells), integral, tolerance=1e-9)
    yield sampled("two distributions on four outcomes", form(a, b), estimate)
