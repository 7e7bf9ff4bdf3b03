"""The ledger: each equation checked by number, and wrong forms of it rejected by the same check.

A row is a block of its own: the right form, the wrong forms, the cases, and the `Row` that joins
them. `LEDGER`, at the end, lists the rows; the tests and the appendix page run them all.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit, logit, logsumexp, rel_entr
from scipy.stats import norm, uniform
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical, MultivariateNormal, Normal

from gencomp_utils.distributions import Estimate, FloatArray, LogDensity, mean_of
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
from gencomp_utils.evaluation import elbo
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
)
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
from gencomp_utils.networks import VAE, fully_connected
from gencomp_utils.settings import VAEConfig
from gencomp_utils.training import (
    GAN,
    RMSPROP_EPSILON,
    algorithm_1,
    as_unit,
    at_rest,
    descend,
    discriminator_loss,
    discriminator_step,
    non_saturating_loss,
    rmsprop_of,
    saturating_loss,
    vae_loss,
)

Form = Callable[..., Any]

# A form is rejected when it misses by more than this many tolerances: 8 standard errors where the
# case is Monte Carlo, whose tolerance is 4 of them.
REJECTION = 2.0


@dataclass(frozen=True)
class Case:
    """One comparison of two sides of an equation.

    Attributes
    ----------
    name : str
        What is compared, in words.
    residual : float
        How far the two sides lie apart; 0 or more.
    tolerance : float
        How far they may.
    sampled : bool
        Whether one side is a Monte Carlo estimate, and the tolerance 4 of its standard errors.

    Examples
    --------
    >>> Case("one half", residual=1e-13, tolerance=1e-12).ratio
    0.1
    """

    name: str
    residual: float
    tolerance: float
    sampled: bool = False

    @property
    def ratio(self) -> float:
        """Residual over tolerance, where 1 or less passes; infinite where the residual is NaN."""
        return math.inf if math.isnan(self.residual) else self.residual / self.tolerance


@dataclass(frozen=True)
class Row:
    """An equation of the report, its right form, wrong forms of it, and the check that parts them.

    Attributes
    ----------
    number : str
        The report's number of it.
    title : str
        Its name, which links to the chapter.
    statement : str
        What holds, in LaTeX without dollars.
    page : str
        Path of the chapter that derives it, from the folder ``book``.
    right : callable
        What the package computes.
    wrong : dict
        Wrong forms by name, called like `right`.
    check : callable
        Takes a form and returns its cases. Seeds and tolerances are fixed inside, so that every
        form meets the same ones.
    """

    number: str
    title: str
    statement: str
    page: str
    right: Form
    wrong: Mapping[str, Form]
    check: Callable[[Form], list[Case]]


@dataclass(frozen=True)
class RowResult:
    """What the check of a row found.

    Attributes
    ----------
    row : Row
    cases : tuple of Case
        The cases of the right form.
    wrong : dict
        The same cases of each wrong form (a tuple of Case), by its name.
    """

    row: Row
    cases: tuple[Case, ...]
    wrong: Mapping[str, tuple[Case, ...]]

    @property
    def passes(self) -> bool:
        """Whether the right form passes every case and every wrong form is rejected.

        Where a row has sampled cases, these alone must suffice for a rejection too: standard
        errors that would let a wrong form through are too large.
        """
        clear = all(
            worst(cases, sampled).ratio > REJECTION
            for cases in self.wrong.values()
            for sampled in {case.sampled for case in self.cases}
        )
        return clear and all(case.ratio <= 1.0 for case in self.cases)


def worst(cases: Sequence[Case], sampled: bool) -> Case:
    """Find the case with the largest ratio of residual to tolerance.

    Parameters
    ----------
    cases : sequence of Case
    sampled : bool
        Whether to look among the Monte Carlo cases or among the exact ones.

    Returns
    -------
    Case

    Raises
    ------
    ValueError
        If there are none of that kind.

    Examples
    --------
    >>> cases = [Case("near", 1e-15, 1e-12), Case("far", 1e-13, 1e-12)]
    >>> worst(cases, sampled=False).name
    'far'
    """
    of_kind = [case for case in cases if case.sampled == sampled]
    if not of_kind:
        kind = "Monte Carlo" if sampled else "exact"
        raise ValueError(f"cases holds no {kind} case; ask for the other kind, or add one")
    return max(of_kind, key=lambda case: case.ratio)


def verify(row: Row) -> RowResult:
    """Run the check of a row on its right form and on each of its wrong forms.

    Parameters
    ----------
    row : Row

    Returns
    -------
    RowResult

    Examples
    --------
    >>> verify(JENSEN_SHANNON).passes
    True
    """
    return RowResult(
        row=row,
        cases=tuple(row.check(row.right)),
        wrong={name: tuple(row.check(form)) for name, form in row.wrong.items()},
    )


def ledger_markdown() -> str:
    """Check every row of the ledger and lay the results out in Markdown.

    Returns
    -------
    str
        A table of all rows, then each row's statement, cases and rejected forms. Links go up
        one folder, as from the appendix.

    Examples
    --------
    >>> print(ledger_markdown().splitlines()[0])
    | Equation | Residual | Tolerance | Wrong forms rejected |
    """
    results = [verify(row) for row in LEDGER]
    table = [
        "| Equation | Residual | Tolerance | Wrong forms rejected |",
        "|---|---|---|---|",
        *(_summary(result) for result in results),
    ]
    return "\n\n".join(["\n".join(table), *(_details(result) for result in results)])


def _summary(result: RowResult) -> str:
    row, exact = result.row, worst(result.cases, sampled=False)
    verdict = len(result.wrong) if result.passes else "**the check fails**"
    return (
        f"| ({row.number}) {row.title} | {_short(exact.residual)} | {_short(exact.tolerance)} "
        f"| {verdict} |"
    )


def _details(result: RowResult) -> str:
    row = result.row
    kinds = {
        sampled: "Monte Carlo" if sampled else "exact"
        for sampled in sorted({case.sampled for case in result.cases})
    }
    lines = [f"**[({row.number}) {row.title}](../{row.page})**", "", f"$${row.statement}$$", ""]
    for sampled, kind in kinds.items():
        count = sum(case.sampled == sampled for case in result.cases)
        closest = worst(result.cases, sampled)
        lines.append(
            f"- {count} {kind} case{'s' * (count > 1)}; closest to its tolerance "
            f"({_short(closest.tolerance)}): {closest.name}, {_short(closest.residual)}."
        )
    for name, cases in result.wrong.items():
        misses = [f"{_miss(cases, k)} ({kinds[k]})" for k in kinds]
        lines.append(f"- Rejected: {name}, by {', '.join(misses)}.")
    return "\n".join(lines)


def _miss(cases: Sequence[Case], sampled: bool) -> str:
    """Say by how much the cases of one kind are missed, and how many aren't even finite."""
    ratios = [case.ratio for case in cases if case.sampled == sampled]
    finite = [ratio for ratio in ratios if math.isfinite(ratio)]
    by = f"{_short(max(finite))} tolerances" if finite else "no finite value"
    if not 0 < len(finite) < len(ratios):
        return by
    return f"{by}, and no finite value in {len(ratios) - len(finite)} of {len(ratios)} cases"


def _short(number: float) -> str:
    """Two digits, as a table of LaTeX and words shows them."""
    if math.isinf(number):
        return r"$\infty$"
    mantissa, exponent = f"{number:.1e}".split("e")
    if -3 <= int(exponent) <= 3:
        return f"{float(f'{number:.1e}'):g}"
    return rf"${mantissa}\times10^{{{int(exponent)}}}$"


def _exact(name: str, left: Any, right: Any, tolerance: float = 1e-12) -> Case:
    """Compare two sides elementwise; the tolerance is absolute plus relative."""
    left, right = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    gap = np.abs(left - right) / (1.0 + np.abs(right))
    return Case(name, residual=float(gap.max()), tolerance=tolerance)


def _at_most(name: str, left: Any, right: Any, tolerance: float = 1e-12) -> Case:
    """Check left <= right elementwise; the residual is the largest excess."""
    excess = np.maximum(np.asarray(left) - np.asarray(right), 0.0)
    return Case(name, residual=float(excess.max()), tolerance=tolerance)


def _sampled(name: str, value: float, estimate: Estimate) -> Case:
    """Compare a value with a Monte Carlo estimate of it: within 4 standard errors."""
    gap = float(abs(value - estimate.value))
    return Case(name, gap, tolerance=4.0 * estimate.standard_error + 1e-12, sampled=True)


def _distributions(rng: np.random.Generator, *shape: int) -> FloatArray:
    weights = rng.exponential(size=shape)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


# (H) Entropy


def _entropy_without_minus(p: FloatArray) -> Any:
    return -entropy(p)


def _entropy_in_bits(p: FloatArray) -> Any:
    return entropy(p) / np.log(2.0)


def _check_entropy(form: Form) -> list[Case]:
    rng = np.random.default_rng(0)
    p = _distributions(rng, 10_000, 6)
    p[::2, :3] = 0.0
    p /= p.sum(axis=-1, keepdims=True)
    sizes = [1, 2, 3, 10, 1000]
    flat = [form(np.full(n, 1.0 / n)) for n in sizes]
    return [
        _exact("minus the sum of rel_entr(p, 1)", form(p), -rel_entr(p, 1.0).sum(axis=-1)),
        _exact("log n for n equal outcomes", flat, np.log(sizes)),
        _exact("zero for a certain outcome", form(np.array([0.0, 1.0, 0.0])), 0.0),
        _at_most("never below 0", 0.0, form(p)),
        _at_most("never above log n", form(p), np.log(6.0)),
    ]


ENTROPY = Row(
    number="H",
    title="Entropy",
    statement=r"H(p) = -\sum_i p_i \log p_i",
    page="distance/entropy-and-kl.ipynb",
    right=entropy,
    wrong={
        "no minus, as the report prints": _entropy_without_minus,
        "base 2": _entropy_in_bits,
    },
    check=_check_entropy,
)


# (1) Kullback-Leibler divergence: of distributions, of Gaussians, and under a map


def _kl_swapped(p: FloatArray, q: FloatArray) -> Any:
    return kl_divergence(q, p)


def _check_kl(form: Form) -> list[Case]:
    rng = np.random.default_rng(1)
    p, q, r, s = _distributions(rng, 4, 10_000, 4)
    kl, other = form(p, q), form(r, s)
    joint = form(*((a[:, :, None] * b[:, None, :]).reshape(-1, 16) for a, b in ((p, r), (q, s))))
    by_torch = torch.distributions.kl_divergence(*(Categorical(torch.tensor(a)) for a in (p, q)))
    coarse = form(*(a.reshape(-1, 2, 2).sum(axis=-1) for a in (p, q)))
    fair, heads = np.array([0.5, 0.5]), np.array([1.0, 0.0])
    few, many = np.array([0.5, 0.4, 0.1]), np.array([0.1, 0.3, 0.6])
    estimate = kl_divergence_monte_carlo(
        lambda outcomes: np.log(few)[outcomes],
        lambda outcomes: np.log(many)[outcomes],
        lambda rng, count: rng.choice(len(few), size=count, p=few),
        100_000,
        rng,
    )
    return [
        _exact("sum of rel_entr", kl, rel_entr(p, q).sum(axis=-1)),
        _exact("torch.distributions", kl, by_torch),
        _exact("zero for equal pairs", form(p, p), 0.0),
        _exact("infinite where q = 0 < p", 1.0 / form(fair, heads), 0.0),
        _exact("finite where p = 0 < q", 1.0 / form(heads, fair), 1.0 / np.log(2.0)),
        _at_most("never below 0", 0.0, kl),
        _exact("additive over independent factors", joint, kl + other),
        _at_most("no larger when outcomes are merged", coarse, kl),
        _sampled("two distributions on three outcomes", float(form(few, many)), estimate),
    ]


KULLBACK_LEIBLER = Row(
    number="1",
    title="Kullback–Leibler divergence",
    statement=r"D_{KL}(p \Vert q) = \sum_i p_i \log \frac{p_i}{q_i}",
    page="distance/entropy-and-kl.ipynb",
    right=kl_divergence,
    wrong={"p and q swapped": _kl_swapped},
    check=_check_kl,
)


def _kl_gaussian_swapped(
    mean_p: FloatArray, std_p: FloatArray, mean_q: FloatArray, std_q: FloatArray
) -> Any:
    return kl_divergence_gaussian(mean_q, std_q, mean_p, std_p)


def _check_kl_gaussian(form: Form) -> list[Case]:
    rng = np.random.default_rng(1)
    means, stds = rng.normal(size=(2, 5)), np.exp(0.5 * rng.normal(size=(2, 5)))
    values = form(means[0], stds[0], means[1], stds[1])
    pairs = [(norm(a, s), norm(b, t)) for (a, b), (s, t) in zip(means.T, stds.T, strict=True)]
    integrals = [kl_divergence_density(p.logpdf, q.logpdf, -40.0, 40.0) for p, q in pairs]
    gaussians = [
        Normal(*pair) for pair in zip(torch.tensor(means), torch.tensor(stds), strict=True)
    ]
    vectors = [MultivariateNormal(g.mean, torch.diag(g.variance)) for g in gaussians]
    p, q = norm(0.0, 1.0), norm(1.0, 2.0)
    estimate = kl_divergence_monte_carlo(
        p.logpdf, q.logpdf, lambda rng, count: rng.normal(0.0, 1.0, count), 100_000, rng
    )
    return [
        _exact("torch.distributions", values, torch.distributions.kl_divergence(*gaussians)),
        _exact("quadrature", values, integrals, tolerance=1e-9),
        _exact(
            "five independent coordinates at once",
            values.sum(),
            torch.distributions.kl_divergence(*vectors),
        ),
        _sampled("N(0, 1) from N(1, 2²)", float(form(0.0, 1.0, 1.0, 2.0)), estimate),
    ]


KULLBACK_LEIBLER_GAUSSIAN = Row(
    number="1",
    title="Kullback–Leibler divergence of Gaussians",
    statement=(
        r"D_{KL} = \log \frac{\sigma_q}{\sigma_p}"
        r" + \frac{\sigma_p^2 + (\mu_p - \mu_q)^2}{2 \sigma_q^2} - \frac12"
    ),
    page="distance/entropy-and-kl.ipynb",
    right=kl_divergence_gaussian,
    wrong={"p and q swapped": _kl_gaussian_swapped},
    check=_check_kl_gaussian,
)


@dataclass(frozen=True)
class _Map:
    """A smooth increasing map y of x, and what a change of variables needs of it."""

    name: str
    forward: Callable[[Any], Any]
    inverse: Callable[[Any], Any]
    log_slope: Callable[[Any], Any]  # log dy/dx at x

    def density(self, log_density: LogDensity) -> LogDensity:
        """Turn the log-density of x into that of y."""

        def mapped(y: FloatArray) -> FloatArray:
            x = self.inverse(y)
            return np.asarray(log_density(x) - self.log_slope(x))

        return mapped


_MAPS = (
    _Map("y = 10x", lambda x: 10.0 * x, lambda y: y / 10.0, lambda x: np.log(10.0)),
    _Map("y = 1/(1 + exp(-x))", expit, logit, lambda x: -np.logaddexp(0, x) - np.logaddexp(0, -x)),
    _Map(
        "y = x + x³",
        lambda x: x + x**3,
        lambda y: 2.0 / np.sqrt(3.0) * np.sinh(np.arcsinh(1.5 * np.sqrt(3.0) * y) / 3.0),
        lambda x: np.log1p(3.0 * x**2),
    ),
)


def _kl_mapped(log_p: LogDensity, log_q: LogDensity, change: _Map, low: float, high: float) -> Any:
    return kl_divergence_density(change.density(log_p), change.density(log_q), low, high)


def _kl_mapped_without_jacobian(
    log_p: LogDensity, log_q: LogDensity, change: _Map, low: float, high: float
) -> Any:
    def integrand(y: float) -> Any:
        x = change.inverse(y)
        return np.exp(log_p(x)) * (log_p(x) - log_q(x))

    return quad(integrand, low, high, points=[change.forward(0.0)], limit=500)[0]


def _kl_mapped_swapped(
    log_p: LogDensity, log_q: LogDensity, change: _Map, low: float, high: float
) -> Any:
    return _kl_mapped(log_q, log_p, change, low, high)


def _folded(log_density: LogDensity) -> LogDensity:
    """Turn the log-density of x into that of |x|."""
    return lambda y: np.logaddexp(log_density(y), log_density(-y))


def _check_kl_mapped(form: Form) -> list[Case]:
    p, q = norm(0.0, 1.0), norm(0.5, 0.8)
    kl = kl_divergence_gaussian(0.0, 1.0, 0.5, 0.8)
    cases = []
    for change in _MAPS:
        low, high = change.forward(-9.0), change.forward(9.0)
        value = form(p.logpdf, q.logpdf, change, low, high)
        cases.append(_exact(f"unchanged by {change.name}", value, kl, 1e-9))
    logistic = _MAPS[1]
    log_density = logistic.density(p.logpdf)
    after = quad(lambda y: -np.exp(log_density(y)) * log_density(y), expit(-9.0), expit(9.0))[0]
    slope = quad(lambda x: p.pdf(x) * logistic.log_slope(x), -9.0, 9.0)[0]
    same = _Map("y = x", lambda x: x, lambda y: y, lambda x: 0.0)
    coarse = form(_folded(p.logpdf), _folded(q.logpdf), same, 0.0, 9.0)
    return [
        *cases,
        _exact("entropy moves by the mean of log dy/dx", after, p.entropy() + slope, 1e-9),
        _at_most("smaller for y = |x|", coarse, kl),
    ]


KULLBACK_LEIBLER_MAPPED = Row(
    number="1",
    title="Kullback–Leibler divergence under a map",
    statement=(
        r"D_{KL}(p_Y \Vert q_Y) = D_{KL}(p_X \Vert q_X),\;"
        r" p_Y(y) = p_X(x) \tfrac{dx}{dy}"
    ),
    page="distance/entropy-and-kl.ipynb",
    right=_kl_mapped,
    wrong={"Jacobian left out": _kl_mapped_without_jacobian, "p and q swapped": _kl_mapped_swapped},
    check=_check_kl_mapped,
)


# (2) Jensen-Shannon divergence


def _js_without_half(p: FloatArray, q: FloatArray) -> Any:
    m = (p + q) / 2.0
    return kl_divergence(p, m) + kl_divergence(q, m)


def _half_of_both_kls(p: FloatArray, q: FloatArray) -> Any:
    return (kl_divergence(p, q) + kl_divergence(q, p)) / 2.0


def _check_js(form: Form) -> list[Case]:
    rng = np.random.default_rng(2)
    p, q, r = _distributions(rng, 3, 100_000, 4)
    m = (p + q) / 2.0
    js = form(p, q)
    roots = np.sqrt([js, form(q, r), form(r, p)])
    heads, tails, coin = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    detour = form(heads, coin) + form(coin, tails)
    x = np.linspace(-9.0, 10.0, 2001)
    left, right = norm(0.0, 1.0), norm(1.0, 1.0)
    cells = [density.pdf(x) / density.pdf(x).sum() for density in (left, right)]
    integral = js_divergence_density(left.logpdf, right.logpdf, x[0], x[-1])
    estimate = _estimate_js(p[0], q[0], rng)
    return [
        _exact("two sums of rel_entr", js, (rel_entr(p, m) + rel_entr(q, m)).sum(axis=-1) / 2.0),
        _exact("zero for equal pairs", form(p, p), 0.0),
        _exact("log 2 for disjoint supports", form(heads, tails), np.log(2.0)),
        _at_most("never below 0", 0.0, js),
        _at_most("never above log 2", js, np.log(2.0)),
        _exact("symmetry", form(q, p), js),
        _at_most("triangle inequality of the root", roots, roots.sum(axis=0) - roots),
        _exact("0.4315 from (1, 0) to (0, 1) by (½, ½)", detour, 1.5 * np.log(4.0 / 3.0)),
        _exact("two Gaussians, by quadrature", form(*cells), integral, tolerance=1e-9),
        _sampled("two distributions on four outcomes", form(p[0], q[0]), estimate),
    ]


def _estimate_js(p: FloatArray, q: FloatArray, rng: np.random.Generator) -> Estimate:
    return js_divergence_monte_carlo(
        lambda outcomes: np.log(p)[outcomes],
        lambda outcomes: np.log(q)[outcomes],
        lambda rng, count: rng.choice(len(p), size=count, p=p),
        lambda rng, count: rng.choice(len(q), size=count, p=q),
        100_000,
        rng,
    )


JENSEN_SHANNON = Row(
    number="2",
    title="Jensen–Shannon divergence",
    statement=(
        r"D_{JS}(p \Vert q) = \tfrac12 D_{KL}(p \Vert m)"
        r" + \tfrac12 D_{KL}(q \Vert m),\; m = \tfrac12 (p + q)"
    ),
    page="distance/jensen-shannon.ipynb",
    right=js_divergence,
    wrong={
        "a missing ½": _js_without_half,
        "half of KL(p‖q) + KL(q‖p)": _half_of_both_kls,
    },
    check=_check_js,
)


# (3) The value of the game


def _value_without_logarithm(logits: FloatArray, p_data: FloatArray, p_g: FloatArray) -> Any:
    return (p_data * expit(logits) + p_g * expit(-logits)).sum(axis=-1)


def _value_negated(logits: FloatArray, p_data: FloatArray, p_g: FloatArray) -> Any:
    return -game_value(logits, p_data, p_g)


def _check_value(form: Form) -> list[Case]:
    rng = np.random.default_rng(3)
    p_data, p_g = _distributions(rng, 2, 1000, 5)
    logits = 3.0 * rng.normal(size=p_data.shape)
    answers = Bernoulli(logits=torch.tensor(logits))
    likelihood = p_data * answers.log_prob(torch.ones(5).double()).numpy()
    likelihood += p_g * answers.log_prob(torch.zeros(5).double()).numpy()
    shares = np.array([0.01, 0.3, 0.5, 0.9])
    constant = np.broadcast_to(logit(shares)[:, None], (4, 5))

    x = np.linspace(-9.0, 10.0, 2001)
    data, g = norm(0.0, 1.0), norm(1.0, 1.0)
    cells = [density.pdf(x) / density.pdf(x).sum() for density in (data, g)]
    integral = game_value_density(np.sin, data.logpdf, g.logpdf, x[0], x[-1])
    estimate = game_value_monte_carlo(
        lambda outcomes: logits[0][outcomes],
        lambda rng, count: rng.choice(5, size=count, p=p_data[0]),
        lambda rng, count: rng.choice(5, size=count, p=p_g[0]),
        100_000,
        rng,
    )
    return [
        _exact(
            "-2 cross-entropies, half real and half fake",
            form(logits, p_data, p_g),
            2.0 * (likelihood / 2.0).sum(axis=-1),
        ),
        _exact(
            "log c + log(1 - c) for constant D = c",
            form(constant, p_data[:4], p_g[:4]),
            np.log(shares) + np.log1p(-shares),
        ),
        _exact(
            "two Gaussians and D = sigmoid(sin x), by quadrature",
            form(np.sin(x), *cells),
            integral,
            tolerance=1e-9,
        ),
        _sampled(
            "two distributions on five outcomes",
            float(form(logits[0], p_data[0], p_g[0])),
            estimate,
        ),
    ]


VALUE = Row(
    number="3",
    title="Value of the game",
    statement=(
        r"V(D, G) = \mathbb E_{x \sim p_{data}}[\log D(x)]"
        r" + \mathbb E_{z \sim p_z}[\log(1 - D(G(z)))]"
    ),
    page="adversarial/minimax-game.ipynb",
    right=game_value,
    wrong={"no logarithm": _value_without_logarithm, "−1 times it": _value_negated},
    check=_check_value,
)


# (Algorithm 1) Who moves when


def _k_never_reset(
    gan: GAN,
    sample_data: Callable[[], Tensor],
    sample_noise: Callable[[], Tensor],
    iterations: int,
    k: int,
    generator_loss: Callable[[Tensor], Tensor],
) -> Iterator[None]:
    for _ in range(iterations):
        while k > 0:
            x, fake = sample_data(), _fake_at_rest(gan, sample_noise())
            discriminator_step(gan.discriminator, gan.discriminator_optimizer, x, fake)
            k -= 1
        _generator_step(gan, sample_noise(), generator_loss)
        yield


def _nobody_at_rest(
    gan: GAN,
    sample_data: Callable[[], Tensor],
    sample_noise: Callable[[], Tensor],
    iterations: int,
    k: int,
    generator_loss: Callable[[Tensor], Tensor],
) -> Iterator[None]:
    for _ in range(iterations):
        for _ in range(k):
            x, fake = sample_data(), gan.generator(sample_noise())
            discriminator_step(gan.discriminator, gan.discriminator_optimizer, x, fake)
        loss = generator_loss(gan.discriminator(gan.generator(sample_noise())))
        descend(gan.generator_optimizer, loss)
        yield


def _gradients_kept(
    gan: GAN,
    sample_data: Callable[[], Tensor],
    sample_noise: Callable[[], Tensor],
    iterations: int,
    k: int,
    generator_loss: Callable[[Tensor], Tensor],
) -> Iterator[None]:
    for _ in range(iterations):
        for _ in range(k):
            x, fake = sample_data(), _fake_at_rest(gan, sample_noise())
            discriminator_loss(gan.discriminator(x), gan.discriminator(fake)).backward()
            gan.discriminator_optimizer.step()
        _generator_step(gan, sample_noise(), generator_loss)
        yield


def _fake_at_rest(gan: GAN, z: Tensor) -> Tensor:
    with at_rest(gan.generator):
        fake: Tensor = gan.generator(z)
    return fake


def _generator_step(gan: GAN, z: Tensor, generator_loss: Callable[[Tensor], Tensor]) -> None:
    with at_rest(gan.discriminator):
        loss = generator_loss(gan.discriminator(gan.generator(z)))
    descend(gan.generator_optimizer, loss)


_GAME_ITERATIONS = 3
_GAME_RATE = 0.3


def _check_algorithm_1(form: Form) -> list[Case]:
    """Probe the players whenever the algorithm asks for a minibatch, and after each iteration."""
    cases = []
    for k in (1, 2, 5):
        moved = _who_moves(form, k)
        played = [*["D"] * k, "G"] * _GAME_ITERATIONS
        expected = np.array(played + [""] * (len(moved) - len(played)))
        found = np.array(moved + [""] * (len(expected) - len(moved)))
        weights, by_hand = _play_affine(form, k)
        cases += [
            _exact(f"k = {k}: steps that someone else takes", np.sum(found != expected), 0.0),
            _exact(f"k = {k}: weights against steps by hand", weights, by_hand, 1e-10),
        ]
    return cases


def _who_moves(form: Form, k: int) -> list[str]:
    """Give the player whose weights or batch statistics each step changes, or both."""
    players = {}
    for name, seed in {"G": 0, "D": 1}.items():
        generator = torch.Generator().manual_seed(seed)
        ends = [fully_connected([2, 2], generator), fully_connected([2, 2], generator)]
        players[name] = nn.Sequential(ends[0], nn.BatchNorm1d(2), ends[1])
    steps = {name: torch.optim.SGD(p.parameters(), lr=_GAME_RATE) for name, p in players.items()}
    gan = GAN(players["G"], players["D"], steps["G"], steps["D"])
    draw = partial(torch.randn, 8, 2, generator=torch.Generator().manual_seed(2))
    states: list[dict[str, Tensor]] = []

    def probe() -> Tensor:
        states.append(
            {
                name: torch.cat([t.double().flatten() for t in player.state_dict().values()])
                for name, player in players.items()
            }
        )
        return draw()

    for _ in form(gan, probe, probe, _GAME_ITERATIONS, k, non_saturating_loss):
        probe()
    moved = [
        "".join(name for name in "DG" if not torch.equal(before[name], after[name]))
        for before, after in pairwise(states)
    ]
    return [names for names in moved if names]


def _play_affine(form: Form, k: int) -> tuple[FloatArray, FloatArray]:
    """Play with G(z) = a z + b and the logit u x + v, by the form and by hand."""
    a_b, u_v = np.array([0.5, 0.2]), np.array([-0.3, 0.1])
    rng = np.random.default_rng(k)
    x = iter(rng.normal(1.0, 0.5, size=(_GAME_ITERATIONS * k, 8)))
    z = iter(rng.normal(size=(_GAME_ITERATIONS * (k + 1), 8)))
    minibatches = {name: list(draws) for name, draws in {"x": x, "z": z}.items()}

    players = [nn.Linear(1, 1).double() for _ in range(2)]
    for player, (slope, offset) in zip(players, (a_b, u_v), strict=True):
        nn.init.constant_(player.weight, slope)
        nn.init.constant_(player.bias, offset)
    g, d = players
    steps = [torch.optim.SGD(player.parameters(), lr=_GAME_RATE) for player in players]
    column = {
        name: iter([torch.tensor(batch)[:, None] for batch in batches]).__next__
        for name, batches in minibatches.items()
    }
    for _ in form(
        GAN(g, d, *steps), column["x"], column["z"], _GAME_ITERATIONS, k, saturating_loss
    ):
        pass
    weights = [float(t.detach()) for player in players for t in player.parameters()]

    x, z = iter(minibatches["x"]), iter(minibatches["z"])
    (a, b), (u, v) = a_b, u_v
    for _ in range(_GAME_ITERATIONS):
        for _ in range(k):
            real, fake = next(x), a * next(z) + b
            missed, fooled = expit(-(u * real + v)), expit(u * fake + v)
            u, v = (
                u + _GAME_RATE * np.mean(missed * real - fooled * fake),
                v + _GAME_RATE * np.mean(missed - fooled),
            )
        noise = next(z)
        fooled = expit(u * (a * noise + b) + v)
        a, b = (
            a + _GAME_RATE * np.mean(fooled * u * noise),
            b + _GAME_RATE * np.mean(fooled * u),
        )
    return np.array(weights), np.array([a, b, u, v])


ALGORITHM_1 = Row(
    number="alg. 1",
    title="Training of a GAN",
    statement=(
        r"\text{in each iteration: } k \times \left( \theta_d \leftarrow \theta_d"
        r" + \eta \nabla_{\theta_d} V \right),"
        r"\; \text{then}\; \theta_g \leftarrow \theta_g - \eta \nabla_{\theta_g} V"
    ),
    page="adversarial/minimax-game.ipynb",
    right=algorithm_1,
    wrong={
        "k counted down and never set again, as the report prints": _k_never_reset,
        "G not detached in D's steps, nor D at rest in G's": _nobody_at_rest,
        "D's gradients not cleared": _gradients_kept,
    },
    check=_check_algorithm_1,
)


# (4) The optimal discriminator


def _share_of_the_generator(p_data: FloatArray, p_g: FloatArray, real_share: float = 0.5) -> Any:
    return optimal_discriminator(p_g, p_data, real_share)


def _check_optimal_discriminator(form: Form) -> list[Case]:
    rng = np.random.default_rng(4)
    p_data, p_g = rng.exponential(size=(2, 200))
    best = form(p_data, p_g)
    ends = 1e-9, 1.0 - 1e-9
    roots = [
        brentq(lambda y, a=a, b=b: a / y - b / (1.0 - y), *ends, xtol=1e-15, rtol=1e-14)
        for a, b in zip(p_data, p_g, strict=True)
    ]
    others = rng.uniform(size=(1000, 1))
    least_gain = np.min(_gain(best, p_data, p_g) - _gain(others, p_data, p_g))
    bend = -p_data / best**2 - p_g / (1.0 - best) ** 2
    real_share = 0.1
    shift = logit(form(p_data, p_g, real_share)) - logit(best)

    few, many = np.array([0.5, 0.4, 0.1]), np.array([0.1, 0.3, 0.6])
    outcomes = np.concatenate([rng.choice(3, 100_000, p=p) for p in (few, many)])
    is_real = np.arange(200_000) < 100_000
    estimate = mean_of(is_real[outcomes == 0].astype(np.float64))
    return [
        _exact("root of the derivative", best, roots),
        _at_most("second derivative below 0", bend, 0.0),
        _at_most("no other of 1,000 answers gains more", -least_gain, 0.0),
        _exact("logit is log p_data - log p_g", logit(best), np.log(p_data) - np.log(p_g)),
        _exact("one real among ten shifts the logit by log(1/9)", shift, -np.log(9.0)),
        _sampled("share of the data in draws of one outcome", float(form(few, many)[0]), estimate),
    ]


def _gain(answer: FloatArray, p_data: FloatArray, p_g: FloatArray) -> FloatArray:
    return np.asarray(p_data * np.log(answer) + p_g * np.log1p(-answer))


OPTIMAL_DISCRIMINATOR = Row(
    number="4",
    title="Optimal discriminator",
    statement=r"D^*(x) = \frac{p_{data}(x)}{p_{data}(x) + p_g(x)}",
    page="adversarial/optimal-discriminator.ipynb",
    right=optimal_discriminator,
    wrong={"p_g over the sum": _share_of_the_generator},
    check=_check_optimal_discriminator,
)


# (5) The least cost


def _least_cost_for_every_generator(p_data: FloatArray, p_g: FloatArray) -> Any:
    return np.full(np.shape(p_data)[:-1], -np.log(4.0))


def _check_least_cost(form: Form) -> list[Case]:
    rng = np.random.default_rng(5)
    p_data, p_g = _distributions(rng, 2, 10_000, 4)
    cost = form(p_data, p_g)
    total_variation = np.abs(p_data - p_g).sum(axis=-1) / 2.0
    heads, tails = np.eye(2)
    return [
        _exact("-1.3862943611 for p_g = p_data", form(p_data, p_data), -1.3862943611198906),
        _at_most("never below -log 4 + TV²", total_variation**2 - np.log(4.0), cost),
        _at_most("never above 0", cost, 0.0),
        _exact("0 for disjoint supports", form(heads, tails), 0.0),
    ]


LEAST_COST = Row(
    number="5",
    title="Least cost of a generator",
    statement=r"C(G) = V(D^*, G) \ge -\log 4,\; \text{equal only for}\; p_g = p_{data}",
    page="adversarial/global-optimum.ipynb",
    right=generator_cost,
    wrong={
        "-log 4 for every G, as (5) reads without its condition": _least_cost_for_every_generator
    },
    check=_check_least_cost,
)


# (6) The cost of a generator and the Jensen-Shannon divergence


def _cost_by_divergence(js: FloatArray, kl: FloatArray) -> Any:
    return 2.0 * js - np.log(4.0)


def _cost_without_two(js: FloatArray, kl: FloatArray) -> Any:
    return js - np.log(4.0)


def _cost_by_kl(js: FloatArray, kl: FloatArray) -> Any:
    return 2.0 * kl - np.log(4.0)


def _mixture(weight: float) -> LogDensity:
    parts = norm(-1.5, 1.0), norm(1.5, 1.0)
    return lambda x: np.logaddexp(
        np.log(weight) + parts[0].logpdf(x), np.log1p(-weight) + parts[1].logpdf(x)
    )


def _check_cost(form: Form) -> list[Case]:
    rng = np.random.default_rng(6)
    p_data, p_g = _distributions(rng, 2, 10_000, 4)
    by_divergence = form(js_divergence(p_data, p_g), kl_divergence(p_data, p_g))
    cost = generator_cost(p_data, p_g)
    logits = 3.0 * rng.normal(size=p_data.shape)
    missing = shortfall(logits, p_data, p_g)
    heads, tails = np.eye(2)
    apart = form(js_divergence(heads, tails), kl_divergence(heads, tails))

    standard = norm(0.0, 1.0).logpdf
    family: dict[str, tuple[list[LogDensity], list[LogDensity]]] = {
        "shift": ([standard] * 4, [norm(t, 1.0).logpdf for t in (0.0, 0.5, 2.0, 6.0)]),
        "scale": ([standard] * 3, [norm(0.0, s).logpdf for s in (0.3, 1.5, 3.0)]),
        "mixture weight": ([_mixture(0.5)] * 3, [_mixture(w) for w in (0.1, 0.5, 0.9)]),
        "disjoint": ([uniform(0.0, 1.0).logpdf] * 2, [uniform(s, 1.0).logpdf for s in (1.0, 5.0)]),
    }
    cases = []
    for name, (data, g) in family.items():
        pairs = list(zip(data, g, strict=True))
        sides = [
            [by(*pair, -30.0, 30.0) for pair in pairs]
            for by in (js_divergence_density, kl_divergence_density, generator_cost_density)
        ]
        js, kl, costs = map(np.array, sides)
        cases.append(_exact(f"{name}, by quadrature", form(js, kl), costs, 1e-9))

    shifted = norm(1.0, 1.0).logpdf
    estimate = game_value_monte_carlo(
        lambda x: np.asarray(optimal_logit(standard(x), shifted(x))),
        lambda rng, count: rng.normal(0.0, 1.0, count),
        lambda rng, count: rng.normal(1.0, 1.0, count),
        100_000,
        rng,
    )
    js_of_shift = js_divergence_density(standard, shifted, -9.0, 10.0)
    return [
        _exact("sums, 10,000 pairs", by_divergence, cost),
        _exact("sums, disjoint", apart, generator_cost(heads, tails)),
        _exact(
            "V(D) and 2 E_m KL(Bern D* from Bern D), any D",
            by_divergence - missing,
            game_value(logits, p_data, p_g),
        ),
        *cases,
        _sampled("N(0, 1) and N(1, 1)", float(form(js_of_shift, 0.5)), estimate),
    ]


COST = Row(
    number="6",
    title="Cost of a generator",
    statement=r"C(G) = 2 D_{JS}(p_{data} \Vert p_g) - \log 4",
    page="adversarial/global-optimum.ipynb",
    right=_cost_by_divergence,
    wrong={"JSD without the 2": _cost_without_two, "KL in place of JSD": _cost_by_kl},
    check=_check_cost,
)


# (7) The loss of a VAE


def _mean_over_code(vae: VAE, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    reconstruction, kl = vae_loss(vae, x, noise)
    return reconstruction, kl / vae.latent_dim


def _mean_over_pixels(vae: VAE, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    reconstruction, kl = vae_loss(vae, x, noise)
    return reconstruction / x[0].numel(), kl


@torch.no_grad()
def _check_vae_loss(form: Form) -> list[Case]:
    generator = torch.Generator().manual_seed(7)
    images = torch.randint(0, 256, (20, 28, 28), dtype=torch.uint8, generator=generator)
    noise = torch.randn(20, 3, generator=generator)
    vae = VAE(latent_dim=3, generator=generator)
    bound = elbo(vae, images, torch.Generator().manual_seed(8))
    bound_noise = torch.randn(20, 3, generator=torch.Generator().manual_seed(8))
    loss = sum(form(vae, as_unit(images), bound_noise))

    x, noise, vae = as_unit(images).double(), noise.double(), vae.double()
    mean, log_variance = vae.encode(x)
    q = Normal(mean, torch.exp(log_variance / 2))
    pixels = Bernoulli(logits=vae.decode(q.mean + q.stddev * noise), validate_args=False)
    reconstruction, kl = form(vae, x, noise)
    likelihood = pixels.log_prob(x).flatten(1).sum(dim=1)
    divergence = torch.distributions.kl_divergence(q, Normal(0.0, 1.0)).sum(dim=1)
    return [
        _exact("reconstruction by torch.distributions", reconstruction, -likelihood, 1e-10),
        _exact("KL by torch.distributions", kl, divergence, 1e-10),
        _exact("minus (13) in float32", loss, -bound, 1e-6),
    ]


VAE_LOSS = Row(
    number="7",
    title="Loss of a VAE",
    statement=(
        r"\mathcal L = -\mathbb E_{q}[\log p(x \mid z)] + D_{KL}(q(z \mid x) \Vert p(z))"
        r" = -\mathrm{ELBO}"
    ),
    page="mnist/vae.ipynb",
    right=vae_loss,
    wrong={
        "KL averaged over dimensions": _mean_over_code,
        "cross-entropy averaged over pixels": _mean_over_pixels,
    },
    check=_check_vae_loss,
)


# (8) The step, as RMSprop takes it


def _rmsprop(theta: FloatArray, gradients: FloatArray, config: VAEConfig) -> FloatArray:
    square = np.zeros_like(theta)
    for gradient in gradients:
        square = config.rho * square + (1.0 - config.rho) * gradient**2
        theta = theta - config.learning_rate * gradient / (np.sqrt(square) + RMSPROP_EPSILON)
    return theta


def _rmsprop_epsilon_inside(
    theta: FloatArray, gradients: FloatArray, config: VAEConfig
) -> FloatArray:
    square = np.zeros_like(theta)
    for gradient in gradients:
        square = config.rho * square + (1.0 - config.rho) * gradient**2
        theta = theta - config.learning_rate * gradient / np.sqrt(square + RMSPROP_EPSILON)
    return theta


def _rmsprop_slow_decay(theta: FloatArray, gradients: FloatArray, config: VAEConfig) -> FloatArray:
    return _rmsprop(theta, gradients, replace(config, rho=0.99))


def _check_rmsprop(form: Form) -> list[Case]:
    config = VAEConfig()
    rng = np.random.default_rng(8)
    theta = rng.normal(size=6)
    gradients = rng.normal(size=(5, 6)) * 10.0 ** np.arange(-7, -1)
    rmsprop, plain = (nn.Parameter(torch.tensor(theta)) for _ in range(2))
    optimizers = [
        (rmsprop, rmsprop_of([rmsprop], config)),
        (plain, torch.optim.SGD([plain], lr=config.learning_rate)),
    ]
    for gradient in gradients:
        for weights, optimizer in optimizers:
            weights.grad = torch.tensor(gradient)
            optimizer.step()
    descended = theta - config.learning_rate * gradients.sum(axis=0)
    return [
        _exact("RMSprop, 5 steps", form(theta, gradients, config), rmsprop.detach(), 1e-7),
        _exact("plain descent, 5 steps", descended, plain.detach(), 1e-7),
    ]


STEP = Row(
    number="8",
    title="Gradient step, by RMSprop",
    statement=(
        r"\theta \leftarrow \theta - \eta\, g / (\sqrt v + \epsilon),\;"
        r" v \leftarrow \rho v + (1 - \rho) g^2"
    ),
    page="mnist/vae.ipynb",
    right=_rmsprop,
    wrong={"ε inside the root": _rmsprop_epsilon_inside, "decay 0.99": _rmsprop_slow_decay},
    check=_check_rmsprop,
)


# (9) to (13): on linear-Gaussian models, whose evidence and posterior are known

_SIZES = ((1, 1), (2, 2), (2, 3), (3, 5))
_CASES_OF_A_SIZE = 500


def _linear_gaussian(
    z_dim: int, x_dim: int, count: int = _CASES_OF_A_SIZE
) -> tuple[LinearGaussian, FloatArray, Gaussian]:
    """Draw a model, data points, and for each of them a distribution of codes."""
    rng = np.random.default_rng([z_dim, x_dim])
    model = LinearGaussian(rng.normal(size=(x_dim, z_dim)), rng.normal(size=x_dim), 0.7)
    roots = rng.normal(size=(count, z_dim, z_dim)) / np.sqrt(z_dim)
    covariance = roots @ roots.swapaxes(-1, -2) + 0.1 * np.eye(z_dim)
    x = model.evidence.at(rng.normal(size=(count, x_dim)))
    return model, x, Gaussian(rng.normal(size=(count, z_dim)), covariance)


def _size(z_dim: int, x_dim: int) -> str:
    return f"{z_dim} code and {x_dim} data dimension{'s' * (x_dim > 1)}"


def _expected_log_joint(model: LinearGaussian, x: FloatArray, q: Gaussian) -> FloatArray:
    squares = (q.mean**2).sum(axis=-1) + np.trace(q.covariance, axis1=-2, axis2=-1)
    log_prior = -0.5 * (squares + q.dimensions * np.log(2.0 * np.pi))
    return np.asarray(model.expected_log_likelihood(x, q) + log_prior)


def _gauss_hermite(dimensions: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights that average polynomials up to degree 9 over N(0, I) exactly."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    grid = np.stack(np.meshgrid(*[nodes] * dimensions, indexing="ij"), axis=-1)
    shares = np.stack(np.meshgrid(*[weights / weights.sum()] * dimensions, indexing="ij"), axis=-1)
    return grid.reshape(-1, dimensions), shares.reshape(-1, dimensions).prod(axis=-1)


# (9) Bayes' rule for the code


def _prior_for_posterior(model: LinearGaussian, x: FloatArray) -> Gaussian:
    return model.prior


def _check_posterior(form: Form) -> list[Case]:
    cases = []
    for z_dim, x_dim in ((1, 1), (1, 3), (2, 3)):
        model, x, _ = _linear_gaussian(z_dim, x_dim, count=3)
        axis, cell = np.linspace(-8.0, 8.0, 321, retstep=True)
        grid = np.stack(np.meshgrid(*[axis] * z_dim, indexing="ij"), axis=-1).reshape(-1, z_dim)
        for i in range(len(x)):
            joint = np.exp(model.log_joint(x[i], grid))
            by_bayes = joint / (joint.sum() * cell**z_dim)
            posterior = np.exp(form(model, x[i]).log_density(grid))
            name = f"joint over its sum on a grid, {_size(z_dim, x_dim)}, x no. {i + 1}"
            cases.append(_exact(name, posterior, by_bayes, 1e-9))
    return cases


POSTERIOR = Row(
    number="9",
    title="Posterior of the code",
    statement=r"p(z \mid x) = \frac{p(x \mid z)\, p(z)}{p(x)}",
    page="autoencoding/evidence-lower-bound.ipynb",
    right=LinearGaussian.posterior,
    wrong={"the prior in its place": _prior_for_posterior},
    check=_check_posterior,
)


# (10) The KL to the posterior, expanded


def _expanded(model: LinearGaussian, x: FloatArray, q: Gaussian) -> Any:
    return _expanded_without_evidence(model, x, q) + model.evidence.log_density(x)


def _expanded_without_evidence(model: LinearGaussian, x: FloatArray, q: Gaussian) -> Any:
    return -q.entropy() - _expected_log_joint(model, x, q)


def _check_expansion(form: Form) -> list[Case]:
    cases = []
    for size in _SIZES:
        model, x, q = _linear_gaussian(*size)
        divergence = kl_of_gaussians(q, model.posterior(x))
        name = f"{_CASES_OF_A_SIZE} pairs of q and x, {_size(*size)}"
        cases.append(_exact(name, form(model, x, q), divergence, 1e-10))
    return cases


EXPANSION = Row(
    number="10",
    title="Divergence from the posterior",
    statement=(
        r"D_{KL}(q \Vert p(z \mid x)) ="
        r" \mathbb E_q[\log q(z)] - \mathbb E_q[\log p(x, z)] + \log p(x)"
    ),
    page="autoencoding/evidence-lower-bound.ipynb",
    right=_expanded,
    wrong={"without log p(x)": _expanded_without_evidence},
    check=_check_expansion,
)


# (11) The evidence lower bound


def _bound(model: LinearGaussian, x: FloatArray, q: Gaussian) -> Any:
    return _expected_log_joint(model, x, q) + q.entropy()


def _bound_less_entropy(model: LinearGaussian, x: FloatArray, q: Gaussian) -> Any:
    return _expected_log_joint(model, x, q) - q.entropy()


def _check_bound(form: Form) -> list[Case]:
    cases = []
    rng = np.random.default_rng(11)
    for size in _SIZES:
        model, x, q = _linear_gaussian(*size, count=1)
        nodes, shares = _gauss_hermite(size[0])
        z = q.at(nodes)
        integral = shares @ (model.log_joint(x, z) - q.log_density(z))
        one = Gaussian(q.mean[0], q.covariance[0])
        estimate = elbo_monte_carlo(partial(model.log_joint, x[0]), one, 100_000, rng)
        value = form(model, x, q)
        cases += [
            _exact(f"quadrature over z, {_size(*size)}", value, integral, 1e-10),
            _sampled(f"draws of z, {_size(*size)}", float(value[0]), estimate),
        ]
    return cases


BOUND = Row(
    number="11",
    title="Evidence lower bound",
    statement=r"\mathrm{ELBO} = \mathbb E_q[\log p(x, z)] - \mathbb E_q[\log q(z)]",
    page="autoencoding/evidence-lower-bound.ipynb",
    right=_bound,
    wrong={"sign of the entropy term": _bound_less_entropy},
    check=_check_bound,
)


# (12) The evidence is the bound and the gap


def _bound_plus_gap(bound: FloatArray, gap: FloatArray) -> Any:
    return bound + gap


def _bound_less_gap(bound: FloatArray, gap: FloatArray) -> Any:
    return bound - gap


def _check_gap(form: Form) -> list[Case]:
    cases = []
    for size in _SIZES:
        model, x, q = _linear_gaussian(*size)
        best = model.posterior(x)
        evidence = model.evidence.log_density(x)
        gap = kl_of_gaussians(q, best)
        together = form(_bound(model, x, q), gap)
        name = _size(*size)
        cases += [
            _exact(f"{_CASES_OF_A_SIZE} pairs of q and x, {name}", together, evidence, 1e-10),
            _exact(f"no gap at the posterior, {name}", _bound(model, x, best), evidence, 1e-10),
            _at_most(f"never above log p(x), {name}", _bound(model, x, q), evidence, 1e-10),
        ]
    return cases


GAP = Row(
    number="12",
    title="The evidence is the bound and its gap",
    statement=r"\log p(x) = \mathrm{ELBO} + D_{KL}(q \Vert p(z \mid x))",
    page="autoencoding/evidence-lower-bound.ipynb",
    right=_bound_plus_gap,
    wrong={"sign of the KL": _bound_less_gap},
    check=_check_gap,
)


# (13) The bound of one data point, with the KL to the prior


def _bound_to_evidence(model: LinearGaussian, x: FloatArray, q: Gaussian) -> Any:
    return model.expected_log_likelihood(x, q) - kl_of_gaussians(q, model.evidence)


def _bound_plus_kl(model: LinearGaussian, x: FloatArray, q: Gaussian) -> Any:
    return model.expected_log_likelihood(x, q) + kl_of_gaussians(q, model.prior)


def _check_bound_to_prior(form: Form) -> list[Case]:
    cases = []
    for size in _SIZES:
        model, x, q = _linear_gaussian(*size)
        try:
            value = form(model, x, q)
        except ValueError:
            value = np.full(len(x), np.inf)
        cases.append(_exact(f"(11), {_size(*size)}", value, _bound(model, x, q), 1e-10))
    return cases


BOUND_TO_PRIOR = Row(
    number="13",
    title="The bound with the KL to the prior",
    statement=r"\mathrm{ELBO} = \mathbb E_q[\log p(x \mid z)] - D_{KL}(q(z \mid x) \Vert p(z))",
    page="autoencoding/evidence-lower-bound.ipynb",
    right=LinearGaussian.elbo,
    wrong={
        "KL to p(x), as the report prints": _bound_to_evidence,
        "sign of the KL": _bound_plus_kl,
    },
    check=_check_bound_to_prior,
)


# (+) The importance-weighted bound


def _sum_of_weights(log_weights: FloatArray) -> Any:
    return logsumexp(log_weights, axis=-1)


def _mean_of_logs(log_weights: FloatArray) -> Any:
    return np.mean(log_weights, axis=-1)


def _check_importance_weighted(form: Form) -> list[Case]:
    model, x, _ = _linear_gaussian(2, 3, count=1)
    posterior = model.posterior(x[0])
    wide = Gaussian(posterior.mean + 0.3, 1.5 * posterior.covariance)
    rng = np.random.default_rng(14)
    weights = log_weights(partial(model.log_joint, x[0]), wide, 500_000, rng)
    few, many = weights.reshape(-1, 10), weights.reshape(-1, 1000)
    whole, groups = form(many), form(many.reshape(-1, 10, 100)).mean(axis=-1)
    rise = mean_of(np.asarray(form(few) - form(few[:, :1])))
    error = mean_of(np.asarray(importance_weighted_bound(many))).standard_error
    evidence = float(model.evidence.log_density(x[0]))
    return [
        _exact("two weights", form(np.log([1.0, 3.0])), np.log(2.0)),
        _exact("equal weights", form(np.full(50, -3.0)), -3.0),
        _exact("one weight", form(few[:, :1]), few[:, 0]),
        _at_most("mean of groups of 100 never above the 1,000", groups, whole),
        _at_most(
            "rises from k = 1 to 10, by 4 s.e. at least", 4.0 * rise.standard_error, rise.value
        ),
        _sampled("log p(x), k = 1,000", float(np.mean(whole)), Estimate(evidence, error)),
    ]


IMPORTANCE_WEIGHTED = Row(
    number="+",
    title="Importance-weighted bound",
    statement=(
        r"\mathbb E \log \frac1k \sum_{j=1}^k \frac{p(x, z_j)}{q(z_j)} \le \log p(x),"
        r"\; \text{rising with}\; k"
    ),
    page="autoencoding/evidence-lower-bound.ipynb",
    right=importance_weighted_bound,
    wrong={"no −log k": _sum_of_weights, "mean of logarithms": _mean_of_logs},
    check=_check_importance_weighted,
)


# (+) The reparametrised gradient


def _scale_detached(
    model: LinearGaussian, x: FloatArray, mean: FloatArray, std: FloatArray, noise: FloatArray
) -> tuple[FloatArray, FloatArray]:
    by_mean, _ = reparametrised_gradients(model, x, mean, std, noise)
    return by_mean, np.broadcast_to(1.0 / std, noise.shape)


def _check_gradient(form: Form) -> list[Case]:
    model, points, q = _linear_gaussian(2, 3, count=1)
    x, mean, std = points[0], q.mean[0], np.array([0.5, 1.2])
    exact = np.concatenate(elbo_gradient(model, x, mean, std))
    nodes, shares = _gauss_hermite(2)
    noise = np.random.default_rng(15).normal(size=(100_000, 2))
    arguments = model, x, mean, std
    integral = shares @ np.concatenate(form(*arguments, nodes), axis=1)
    found = np.concatenate(form(*arguments, noise), axis=1)
    drawn = np.concatenate(reparametrised_gradients(*arguments, noise), axis=1)
    score = np.concatenate(score_function_gradients(*arguments, noise), axis=1)
    names = ["mean 1", "mean 2", "scale 1", "scale 2"]
    return [
        _exact("quadrature over the noise", integral, exact, 1e-10),
        _at_most("varies less than the score-function estimator", found.var(0), score.var(0)),
        *(
            _sampled(
                f"by {name}, from draws",
                float(found[:, i].mean()),
                Estimate(float(exact[i]), mean_of(drawn[:, i]).standard_error),
            )
            for i, name in enumerate(names)
        ),
    ]


REPARAMETRISED_GRADIENT = Row(
    number="+",
    title="Reparametrised gradient",
    statement=(
        r"\nabla_{\mu, \sigma}\, \mathbb E_q[\log p(x, z)] ="
        r" \mathbb E_\varepsilon[\nabla_{\mu, \sigma} \log p(x, \mu + \sigma \varepsilon)]"
    ),
    page="autoencoding/evidence-lower-bound.ipynb",
    right=reparametrised_gradients,
    wrong={"scale detached": _scale_detached},
    check=_check_gradient,
)


# (+) The mean KL in two parts


def _sum_of_parts(means: FloatArray, stds: FloatArray) -> Any:
    return sum(mean_kl_in_two(means, stds))


def _without_information(means: FloatArray, stds: FloatArray) -> Any:
    return mean_kl_in_two(means, stds)[1]


def _check_mean_kl(form: Form) -> list[Case]:
    rng = np.random.default_rng(16)
    cases = []
    for count in (1, 2, 10):
        means, stds = rng.normal(size=count), rng.uniform(0.1, 1.0, size=count)
        mean_kl = np.mean(kl_divergence_gaussian(means, stds, 0.0, 1.0))
        information, divergence = mean_kl_in_two(means, stds)
        name = f"{count} data point{'s' * (count > 1)}"
        cases += [
            _exact(f"mean of closed forms, {name}", form(means, stds), mean_kl, 1e-9),
            _at_most(f"information at most log n, {name}", information, np.log(count), 1e-9),
            _at_most(f"neither part negative, {name}", 0.0, [information, divergence], 1e-9),
        ]
    return cases


MEAN_KL = Row(
    number="+",
    title="The mean KL in two parts",
    statement=(
        r"\tfrac1n \sum_i D_{KL}(q(z \mid x_i) \Vert p(z)) = I(x; z) + D_{KL}(q(z) \Vert p(z))"
    ),
    page="autoencoding/evidence-lower-bound.ipynb",
    right=_sum_of_parts,
    wrong={"without I": _without_information},
    check=_check_mean_kl,
)


LEDGER: tuple[Row, ...] = (
    ENTROPY,
    KULLBACK_LEIBLER,
    KULLBACK_LEIBLER_GAUSSIAN,
    KULLBACK_LEIBLER_MAPPED,
    JENSEN_SHANNON,
    VALUE,
    ALGORITHM_1,
    OPTIMAL_DISCRIMINATOR,
    LEAST_COST,
    COST,
    VAE_LOSS,
    STEP,
    POSTERIOR,
    EXPANSION,
    BOUND,
    GAP,
    BOUND_TO_PRIOR,
    IMPORTANCE_WEIGHTED,
    REPARAMETRISED_GRADIENT,
    MEAN_KL,
)
