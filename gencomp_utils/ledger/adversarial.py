"""The adversarial game: the equations (3) to (6), and Algorithm 1."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import pairwise, zip_longest
from typing import Any

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import norm, uniform
from torch import Tensor, nn
from torch.distributions import Bernoulli
from torch.optim import SGD, Optimizer

from gencomp_utils import divergences, minimax
from gencomp_utils.distributions import FloatArray, LogDensity, mean_of
from gencomp_utils.ledger.core import Case, Form, at_most, distributions, exact, row, sampled
from gencomp_utils.minimax import game_value, optimal_discriminator
from gencomp_utils.models import game
from gencomp_utils.models.base import descend
from gencomp_utils.models.toys import fully_connected

_LOG_4 = np.log(4.0)


def _value_without_logarithm(logits: FloatArray, p_data: FloatArray, p_g: FloatArray) -> Any:
    return (p_data * expit(logits) + p_g * expit(-logits)).sum(axis=-1)


@row(
    "(3) Value of the game",
    r"V(D, G) = \mathbb E_{x \sim p_{data}}[\log D(x)]"
    r" + \mathbb E_{z \sim p_z}[\log(1 - D(G(z)))]",
    page="adversarial/minimax-game.ipynb#the-value-of-the-game",
    right=game_value,
    wrong={
        "no logarithm": _value_without_logarithm,
        "−1 times it": lambda *all_three: -game_value(*all_three),
    },
)
def _value(form: Form) -> Iterator[Case]:
    rng = np.random.default_rng(3)
    p_data, p_g = distributions(rng, 2, 1000, 5)
    logits = 3.0 * rng.normal(size=p_data.shape)
    answers = Bernoulli(logits=torch.tensor(logits))
    likelihood = p_data * answers.log_prob(torch.ones(5).double()).numpy() / 2.0
    likelihood += p_g * answers.log_prob(torch.zeros(5).double()).numpy() / 2.0
    whole = form(logits, p_data, p_g)
    shares = np.array([0.01, 0.3, 0.5, 0.9])
    constant = form(np.broadcast_to(logit(shares)[:, None], (4, 5)), p_data[:4], p_g[:4])
    by_share = np.log(shares) + np.log1p(-shares)
    x = np.linspace(-9.0, 10.0, 2001)
    data, g = norm(0.0, 1.0), norm(1.0, 1.0)
    wavy = form(np.sin(x), *(density.pdf(x) / density.pdf(x).sum() for density in (data, g)))
    integral = minimax.game_value_density(np.sin, data.logpdf, g.logpdf, x[0], x[-1])
    real, fake = (lambda rng, count, p=p[0]: rng.choice(5, count, p=p) for p in (p_data, p_g))
    estimate = minimax.game_value_monte_carlo(lambda x: logits[0][x], real, fake, 100_000, rng)
    yield exact("−2 cross-entropies, half real and half fake", whole, 2.0 * likelihood.sum(axis=-1))
    yield exact("log c + log(1 − c) for constant D = c", constant, by_share)
    yield exact("two Gaussians and D = sigmoid(sin x), by quadrature", wavy, integral, 1e-9)
    yield sampled("two distributions on five outcomes", whole[0], estimate)


def _faulty_algorithm(
    gan: game.GAN,
    sample_data: Callable[[], Tensor],
    sample_noise: Callable[[], Tensor],
    iterations: int,
    k: int,
    generator_loss: Callable[[Tensor], Tensor],
    resets: bool = True,
    rest: Callable[[nn.Module], AbstractContextManager[Any]] = game.at_rest,
    step: Callable[..., object] = game.discriminator_step,
) -> Iterator[None]:
    for iteration in range(iterations):
        for _ in range(k if resets or iteration == 0 else 0):
            x = sample_data()
            with rest(gan.generator):
                fake = gan.generator(sample_noise())
            step(gan.discriminator, gan.discriminator_optimizer, x, fake)
        with rest(gan.discriminator):
            loss = generator_loss(gan.discriminator(gan.generator(sample_noise())))
        descend(gan.generator_optimizer, loss)
        yield


def _keep_gradients(discriminator: nn.Module, by: Optimizer, real: Tensor, fake: Tensor) -> None:
    game.discriminator_loss(discriminator(real), discriminator(fake)).backward()
    by.step()


_ITERATIONS = 3
_RATE = 0.3


@row(
    "(alg. 1) Training of a GAN",
    r"\text{in each iteration: } k \times \left( \theta_d \leftarrow \theta_d"
    r" + \eta \nabla_{\theta_d} V \right),"
    r"\; \text{then}\; \theta_g \leftarrow \theta_g - \eta \nabla_{\theta_g} V",
    page="adversarial/minimax-game.ipynb#algorithm-1-who-moves-when",
    unit="",
    right=game.algorithm_1,
    wrong={
        "k counted down and never set again, as the report prints": partial(
            _faulty_algorithm, resets=False
        ),
        "G not detached in D's steps, nor D at rest in G's": partial(
            _faulty_algorithm, rest=nullcontext
        ),
        "D's gradients not cleared": partial(_faulty_algorithm, step=_keep_gradients),
    },
)
def _algorithm_1(form: Form) -> Iterator[Case]:
    for k in (1, 2, 5):
        played = zip_longest(_who_moves(form, k), [*["D"] * k, "G"] * _ITERATIONS)
        others = sum(found != expected for found, expected in played)
        yield exact(f"k = {k}: who moves, step by step", others, 0.0)
        yield exact(f"k = {k}: weights against steps by hand", *_play_affine(form, k), 1e-10)


def _gan(g: nn.Module, d: nn.Module) -> game.GAN:
    return game.GAN(g, d, *(SGD(player.parameters(), lr=_RATE) for player in (g, d)))


def _who_moves(form: Form, k: int) -> list[str]:
    """Give the player whose weights or batch statistics each step changes, or both.

    The players are probed whenever a minibatch is asked for, and after each iteration.
    """
    players = {"D": _player(seed=1), "G": _player(seed=0)}
    noise = torch.Generator().manual_seed(2)
    states = []

    def probe() -> Tensor:
        tensors = {name: player.state_dict().values() for name, player in players.items()}
        states.append({name: [t.tolist() for t in held] for name, held in tensors.items()})
        return torch.randn(8, 2, generator=noise)

    for _ in form(
        _gan(players["G"], players["D"]), probe, probe, _ITERATIONS, k, game.non_saturating_loss
    ):
        probe()
    steps = pairwise(states)
    moved = ("".join(name for name in "DG" if was[name] != now[name]) for was, now in steps)
    return [names for names in moved if names]


def _player(seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    first, last = (fully_connected([2, 2], generator) for _ in range(2))
    return nn.Sequential(first, nn.BatchNorm1d(2), last)


def _play_affine(form: Form, k: int) -> tuple[FloatArray, FloatArray]:
    """Play with G(z) = a z + b and the logit u x + v, by the form and by hand."""
    (a, b), (u, v) = (0.5, 0.2), (-0.3, 0.1)
    players = [nn.Linear(1, 1).double() for _ in range(2)]
    for player, (slope, offset) in zip(players, ((a, b), (u, v)), strict=True):
        nn.init.constant_(player.weight, slope)
        nn.init.constant_(player.bias, offset)
    rng = np.random.default_rng(k)
    shapes = (_ITERATIONS * k, 8), (_ITERATIONS * (k + 1), 8)
    minibatches = rng.normal(1.0, 0.5, size=shapes[0]), rng.normal(size=shapes[1])
    columns = (iter(torch.tensor(batches)[:, :, None]).__next__ for batches in minibatches)
    for _ in form(_gan(*players), *columns, _ITERATIONS, k, game.saturating_loss):
        pass
    weights = [float(t.detach()) for player in players for t in player.parameters()]

    x, z = map(iter, minibatches)
    for _ in range(_ITERATIONS):
        for _ in range(k):
            real, fake = next(x), a * next(z) + b
            missed, fooled = expit(-(u * real + v)), expit(u * fake + v)
            u += _RATE * np.mean(missed * real - fooled * fake)
            v += _RATE * np.mean(missed - fooled)
        noise = next(z)
        fooled = expit(u * (a * noise + b) + v)
        a += _RATE * np.mean(fooled * u * noise)
        b += _RATE * np.mean(fooled * u)
    return np.array(weights), np.array([a, b, u, v])


@row(
    "(4) Optimal discriminator",
    r"D^*(x) = \frac{p_{data}(x)}{p_{data}(x) + p_g(x)}",
    page="adversarial/optimal-discriminator.ipynb#the-best-answer-at-one-point",
    unit="",
    right=optimal_discriminator,
    wrong={"$p_g$ over the sum": lambda data, g, *share: optimal_discriminator(g, data, *share)},
)
def _best_answer(form: Form) -> Iterator[Case]:
    rng = np.random.default_rng(4)
    p_data, p_g = rng.exponential(size=(2, 200))
    best = form(p_data, p_g)
    ends = 1e-9, 1.0 - 1e-9
    roots = [
        brentq(lambda y, a=a, b=b: a / y - b / (1.0 - y), *ends, xtol=1e-15, rtol=1e-14)
        for a, b in zip(p_data, p_g, strict=True)
    ]
    answers = best, rng.uniform(size=(1000, 1))
    gain, other_gains = (p_data * np.log(y) + p_g * np.log1p(-y) for y in answers)
    bend = -p_data / best**2 - p_g / (1.0 - best) ** 2
    shift = logit(form(p_data, p_g, 0.1)) - logit(best)
    few, many = np.array([0.5, 0.4, 0.1]), np.array([0.1, 0.3, 0.6])
    outcomes = np.concatenate([rng.choice(3, 100_000, p=p) for p in (few, many)])
    is_real = np.arange(200_000) < 100_000
    estimate = mean_of(is_real[outcomes == 0])
    yield exact("root of the derivative", best, roots)
    yield at_most("second derivative below 0", bend, 0.0)
    yield at_most("no other of 1,000 answers gains more", other_gains, gain)
    yield exact(r"logit is $\log p_{data} - \log p_g$", logit(best), np.log(p_data) - np.log(p_g))
    yield exact("one real among ten shifts the logit by log(1/9)", shift, -np.log(9.0))
    yield sampled("share of the data in draws of one outcome", form(few, many)[0], estimate)


@row(
    "(5) Least cost of a generator",
    r"C(G) = V(D^*, G) \ge -\log 4,\; \text{equal only for}\; p_g = p_{data}",
    page="adversarial/global-optimum.ipynb#why-log-4-is-the-least",
    right=minimax.generator_cost,
    wrong={
        "−log 4 for every G, as (5) reads without its condition": lambda p_data, p_g: np.full(
            np.shape(p_data)[:-1], -_LOG_4
        )
    },
)
def _least_cost(form: Form) -> Iterator[Case]:
    p_data, p_g = distributions(np.random.default_rng(5), 2, 10_000, 4)
    found = form(p_data, p_g)
    total_variation = np.abs(p_data - p_g).sum(axis=-1) / 2.0
    yield exact("−1.3862943611 for $p_g = p_{data}$", form(p_data, p_data), -1.3862943611198906)
    yield at_most("never below −log 4 + TV²", total_variation**2 - _LOG_4, found)
    yield at_most("never above 0", found, 0.0)
    yield exact("0 for disjoint supports", form(*np.eye(2)), 0.0)


def _either(of_outcomes: Form, of_densities: Form) -> Form:
    """Join what takes two distributions over outcomes and what takes two densities and limits."""
    return lambda p, q, *limits: (of_densities if limits else of_outcomes)(p, q, *limits)


_js = _either(divergences.js_divergence, divergences.js_divergence_density)
_kl = _either(divergences.kl_divergence, divergences.kl_divergence_density)


def _mixture(weight: float) -> LogDensity:
    parts = norm(-1.5, 1.0), norm(1.5, 1.0)
    return lambda x: np.logaddexp(
        np.log(weight) + parts[0].logpdf(x), np.log1p(-weight) + parts[1].logpdf(x)
    )


@row(
    "(6) Cost of a generator",
    r"C(G) = 2 D_{JS}(p_{data} \Vert p_g) - \log 4",
    page="adversarial/global-optimum.ipynb#from-the-cost-to-the-jensenshannon-divergence",
    right=_either(minimax.generator_cost, minimax.generator_cost_density),
    wrong={
        "JSD without the 2": lambda *pair: _js(*pair) - _LOG_4,
        "KL in place of JSD": lambda *pair: 2.0 * _kl(*pair) - _LOG_4,
    },
)
def _cost(form: Form) -> Iterator[Case]:
    rng = np.random.default_rng(6)
    pairs = distributions(rng, 2, 10_000, 4)
    found = form(*pairs)
    logits = 3.0 * rng.normal(size=pairs[0].shape)
    by_any = game_value(logits, *pairs) + minimax.shortfall(logits, *pairs)
    apart = np.eye(2)
    yield exact("sums, 10,000 pairs", found, 2.0 * _js(*pairs) - _LOG_4)
    yield exact("sums, disjoint", form(*apart), 2.0 * _js(*apart) - _LOG_4)
    yield exact("V(D) and 2 E_m KL(Bern D* from Bern D), any D", found, by_any)
    standard, shifted, unit = norm(0.0, 1.0).logpdf, norm(1.0, 1.0).logpdf, uniform(0.0, 1.0).logpdf
    families = {
        "shift": [(standard, norm(t, 1.0).logpdf) for t in (0.0, 0.5, 2.0, 6.0)],
        "scale": [(standard, norm(0.0, s).logpdf) for s in (0.3, 1.5, 3.0)],
        "mixture weight": [(_mixture(0.5), _mixture(w)) for w in (0.1, 0.5, 0.9)],
        "disjoint": [(unit, uniform(s, 1.0).logpdf) for s in (1.0, 5.0)],
    }
    for name, family in families.items():
        sides = [[by(*pair, -30.0, 30.0) for pair in family] for by in (form, _js)]
        yield exact(f"{name}, by quadrature", sides[0], 2.0 * np.array(sides[1]) - _LOG_4, 1e-9)
    real, fake = (lambda rng, count, at=at: rng.normal(at, 1.0, count) for at in (0.0, 1.0))
    estimate = minimax.game_value_monte_carlo(
        lambda x: standard(x) - shifted(x), real, fake, 100_000, rng
    )
    yield sampled("N(0, 1) and N(1, 1)", form(standard, shifted, -9.0, 10.0), estimate)
