"""The page's divergences and bounds are the package's, and a planted fault is noticed."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from scipy.stats import norm, wasserstein_distance

from gencomp_utils import divergences, minimax
from gencomp_utils.evidence import Gaussian, LinearGaussian, kl_of_gaussians

pytestmark = pytest.mark.slow
WAVES = functools.partial(minimax.game_value_density, lambda x: 3 * np.sin(x))
SCRIPT = (ROOT / "gencomp_utils/web/live/exact.js").read_text(encoding="utf-8")
Parts = list[tuple[float, float, float]]  # weight, mean, standard deviation
LOW, HIGH, COUNT = -40.0, 40.0, 4001
X, DX = np.linspace(LOW, HIGH, COUNT, retstep=True)

PAIRS: list[tuple[Parts, Parts]] = [
    ([(1, 0, 1)], [(1, 0, 1)]),
    ([(1, 0, 1)], [(1, 1e-3, 1)]),
    ([(1, 0, 1)], [(1, 1, 1)]),
    ([(1, 0, 1)], [(1, 8, 1)]),
    ([(1, 0, 1)], [(1, 0, 0.5)]),
    ([(1, -3, 0.6)], [(1, 3, 2.5)]),
    ([(1, 2, 3)], [(1, -5, 0.8)]),
    ([(0.5, -2, 0.7), (0.5, 2, 0.7)], [(1, 0.5, 1.5)]),
    ([(0.5, -2, 0.7), (0.5, 2, 0.7)], [(1, 0, 0.5)]),
    ([(0.2, -4, 0.5), (0.8, 1, 1)], [(0.7, -4, 0.5), (0.3, 6, 2)]),
]
GAUSSIANS = [(p[0][1:], q[0][1:]) for p, q in PAIRS if len(p) == len(q) == 1]
MODELS = [
    ([1.6, 1.2], [0.0, 1.0], 1.0, [2.75, 1.5]),
    ([0.5], [-1.0], 0.3, [0.2]),
    ([2.0, -1.0, 0.1], [0.5, 0.0, 3.0], 1.7, [-4.0, 2.0, 1.0]),
]
CODES = [(0.0, 0.6), (1.0, 0.2**0.5), (-2.5, 3.0), (4.0, 0.01)]


def log_density(parts: Parts) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.logaddexp.reduce(
        [np.log(weight) + norm.logpdf(x, mean, sd) for weight, mean, sd in parts]
    )


def density(parts: Parts) -> np.ndarray:
    return np.exp(log_density(parts)(X))


@functools.cache
def exact(measure: Callable[..., float], turn: int = 1) -> np.ndarray:
    """Give the package's measure of each pair."""
    return np.array([measure(*map(log_density, pair[::turn]), LOW, HIGH) for pair in PAIRS])


class Page:
    """The engine in a browser; of two mixtures it knows what `formula` says, by p, q, x and dx."""

    def __init__(self, tab: Any) -> None:
        self.tab = tab

    def of_pairs(self, formula: str) -> np.ndarray:
        return np.array(
            self.tab.evaluate(
                f"""([pairs, low, high, count]) => {{
                    const x = gencomp.exact.grid(low, high, count), dx = x[1] - x[0];
                    return pairs.map((pair) => {{
                        const [p, q] = pair.map((parts) => gencomp.exact.mixture(x, parts));
                        const found = {formula};
                        return typeof found === "number" ? found : Array.from(found);
                    }});
                }}""",
                [PAIRS, LOW, HIGH, COUNT],
            )
        )

    def call(self, name: str, *arguments: Any) -> Any:
        return self.tab.evaluate(
            """([name, given]) => {
                const found = gencomp.exact[name](...given);
                return found instanceof Float64Array ? [...found] : found;
            }""",
            [name, [*arguments]],
        )


@pytest.fixture
def page(browser) -> Iterator[Callable[..., Page]]:
    """Load the engine, as it is or with a piece of it replaced."""
    tabs = []

    def load(right: str = "", wrong: str = "") -> Page:
        assert not right or SCRIPT.count(right) == 1, right
        tabs.append(browser.new_page())
        tabs[-1].add_script_tag(content=SCRIPT.replace(right, wrong) if right else SCRIPT)
        return Page(tabs[-1])

    yield load
    for tab in tabs:
        tab.close()


# Each comparison gives its largest error


def mixtures(page: Page) -> float:
    ours = [[density(parts) for parts in pair] for pair in PAIRS]
    found = page.of_pairs("[...p, ...q]").reshape(len(PAIRS), 2, COUNT)
    return float(np.abs(found - ours).max())


def jsd(page: Page) -> float:
    found = page.of_pairs("gencomp.exact.js(p, q, dx)")
    return float(np.abs(found - exact(divergences.js_divergence_density)).max())


def jsd_of_probabilities(page: Page) -> float:
    p, q = [0.5, 0.4, 0.1, 0.0], [0.5, 0.5, 0.0, 0.0]
    nextto = np.nextafter(0.5, 0.0)
    cases = [(p, q), ([1.0, 0.0], [0.0, 1.0]), ([nextto, 1 - nextto], [1 - nextto, nextto])]
    return max(
        abs(page.call("js", one, other) - divergences.js_divergence(one, other))
        for one, other in cases
    )


def kl_both_ways(page: Page) -> float:
    errors = []
    for formula, turn in (("kl(p, q, dx)", 1), ("kl(q, p, dx)", -1)):
        found = page.of_pairs(f"gencomp.exact.{formula}")
        ours = exact(divergences.kl_divergence_density, turn)
        errors.append(np.abs(found - ours) / np.maximum(1.0, ours))
    return float(np.max(errors))


def kl_of_bells(page: Page) -> float:
    found = [page.call("klGaussian", *p, *q) for p, q in GAUSSIANS]
    ours = [divergences.kl_divergence_gaussian(*p, *q) for p, q in GAUSSIANS]
    return float(np.abs(np.subtract(found, ours)).max())


def total_variation(page: Page) -> float:
    ours = [np.abs(density(p) - density(q)).sum() * DX / 2 for p, q in PAIRS]
    ours[2], ours[3] = (2 * norm.cdf(mean / 2) - 1 for mean in (1, 8))
    return float(np.abs(page.of_pairs("gencomp.exact.totalVariation(p, q, dx)") - ours).max())


def wasserstein(page: Page) -> float:
    ours = [wasserstein_distance(X, X, density(p), density(q)) for p, q in PAIRS]
    ours[3], ours[4] = 8.0, 0.5 * np.sqrt(2 / np.pi)
    return float(np.abs(page.of_pairs("gencomp.exact.wasserstein(p, q, dx)") - ours).max())


def best_discriminator(page: Page) -> float:
    ours = [minimax.optimal_discriminator(density(p), density(q)) for p, q in PAIRS]
    found = page.of_pairs("gencomp.exact.optimal(p, q)")
    seen = np.array([density(p) + density(q) > 1e-300 for p, q in PAIRS])
    return float(np.abs(found - ours)[seen].max())


def costs(page: Page) -> float:
    found = page.of_pairs("gencomp.exact.cost(p, q, dx)")
    return float(np.abs(found - exact(minimax.generator_cost_density)).max())


def values(page: Page) -> float:
    waves = "x.map((at) => 3 * Math.sin(at))"
    found = page.of_pairs(f"gencomp.exact.valueOfLogits(p, q, {waves}, dx)")
    return float(np.abs(found - exact(WAVES)).max())


def shortfalls(page: Page) -> float:
    found = page.of_pairs(
        "gencomp.exact.sum(gencomp.exact.shortfallTerms(p, q, x.map(Math.sin)), dx)"
    )
    ours = []
    for pair in PAIRS:
        p, q = (density(parts) * DX for parts in pair)
        ours.append(minimax.shortfall(np.sin(X), p / p.sum(), q / q.sum()))
    return float(np.abs(found - ours).max())


def bounds(page: Page) -> float:
    errors = []
    for weights, offset, noise, x in MODELS:
        model = LinearGaussian(np.array(weights)[:, None], np.array(offset), noise)
        posterior = model.posterior(np.array(x))
        for mean, sd in CODES:
            q = Gaussian([mean], [[sd**2]])
            given = {"weights": weights, "offset": offset, "noise": noise, "x": x}
            found = page.call("linearGaussian", given, mean, sd)
            ours = {
                "evidence": model.evidence.log_density(np.array(x)),
                "bound": model.elbo(np.array(x), q),
                "gap": kl_of_gaussians(q, posterior),
                "reconstruction": model.expected_log_likelihood(np.array(x), q),
                "kl": kl_of_gaussians(q, model.prior),
            }
            inside = found.pop("posterior")
            errors += [
                abs(inside["mean"] - posterior.mean[0]),
                abs(inside["sd"] - posterior.covariance[0, 0] ** 0.5),
            ]
            assert found.keys() == ours.keys()
            errors += [abs(found[key] - ours[key]) / max(1, abs(ours[key])) for key in ours]
    return float(max(errors))


COMPARISONS: dict[Callable[[Page], float], float] = {
    mixtures: 1e-12,
    jsd: 1e-8,
    jsd_of_probabilities: 1e-15,
    kl_both_ways: 1e-8,
    kl_of_bells: 1e-12,
    total_variation: 1e-4,
    wasserstein: 1e-4,
    best_discriminator: 1e-9,
    costs: 1e-8,
    values: 1e-8,
    shortfalls: 1e-8,
    bounds: 1e-9,
}
FAULTS = [
    (mixtures, "parts[k][0] *", ""),
    (mixtures, "** 2) / 2)", "** 2))"),
    (jsd, "total / 4", "total / 2"),
    (jsd, "half(-t)", "half(t)"),
    (jsd_of_probabilities, "total === 0 ? 0 : ", ""),
    (jsd_of_probabilities, "t === -1 ? 0 : ", ""),
    (kl_both_ways, "(Math.log(p[i]) - Math", "(Math.log(p[i]) + Math"),
    (kl_both_ways, "p[i] * (Math", "q[i] * (Math"),
    (kl_of_bells, "- Math.log(sdP / sdQ)", "+ Math.log(sdP / sdQ)"),
    (total_variation, "* dx / 2;", "* dx;"),
    (wasserstein, "Math.abs(apart +=", "(apart +="),
    (wasserstein, "apart += (p[i] - q[i])", "apart = (p[i] - q[i])"),
    (best_discriminator, ": p[i] / (p[i] + q[i])", ": q[i] / (p[i] + q[i])"),
    (costs, "2 * js(p, q, dx)", "js(p, q, dx)"),
    (costs, "- 2 * Math.LN2", "- Math.LN2"),
    (values, "p[i] * softplus(-logits[i]) + q[i] * softplus(logits[i])) * dx",
     "p[i] * softplus(logits[i]) + q[i] * softplus(-logits[i])) * dx"),
    (values, "Math.max(t, 0)", "Math.max(-t, 0)"),
    (shortfalls, "+ log(q[i], p", "- log(q[i], p"),
    (bounds, "ww * (mean ** 2 + sd ** 2)", "ww * mean ** 2"),
    (bounds, "reconstruction - kl,", "reconstruction + kl,"),
    (bounds, "wr ** 2 / (1 + ww)", "wr ** 2 / ww"),
    (bounds, "Math.log(1 + ww) +", ""),
    (bounds, "gap: klGaussian(mean, sd, posterior.mean, posterior.sd)",
     "gap: klGaussian(posterior.mean, posterior.sd, mean, sd)"),
]  # fmt: skip


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda f: f.__name__)
def test_the_page_computes_what_the_package_does(page, comparison):
    assert comparison(page()) <= COMPARISONS[comparison]


@pytest.mark.parametrize(
    ("comparison", "right", "wrong"), FAULTS, ids=[f"{f[0].__name__}: {f[2]}" for f in FAULTS]
)
def test_a_planted_fault_is_noticed(page, comparison, right, wrong):
    # NaN is a miss too.
    assert not comparison(page(right, wrong)) <= COMPARISONS[comparison]


def test_every_comparison_has_its_fault():
    assert {fault[0] for fault in FAULTS} == set(COMPARISONS)


# From near D* to far from it, and bent.
RANDOM = """([pairs, low, high, count, weights]) => {
    const { grid, mixture, cost, valueOfLogits, shortfallTerms, sum } = gencomp.exact;
    const x = grid(low, high, count), dx = x[1] - x[0];
    return weights.map(([near, shift, bend, often, from], i) => {
        const [p, q] = pairs[i % pairs.length].map((parts) => mixture(x, parts));
        const logits = x.map((at, j) => near * Math.log((p[j] + 1e-99) / (q[j] + 1e-99))
            + (1 - near) * (shift + bend * Math.sin(often * at + from)));
        const best = cost(p, q, dx), v = valueOfLogits(p, q, logits, dx);
        const apart = best - v - sum(shortfallTerms(p, q, logits), dx);
        return [best - v, apart];
    });
}"""


def against_the_best(page: Page) -> np.ndarray:
    """C(G) less V of 100 random discriminators, and how far their shortfalls are from that."""
    rng = np.random.default_rng(0)
    drawn = np.hstack([rng.random((100, 1)), rng.normal(size=(100, 4)) * [1, 4, 2, 3]])
    return np.array(page.tab.evaluate(RANDOM, [PAIRS, LOW, HIGH, COUNT, drawn.tolist()]))


def test_no_discriminator_beats_the_best_one(page):
    found = against_the_best(page())
    assert found[:, 0].min() > 0.0
    assert np.abs(found[:, 1]).max() < 1e-8


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("2 * js(p, q, dx)", "js(p, q, dx)"),
        ("-sumOf(p.length, (i) => p[i]", "-sumOf(p.length, (i) => 0.9 * p[i]"),
    ],
)
def test_a_value_above_the_best_would_be_noticed(page, right, wrong):
    assert against_the_best(page(right, wrong))[:, 0].min() < 0.0


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("kl", ([0.5, 0.5], [1.0, 0.0]), np.inf),
        ("kl", ([1.0, 0.0], [0.5, 0.5]), np.log(2)),
        ("js", ([1.0, 0.0], [0.0, 1.0]), np.log(2)),
        ("cost", ([1.0, 0.0], [0.0, 1.0]), 0.0),
        ("optimal", ([0.5, 0.5, 0.0], [0.5, 0.0, 0.0]), [0.5, 1.0, 0.5]),
        ("valueOfLogits", ([0.5, 0.5], [0.5, 0.5], [0.0, 0.0]), -np.log(4)),
        ("valueOfLogits", ([0.5, 0.5], [0.5, 0.5], [800.0, 0.0]), -400 - np.log(2)),
        ("shortfallTerms", ([1.0], [0.0], [0.0]), [np.log(2)]),
    ],
)
def test_ends_and_empty_places(page, name, arguments, expected):
    assert page().call(name, *arguments) == pytest.approx(expected, abs=1e-15)
