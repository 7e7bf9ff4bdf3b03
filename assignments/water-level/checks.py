"""Checks of water-level. They run in the grader's process; a submission sees inputs alone."""

import math

import numpy as np

from gencomp_course.assignment import Assignment
from gencomp_course.judging import Wrong, all_close, close, number, numbers

from . import reference

assignment = Assignment(
    slug="water-level",
    title="The water level",
    functions={
        "loss": "loss(w, u, log_var, lam, beta, s2) -> float",
        "rates": "rates(lam, beta, s2) -> array",
        "beta_for": "beta_for(lam, active, s2) -> float",
    },
    cpu_s={"loss": 10, "rates": 30, "beta_for": 10},
)


def setting(rng, **fixed):
    """Arguments of `loss`, of which none is 0, 1 or like another."""
    drawn = {
        "w": rng.choice([-1, 1]) * rng.uniform(0.3, 1.8),
        "u": rng.choice([-1, 1]) * rng.uniform(0.3, 1.8),
        "log_var": rng.uniform(-2, -0.5),
        "lam": rng.uniform(1.5, 6),
        "beta": rng.uniform(1.5, 5),
        "s2": rng.uniform(0.2, 0.8),
    }
    return [float(value) for value in (drawn | fixed).values()]


def right_loss(results, cases):
    return all(
        close(number(result), reference.loss(*case), rel=1e-5, absolute=1e-9)
        for result, case in zip(results, cases, strict=True)
    )


@assignment.check(
    "loss", 5, "all terms", "Write down both terms for w = u = 1. Which factor belongs to which?"
)
def all_terms(rng):
    cases = [setting(rng) for _ in range(5)]
    return right_loss((yield cases), cases)


@assignment.check(
    "loss", 3, "a coordinate that is left alone", "What is left of each term at w = u = 0?"
)
def left_alone(rng):
    cases = [
        setting(rng, w=0.0, u=0.0, log_var=0.0),
        setting(rng, w=0.0, u=0.0),
        setting(rng, w=0.0),
        setting(rng, u=0.0),
    ]
    return right_loss((yield cases), cases)


@assignment.check(
    "loss", 3, "narrow and wide codes", "Log-variances from -30 to 6: is the logarithm still there?"
)
def narrow_and_wide(rng):
    cases = [setting(rng, log_var=float(v)) for v in (-30, -12.5, 2.5, 6)]
    return right_loss((yield cases), cases)


@assignment.check(
    "loss", 3, "light and heavy KL, small and large noise", "Which of the terms has beta, which s2?"
)
def light_and_heavy(rng):
    cases = [
        setting(rng, beta=float(10 ** rng.uniform(-4, -2))),
        setting(rng, beta=float(10 ** rng.uniform(2, 4))),
        setting(rng, s2=float(10 ** rng.uniform(-4, -2))),
        setting(rng, s2=float(10 ** rng.uniform(2, 4))),
    ]
    return right_loss((yield cases), cases)


@assignment.check("loss", 2, "a coordinate without variance", "What do the data say if lam is 0?")
def no_variance(rng):
    cases = [setting(rng, lam=0.0) for _ in range(2)]
    return right_loss((yield cases), cases)


def variances(rng, level, alive, dead):
    """Variances above and below a level, in any order, none of them within 15 % of it."""
    lam = [level * math.exp(rng.uniform(0.15, 3)) for _ in range(alive)]
    lam += [level * math.exp(-rng.uniform(0.15, 3)) for _ in range(dead)]
    return rng.permutation(lam)


def right_rates(results, cases):
    for result, (lam, beta, s2) in zip(results, cases, strict=True):
        expected = reference.rates(lam, beta, s2)
        if not all_close(numbers(result, len(lam)), expected, rel=2e-3, absolute=2e-3):
            return False
    return True


@assignment.check(
    "rates", 8, "all alive", "Minimise your loss for one coordinate: what is its KL there?"
)
def all_alive(rng):
    cases = []
    for count in (1, 4):
        beta, s2 = rng.uniform(1.3, 3), rng.uniform(0.2, 0.7)
        cases.append([variances(rng, beta * s2, count, 0), float(beta), float(s2)])
    return right_rates((yield cases), cases)


@assignment.check("rates", 8, "some dead", "Can the KL of a Gaussian from the prior be below zero?")
def some_dead(rng):
    cases = []
    for alive, dead in ((2, 3), (4, 2)):
        beta, s2 = rng.uniform(0.2, 0.8), rng.uniform(1.3, 3)
        cases.append([variances(rng, beta * s2, alive, dead), float(beta), float(s2)])
    return right_rates((yield cases), cases)


@assignment.check(
    "rates", 4, "all dead, and a list", "What if no variance stands out? Are lists allowed?"
)
def all_dead(rng):
    beta, s2 = rng.uniform(1.5, 4), rng.uniform(1.5, 3)
    other = rng.uniform(0.3, 0.7)
    cases = [
        [variances(rng, beta * s2, 0, 4).tolist(), float(beta), float(s2)],
        [variances(rng, other * s2, 2, 1).tolist(), float(other), float(s2)],
    ]
    return right_rates((yield cases), cases)


@assignment.check(
    "rates", 4, "close to the level", "What becomes of a coordinate that only just stands out?"
)
def close_to_the_level(rng):
    beta, s2 = rng.uniform(0.3, 2), rng.uniform(0.3, 2)
    factors = np.array([1.06, 0.94, 1.25, 0.8, 3.0]) * rng.uniform(0.98, 1.02, 5)
    cases = [[rng.permutation(beta * s2 * factors), float(beta), float(s2)]]
    return right_rates((yield cases), cases)


def leaves(results, cases):
    """Whether each beta leaves as many coordinates alive as are asked for.

    A coordinate whose variance is the level itself carries nothing, and so is dead; where only
    rounding tells which of the two it is, both are right.
    """
    for result, (lam, active, s2) in zip(results, cases, strict=True):
        beta = number(result)
        if not (math.isfinite(beta) and beta > 0):
            raise Wrong("a weight beta must be finite and above zero")
        levels = beta * s2, beta * s2 * (1 + 1e-9)
        if active not in [int((np.asarray(lam) > level).sum()) for level in levels]:
            return False
    return True


def spread(rng, count):
    """Variances of which each is at least a tenth above the next, in any order."""
    logs = np.cumsum(rng.uniform(0.1, 0.6, count))
    return rng.permutation(np.exp(logs - logs.mean() + rng.uniform(-1, 1)))


def noise(rng):
    """A noise variance that is far from 1."""
    return float(math.exp(rng.choice([-1, 1]) * rng.uniform(0.8, 2)))


@assignment.check("beta_for", 8, "some of them", "Between which two variances must the level lie?")
def some_of_them(rng):
    cases = [[spread(rng, 7), int(active), noise(rng)] for active in (1, 3, 6)]
    cases.append([spread(rng, 30).tolist(), int(rng.integers(5, 25)), noise(rng)])
    return leaves((yield cases), cases)


@assignment.check("beta_for", 4, "none, and all", "Where is the level if nothing stands out of it?")
def none_and_all(rng):
    cases = []
    for count in (1, 5):
        cases += [[spread(rng, count), 0, noise(rng)], [spread(rng, count), count, noise(rng)]]
    return leaves((yield cases), cases)


@assignment.check(
    "beta_for", 4, "crowded, and equal ones", "Do two equal variances live and die together?"
)
def crowded(rng):
    near = rng.permutation(float(math.exp(rng.uniform(-2, 2))) * 1.02 ** np.arange(12.0))
    low, high = sorted(math.exp(x) for x in rng.uniform(-1, 1, 2) + np.array([0, 2]))
    cases = [
        [near, int(rng.integers(3, 9)), noise(rng)],
        [rng.permutation([high] * 3 + [low] * 2), 3, noise(rng)],
        [rng.permutation([high] * 3 + [low] * 2), 0, noise(rng)],
    ]
    return leaves((yield cases), cases)


@assignment.check("beta_for", 4, "large and small units", "Pixels from 0 to 255, or in millionths?")
def units(rng):
    cases = [
        [spread(rng, 5) * scale, int(rng.integers(1, 5)), noise(rng)] for scale in (65_025, 1e-6)
    ]
    return leaves((yield cases), cases)
