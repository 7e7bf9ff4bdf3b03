"""The ledger: each equation checked by number, and wrong forms of it rejected by the same check.

A row is a block of its own: the right form, the wrong forms, the cases, and the `Row` that joins
them. `LEDGER`, at the end, lists the rows; the tests and the appendix page run them all.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.integrate import quad
from scipy.special import expit, logit, rel_entr
from scipy.stats import norm
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical, MultivariateNormal, Normal

from gencomp_utils.distributions import Estimate, FloatArray, LogDensity
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
from gencomp_utils.networks import VAE
from gencomp_utils.training import (
    RMSPROP_EPSILON,
    VAEConfig,
    as_unit,
    kl_to_standard_normal,
    rmsprop_of,
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
        misses = [f"{_short(worst(cases, k).ratio)} tolerances ({kinds[k]})" for k in kinds]
        lines.append(f"- Rejected: {name}, by {', '.join(misses)}.")
    return "\n".join(lines)


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
        r"l = -\mathbb E_{q}[\log p(x \mid z)] + D_{KL}(q(z \mid x) \Vert p(z))"
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


# (13) The evidence lower bound of one image


def _elbo_to_prior(log_likelihood: float, q: MultivariateNormal, x: MultivariateNormal) -> float:
    variances = q.covariance_matrix.diagonal()
    return log_likelihood - float(kl_to_standard_normal(q.mean[None], variances.log()[None]))


def _elbo_to_evidence(log_likelihood: float, q: MultivariateNormal, x: MultivariateNormal) -> float:
    return log_likelihood - float(torch.distributions.kl_divergence(q, x))


def _elbo_plus_kl(log_likelihood: float, q: MultivariateNormal, x: MultivariateNormal) -> float:
    return 2.0 * log_likelihood - _elbo_to_prior(log_likelihood, q, x)


def _check_elbo(form: Form) -> list[Case]:
    """Compare with (11) on linear-Gaussian models, where quadrature over z is exact."""
    cases = []
    for code_dim, x_dim in ((1, 1), (2, 2), (2, 3)):
        generator = torch.Generator().manual_seed(13 + x_dim)
        draw = partial(torch.randn, generator=generator, dtype=torch.float64)
        weights, x, mean = draw(x_dim, code_dim), draw(x_dim), draw(code_dim)
        q = MultivariateNormal(mean, torch.diag(draw(code_dim).exp()))
        prior = MultivariateNormal(torch.zeros_like(mean), torch.eye(code_dim).double())
        noise = 0.25 * torch.eye(x_dim).double()
        evidence = MultivariateNormal(torch.zeros_like(x), weights @ weights.T + noise)

        z, share = _gauss_hermite(q)
        log_likelihood = MultivariateNormal(z @ weights.T, noise).log_prob(x)
        joint = log_likelihood + prior.log_prob(z)
        reference = float(share @ joint - share @ q.log_prob(z))
        name = f"(11), {code_dim} code and {x_dim} data dimensions"
        try:
            value = form(float(share @ log_likelihood), q, evidence)
        except ValueError:
            value = math.inf
        cases.append(_exact(name, value, reference, 1e-10))
    return cases


def _gauss_hermite(q: MultivariateNormal) -> tuple[Tensor, Tensor]:
    """Nodes and weights that integrate polynomials up to degree 9 under q exactly."""
    nodes, weights = map(torch.tensor, np.polynomial.hermite_e.hermegauss(5))
    dimensions = len(q.mean)
    grid = torch.cartesian_prod(*[nodes] * dimensions).reshape(-1, dimensions)
    shares = torch.cartesian_prod(*[weights / weights.sum()] * dimensions)
    return q.mean + grid @ q.scale_tril.T, shares.reshape(-1, dimensions).prod(dim=1)


EVIDENCE_LOWER_BOUND = Row(
    number="13",
    title="Evidence lower bound",
    statement=(r"\mathrm{ELBO} = \mathbb E_q[\log p(x \mid z)] - D_{KL}(q(z \mid x) \Vert p(z))"),
    page="mnist/vae.ipynb",
    right=_elbo_to_prior,
    wrong={
        "KL to p(x), as the report prints": _elbo_to_evidence,
        "sign of the KL": _elbo_plus_kl,
    },
    check=_check_elbo,
)


LEDGER: tuple[Row, ...] = (
    ENTROPY,
    KULLBACK_LEIBLER,
    KULLBACK_LEIBLER_GAUSSIAN,
    KULLBACK_LEIBLER_MAPPED,
    JENSEN_SHANNON,
    VAE_LOSS,
    STEP,
    EVIDENCE_LOWER_BOUND,
)
