"""The page's game goes as PyTorch's does, and is worth what it says; faults are noticed."""

import json
import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from conftest import ROOT
from scipy.stats import norm
from torch import Tensor

from gencomp_utils import divergences, minimax
from gencomp_utils.models import game
from gencomp_utils.models.toys import RING, fully_connected, modes_found

pytestmark = pytest.mark.slow

WEB = ROOT / "gencomp_utils" / "web" / "live"
BATCH = 16
ITERATIONS = 200
TOLERANCE = 1e-8  # of a weight after 200 iterations
Case = tuple[str, int, str]  # G's loss, k, and what moves both

LOSSES = {
    "saturatingLoss": game.saturating_loss,
    "nonSaturatingLoss": game.non_saturating_loss,
}
RATES = {"adam": (0.01, 0.003), "descent": (0.1, 0.1)}  # G's and D's
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": lambda weights, rate: torch.optim.Adam(weights, rate, (0.5, 0.999)),
    "descent": lambda weights, rate: torch.optim.SGD(weights, rate),
}
CASES = list(product(LOSSES, (1, 5), OPTIMIZERS))
PLAY = """
(text) => {
  const { start, data, noise, k, loss, optimizer, rates, iterations } = JSON.parse(text);
  const game = gencomp.game, random = game.stream(0);
  const next = (batches) => () => Float64Array.from(batches.shift());
  const [generator, discriminator] = start.map(([widths, weights]) => {
    const network = game.fullyConnected(widths, random);
    network.weights.set(weights);
    return network;
  });
  const gan = {
    generator, discriminator,
    generatorOptimizer: game[optimizer](generator, rates[0]),
    discriminatorOptimizer: game[optimizer](discriminator, rates[1]),
  };
  const turns = game.algorithm1(gan, next(data), next(noise), k, game[loss]);
  const losses = Array.from({ length: iterations }, () => turns.next().value);
  return [losses.flat(), [...generator.weights], [...discriminator.weights]];
}
"""


def engine(browser: Any, *fault: str) -> Any:
    """Open a tab with the engine, in which one piece of text is replaced by another."""
    text = (WEB / "game.js").read_text(encoding="utf-8")
    if fault:
        assert text.count(fault[0]) == 1, fault[0]
        text = text.replace(*fault)
    tab = browser.new_page()
    tab.goto("about:blank")
    tab.add_script_tag(path=WEB / "exact.js")
    tab.add_script_tag(content=text)
    return tab


@pytest.fixture(scope="module")
def tab(browser: Any) -> Iterator[Any]:
    tab = engine(browser)
    yield tab
    tab.close()


# Algorithm 1


def given(dimensions: int, k: int) -> dict[str, Any]:
    """Start two players, and draw all the minibatches of their game."""
    generator = torch.Generator().manual_seed(dimensions)
    noise = torch.randn(ITERATIONS * (k + 1), BATCH, dimensions, generator=generator).double()
    data = 0.05 * torch.randn(ITERATIONS * k, BATCH, dimensions, generator=generator).double()
    centres = RING[torch.randint(8, data.shape[:2], generator=generator)]
    data += centres[..., :dimensions]
    players = [[1, 1], [1, 32, 32, 1]] if dimensions == 1 else [[2, 32, 32, 2], [2, 32, 32, 1]]
    networks = [fully_connected(widths, generator).double() for widths in players]
    return {"widths": players, "networks": networks, "data": data, "noise": noise, "k": k}


def flat(network: torch.nn.Module) -> Tensor:
    return torch.nn.utils.parameters_to_vector(network.parameters()).detach()


def in_page(tab: Any, of: dict[str, Any], loss: str, optimizer: str) -> list[Tensor]:
    """Play a game in the page: its losses, and the weights of both players at the end."""
    start = [
        [widths, flat(network).tolist()]
        for widths, network in zip(of["widths"], of["networks"], strict=True)
    ]
    asked = {
        "start": start, "data": of["data"].flatten(1).tolist(), "k": of["k"],
        "noise": of["noise"].flatten(1).tolist(), "loss": loss, "optimizer": optimizer,
        "iterations": ITERATIONS, "rates": RATES[optimizer],
    }  # fmt: skip
    return [
        torch.tensor(part, dtype=torch.float64) for part in tab.evaluate(PLAY, json.dumps(asked))
    ]


def in_python(of: dict[str, Any], loss: str, optimizer: str) -> list[Tensor]:
    """Play the same game by PyTorch."""
    steps = [
        OPTIMIZERS[optimizer](network.parameters(), rate)
        for network, rate in zip(of["networks"], RATES[optimizer], strict=True)
    ]
    data, noise = iter(of["data"]), iter(of["noise"])
    turns = game.algorithm_1(
        game.GAN(*of["networks"], *steps),
        lambda: next(data),
        lambda: next(noise),
        ITERATIONS,
        k=of["k"],
        generator_loss=LOSSES[loss],
    )
    losses = torch.stack(list(turns)).flatten()
    return [losses, *map(flat, of["networks"])]


def apart(tab: Any, case: Case, dimensions: int = 2) -> float:
    """Give the largest difference of a loss or a weight between the page and PyTorch."""
    loss, k, optimizer = case
    of = given(dimensions, k)
    pairs = zip(in_page(tab, of, loss, optimizer), in_python(of, loss, optimizer), strict=True)
    return max(float((ours - theirs).abs().max()) for ours, theirs in pairs)


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_200_iterations_go_as_in_pytorch(tab, case):
    assert apart(tab, case) <= TOLERANCE


def test_a_generator_that_shifts_and_scales_goes_as_in_pytorch(tab):
    assert apart(tab, ("nonSaturatingLoss", 1, "adam"), dimensions=1) <= TOLERANCE


PLAIN, ADAM = ("saturatingLoss", 1, "descent"), ("saturatingLoss", 1, "adam")
# A piece of the engine, what a slip makes of it, and a game that must notice.
FAULTS = {
    "a step up": ("-= this.rate * gradient[i]", "+= this.rate * gradient[i]", PLAIN),
    "a sign in D's loss": (
        "softplus(-t), slope: (t) => -sigmoid(-t)",
        "softplus(-t), slope: (t) => sigmoid(-t)",
        PLAIN,
    ),
    "the other loss": ("slopes(loss, seen.at(-1))", "slopes(minusLogD, seen.at(-1))", PLAIN),
    "a product transposed on the way back": ("transposed(w, inputs)", "w", PLAIN),
    "a gradient transposed": (
        "product(transposed(slope, b.length), transposed(x, inputs), rows)",
        "product(transposed(x, inputs), transposed(slope, b.length), rows)",
        PLAIN,
    ),
    "no slope of the tanh": ("1 - x[j] ** 2", "1", PLAIN),
    "gradients added up": ("generator.gradient.fill(0);", "", PLAIN),
    "no correction of Adam's mean": ("first[i] / correction1", "first[i]", ADAM),
    "no correction of Adam's square": ("second[i] / correction2", "second[i]", ADAM),
    "epsilon under the root": (") + eps", " + eps)", ADAM),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_the_game_is_noticed(browser, name):
    *fault, case = FAULTS[name]
    tab = engine(browser, *fault)
    assert not apart(tab, case) <= 100 * TOLERANCE
    tab.close()


# Random numbers


def test_each_seed_has_its_own_numbers_and_always_the_same(tab):
    first, again, other = (
        np.array(tab.evaluate("(seed) => [...gencomp.game.stream(seed).normals(20000)]", seed))
        for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.03
    for draws in (first, other):
        assert abs(draws.mean()) < 0.03
        assert abs(draws.std() - 1) < 0.02
        assert abs(np.mean(np.abs(draws) < 1) - (2 * norm.cdf(1) - 1)) < 0.015
        assert abs(np.corrcoef(draws[1:], draws[:-1])[0, 1]) < 0.03


def test_networks_begin_by_glorots_choice(tab):
    layers = tab.evaluate(
        """() => gencomp.game.fullyConnected([20, 100, 1], gencomp.game.stream(0)).layers
          .map(({ w, b }) => [[...w], [...b]])"""
    )
    for (weights, biases), (inputs, outputs) in zip(layers, ((20, 100), (100, 1)), strict=True):
        bound = math.sqrt(6 / (inputs + outputs))
        assert 0.9 * bound < max(map(abs, weights)) <= bound
        assert np.mean(weights) == pytest.approx(0, abs=bound / math.sqrt(len(weights)))
        assert not any(biases)


def test_data_of_the_ring_are_as_in_python(tab):
    drawn = tab.evaluate("() => [...gencomp.game.ring().draw(gencomp.game.stream(3), 4000)]")
    points = torch.tensor(drawn).reshape(1, -1, 2)
    (modes,), (good,) = modes_found(points)
    assert (modes, round(float(good), 3)) == (8, 1)
    distance, nearest = torch.cdist(points[0], RING).min(dim=1)
    assert float(distance.square().mean()) == pytest.approx(2 * 0.05**2, rel=0.06)
    assert torch.bincount(nearest, minlength=8).min() > 420


# Exact quantities on the line

JUDGE = """
([mu, sd, widths, weights]) => {
  const game = gencomp.game, random = game.stream(0);
  const generator = game.fullyConnected(widths, random);
  generator.weights.set(weights);
  const discriminator = game.fullyConnected([1, 32, 32, 1], random);
  return game.line(mu, sd).judge({ generator, discriminator }).jsd;
}
"""
BEND = [0.3, 0.0, 6.0, 1.0]  # weights of G(z) = 6 tanh(0.3 z) + 1
# Data's mean and width, then G's b and a, or more weights.
PAIRS = [
    (3, 0.5, [1.0, 0.0]),
    (3, 0.5, [0.5, 3.0]),
    (3, 0.5, [-0.5, 2.9]),
    (3, 0.5, [0.1, 3.0]),
    (0, 1, [2.0, 0.3]),
    (5, 0.5, [0.5, 0.0]),
    (5, 1, [1.0, 4.99]),
    (0, 1, [0.3, -1.0]),
    (0, 1, BEND),
    (2, 1.5, BEND),
]


def bent(x: Any) -> Any:
    """Give log p_g of the bent generator, by the change of variables; −∞ where no sample falls."""
    t = (np.asarray(x) - 1) / 6
    inside = np.abs(t) < 1
    z = np.arctanh(np.where(inside, t, 0)) / 0.3
    slope = 6 * 0.3 * (1 - np.where(inside, t, 0) ** 2)
    return np.where(inside, norm.logpdf(z) - np.log(slope), -np.inf)


def error_of(tab: Any, pair: tuple[float, float, list[float]]) -> float:
    """Give the difference of the page's JSD from the package's quadrature."""
    mu, sd, weights = pair
    if len(weights) == 2:
        b, a = abs(weights[0]), weights[1]
        log_q, widths = norm(a, b).logpdf, [1, 1]
    else:
        b, a, log_q, widths = 5 / 8, 1.0, bent, [1, 1, 1]
    low, high = min(mu - 8 * sd, a - 8 * b), max(mu + 8 * sd, a + 8 * b)
    right = divergences.js_divergence_density(norm(mu, sd).logpdf, log_q, low, high)
    return float(tab.evaluate(JUDGE, [mu, sd, widths, weights]) - right)


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_the_jsd_is_that_of_quadrature(tab, pair):
    assert abs(error_of(tab, pair)) <= 1e-4


LINE_FAULTS = {
    "noise of another width": ("exact.gaussian(z, 0, 1)", "exact.gaussian(z, 0, 1.05)"),
    "each cell carried to one place": (
        "right = Math.max(...ends, left + 1e-9)",
        "right = left + 1e-9",
    ),
    "a mass counted in each cell": ("mass * part", "mass"),
    "log 4 for log 2": ("cost / 2 + Math.LN2", "cost / 2 + Math.log(4)"),
}


@pytest.mark.parametrize("name", LINE_FAULTS)
def test_a_fault_in_the_jsd_is_noticed(browser, name):
    tab = engine(browser, *LINE_FAULTS[name])
    assert max(abs(error_of(tab, pair)) for pair in PAIRS) > 1e-4
    tab.close()


# V never exceeds C(G)

SHORTFALLS = """
([world, size]) => {
  const game = gencomp.game, random = game.stream(5), line = world === "line";
  const generator = game.fullyConnected(line ? [1, 1] : [2, 32, 32, 2], random);
  const discriminator = game.fullyConnected([line ? 1 : 2, 16, 16, 1], random);
  const judge = line ? game.line(0.5, 0.8).judge : game.ring().judge;
  return Array.from({ length: 100 }, (_, i) => {
    discriminator.weights.set(random.normals(discriminator.weights.length).map((w) => size * w));
    const { p, q, logits, value, cost, jsd, shortfall } = judge({ generator, discriminator });
    const masses = i % 10 ? {} : { p: [...p], q: [...q], logits: [...logits] };
    return { ...masses, value, cost, jsd, shortfall };
  });
}
"""


def asked(tab: Any, world: str, size: float) -> list[dict[str, Any]]:
    return json.loads(tab.evaluate(f"(of) => JSON.stringify(({SHORTFALLS})(of))", [world, size]))


@pytest.mark.parametrize("world", ["line", "ring"])
@pytest.mark.parametrize("size", [0.3, 1.0])
def test_no_discriminator_exceeds_c_of_g_and_the_package_agrees(tab, world, size):
    found = asked(tab, world, size)
    assert len(found) == 100
    assert max(one["value"] - one["cost"] for one in found) <= 0
    for one in found[::10]:
        p, q, logits = one["p"], one["q"], one["logits"]
        assert one["value"] == pytest.approx(minimax.game_value(logits, p, q), abs=1e-9)
        assert one["cost"] == pytest.approx(minimax.generator_cost(p, q), abs=1e-9)
        assert one["shortfall"] == pytest.approx(minimax.shortfall(logits, p, q), abs=1e-9)
        assert one["jsd"] == pytest.approx(divergences.js_divergence(p, q), abs=1e-9)


@pytest.mark.parametrize(
    "fault",
    [
        ("exact.cost(p, q)", "exact.cost(p, p)"),
        ("exact.valueOfLogits(p, q, logits)", "exact.valueOfLogits(p, q, logits, 0.5)"),
        ("exact.valueOfLogits(p, q, logits)", "exact.valueOfLogits(q, p, logits)"),
    ],
    ids=["C of a perfect G", "a density for a mass", "data and samples exchanged"],
)
def test_a_fault_in_v_or_c_is_noticed(browser, fault):
    tab = engine(browser, *fault)
    found = asked(tab, "line", 0.3)
    value = minimax.game_value(*(found[0][name] for name in ("logits", "p", "q")))
    above = max(one["value"] - one["cost"] for one in found) > 0
    assert above or abs(found[0]["value"] - value) > 1e-3
    tab.close()


# Exact quantities in the plane

TRAIN = """
([iterations, rate]) => {
  const game = gencomp.game, random = game.stream(4), world = game.ring();
  const [generator, discriminator] = [2, 1].map((outputs) =>
    game.fullyConnected([2, 32, 32, outputs], random));
  const gan = {
    generator, discriminator, generatorOptimizer: game.adam(generator, rate),
    discriminatorOptimizer: game.adam(discriminator, 0.003),
  };
  const turns = game.algorithm1(gan, () => world.draw(random, 64), () => random.normals(128), 1,
    game.nonSaturatingLoss);
  for (let i = 0; i < iterations; i++) turns.next();
  return [...generator.weights];
}
"""
JUDGE_RING = """
(weights) => {
  const game = gencomp.game, random = game.stream(0);
  const generator = game.fullyConnected([2, 32, 32, 2], random);
  generator.weights.set(weights);
  const discriminator = game.fullyConnected([2, 32, 32, 1], random);
  const { jsd, modes, near } = game.ring().judge({ generator, discriminator });
  return { jsd, modes, near: [...near] };
}
"""
PLAYED = [(300, 0.002), (1000, 0.003), (600, 0.01)]  # iterations, and G's rate
BLUR_TOLERANCE = 2e-3


def carried(weights: list[float]) -> tuple[float, np.ndarray]:
    """Give the blurred JSD on fine cells, and the mass near each mode, from 360,000 shares."""
    network = fully_connected([2, 32, 32, 2], torch.Generator()).double()
    torch.nn.utils.vector_to_parameters(torch.tensor(weights).double(), network.parameters())
    z = torch.linspace(-4.5, 4.5, 600).double()
    mass = torch.exp(-z.square() / 2)
    masses = torch.outer(mass, mass).flatten() / mass.sum() ** 2
    with torch.no_grad():
        at = network(torch.cartesian_prod(z, z))
    near = ((torch.cdist(at, RING.double()) < 0.25) * masses[:, None]).sum(dim=0).numpy()

    edges = np.linspace(-9, 9, 721)
    centre = (edges[1:] + edges[:-1]) / 2
    cells, _, _ = np.histogram2d(*at.numpy().T, bins=[edges, edges], weights=masses.numpy())
    blur = norm.pdf(centre[:, None], centre, np.sqrt(0.1**2 - (edges[1] - edges[0]) ** 2 / 12))
    q = blur @ cells @ blur
    sides = (
        norm.pdf(centre[:, None], RING[:, axis].numpy(), np.hypot(0.05, 0.1)) for axis in (0, 1)
    )
    p = np.einsum("im,jm->ij", *sides)
    return float(divergences.js_divergence(p.ravel() / p.sum(), q.ravel() / q.sum())), near


@pytest.fixture(scope="module")
def trained(tab: Any) -> dict[float, tuple[list[float], float, np.ndarray]]:
    """Weights of generators, by learning rate, with the blurred JSD and the mass near each mode."""
    found = {rate: tab.evaluate(TRAIN, [iterations, rate]) for iterations, rate in PLAYED}
    return {rate: (weights, *carried(weights)) for rate, weights in found.items()}


def plane_errors(
    tab: Any, weights: list[float], jsd: float, near: np.ndarray
) -> tuple[float, float]:
    """Give the errors of the page's blurred JSD, and of a mass near a mode."""
    found = tab.evaluate(JUDGE_RING, weights)
    assert found["modes"] == sum(mass >= 0.02 for mass in found["near"])
    return abs(found["jsd"] - jsd), float(np.abs(near - found["near"]).max())


@pytest.mark.parametrize("rate", [rate for _, rate in PLAYED])
def test_the_blurred_jsd_is_that_of_fine_cells(tab, trained, rate):
    error, of_near = plane_errors(tab, *trained[rate])
    assert error < BLUR_TOLERANCE
    assert of_near < 5e-3


PLANE_FAULTS = {
    "the data not blurred": ("Math.hypot(SD, BLUR)", "SD"),
    "the samples blurred twice": ("spread(at, BLUR)", "spread(at, 2 * BLUR)"),
    "one coordinate for both": ("(i % count) + axis", "(i % count)"),
    "noise of another width": ("-2 * Math.log((seed", "-4 * Math.log((seed"),
}


@pytest.mark.parametrize("name", PLANE_FAULTS)
def test_a_fault_in_the_blurred_jsd_is_noticed(browser, trained, name):
    tab = engine(browser, *PLANE_FAULTS[name])
    assert plane_errors(tab, *trained[0.003])[0] > BLUR_TOLERANCE
    tab.close()
