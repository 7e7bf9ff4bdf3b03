"""Checks of d-says-half. They run in the grader's process; a submission sees inputs alone."""

import numpy as np
from scipy import special, stats

from gencomp_course.assignment import Assignment
from gencomp_course.judging import Wrong, close, numbers, pair

from . import reference

assignment = Assignment(
    slug="d-says-half",
    title="D says one half",
    functions={
        "jsd_bound": "jsd_bound(real_logits, fake_logits) -> (bound, standard_error)",
        "verdict": "verdict(real_logits, fake_logits) -> str",
        "counterexample": "counterexample(n, seed) -> n numbers",
    },
    cpu_s={"jsd_bound": 10, "verdict": 10, "counterexample": 20},
)
BLIND, FAR = 0.01, 0.5


def right(results, cases, rel=1e-5):
    for result, case in zip(results, cases, strict=True):
        expected = reference.jsd_bound(*case)
        both = zip(pair(result), expected, strict=True)
        if not all(close(value, truth, rel=rel, absolute=1e-6) for value, truth in both):
            return False
    return True


def logits(rng, n, m, gap=2.0):
    """Logits of a discriminator that is right more often than not."""
    return [rng.normal(gap / 2, 1.5, n), rng.normal(-gap / 2, 1.2, m)]


@assignment.check(
    "jsd_bound",
    8,
    "samples of one size",
    "Which logarithm is taken of real samples, which of fake?",
)
def one_size(rng):
    cases = [logits(rng, n, n, rng.uniform(1, 3)) for n in (20, 500)]
    return right((yield cases), cases)


@assignment.check(
    "jsd_bound", 6, "samples of different sizes", "Each mean has an error of its own."
)
def different_sizes(rng):
    cases = [logits(rng, n, m) for n, m in ((15, 400), (900, 12))]
    return right((yield cases), cases)


@assignment.check(
    "jsd_bound", 6, "certain, and wrong", "Logits of hundreds: what becomes of log(1 - D)?"
)
def certain_and_wrong(rng):
    cases = []
    for size in (60, 900):
        real, fake = logits(rng, 30, 30)
        real[:3], fake[:3] = -rng.uniform(0.8, 1, 3) * size, rng.uniform(0.8, 1, 3) * size
        cases.append([real, fake])
    return right((yield cases), cases)


@assignment.check("jsd_bound", 4, "single precision", "Networks give float32.")
def single_precision(rng):
    cases = [[part.astype(np.float32) for part in logits(rng, n, n, 4)] for n in (50, 3000)]
    return right((yield cases), cases, rel=1e-4)


@assignment.check(
    "jsd_bound", 3, "always one half", "What does a discriminator find that never decides?"
)
def always_half(rng):
    n, m = rng.integers(5, 50, 2)
    cases = [[np.zeros(n), np.zeros(m)], [np.full(n, 1.5), np.full(m, 1.5)]]
    return right((yield cases), cases)


@assignment.check(
    "jsd_bound", 3, "worse than one half", "Not every discriminator has a bound above zero."
)
def worse_than_half(rng):
    cases = [logits(rng, 40, 60, -rng.uniform(1, 3)) for _ in range(2)]
    return right((yield cases), cases)


def said(results, cases):
    for result in results:
        if type(result) is not str:
            raise Wrong("it didn't give back a text")
    return results == [reference.verdict(*case) for case in cases]


def near(rng, errors, n):
    """Logits whose bound is so many of its standard errors."""
    real, fake = rng.normal(0, 1, n), rng.normal(0, 1, n)
    low, high = -5.0, 5.0
    for _ in range(60):
        gap = (low + high) / 2
        bound, error = reference.jsd_bound(real + gap, fake - gap)
        low, high = (gap, high) if bound < errors * error and gap < 1 else (low, gap)
    return [real + gap, fake - gap]


@assignment.check(
    "verdict", 5, "clear cases", "A bound far above its error; a discriminator that finds nothing."
)
def clear_cases(rng):
    cases = [logits(rng, 200, 200, 4), [rng.normal(0, 1, 300), rng.normal(0, 1, 300)]]
    cases = [cases[i] for i in rng.permutation(2)]
    return said((yield cases), cases)


@assignment.check(
    "verdict", 5, "about three standard errors", "How many standard errors are asked for?"
)
def three_errors(rng):
    cases = [near(rng, errors, 400) for errors in (2.7, 3.3, 2.2, 4.0, 1.0)]
    cases = [cases[i] for i in rng.permutation(5)]
    return said((yield cases), cases)


@assignment.check(
    "verdict", 5, "worse than one half, and no spread", "What does a bound below zero tell you?"
)
def no_spread(rng):
    size = rng.uniform(1, 3)
    cases = [
        [np.full(20, size), np.full(30, -size)],
        [np.full(20, -size), np.full(30, size)],
        [np.full(20, size), np.full(30, size)],
        logits(rng, 300, 300, -3),
    ]
    return said((yield cases), cases)


def blind_value(real, fake):
    """V of the best discriminator with logit w x + c, by Newton's method."""
    scale = np.abs(np.concatenate([real, fake])).max()
    x = np.concatenate([real, fake]) / scale
    x = np.stack([x / (x.std() or 1), np.ones_like(x)], axis=1)
    sign = np.concatenate([np.ones(len(real)), -np.ones(len(fake))])
    weight = np.where(sign > 0, 1 / len(real), 1 / len(fake))

    def value(theta):
        return -(weight * np.logaddexp(0, -sign * (x @ theta))).sum()

    theta = np.zeros(2)
    for _ in range(100):
        share = special.expit(-sign * (x @ theta))
        slope = x.T @ (weight * sign * share)
        curvature = (x.T * (weight * share * (1 - share))) @ x + 1e-12 * np.eye(2)
        step = np.linalg.solve(curvature, slope)
        size = 1.0
        while value(theta + size * step) < value(theta) and size > 1e-9:
            size /= 2
        theta = theta + size * step
        if np.abs(size * step).max() < 1e-9:
            break
    return value(theta)


def distance(real, fake):
    """JSD in 40 bins of equal mass of the data, the floor taken off."""
    edges = stats.norm.ppf(np.arange(1, 40) / 40)
    p, q = (np.bincount(np.searchsorted(edges, x), minlength=40) / len(x) for x in (real, fake))
    m = (p + q) / 2
    jsd = (special.rel_entr(p, m) + special.rel_entr(q, m)).sum() / 2
    return jsd - 39 / 8 * (1 / len(real) + 1 / len(fake))


def fools(rng, result, n):
    fake, real = numbers(result, n), rng.standard_normal(20_000)
    return blind_value(real, fake) < -np.log(4) + BLIND and distance(real, fake) >= FAR


@assignment.check(
    "counterexample", 10, "blind, and far away", "What can a logit that is linear in x not see?"
)
def blind_and_far(rng):
    results = yield [[20_000, int(rng.integers(10**6))]]
    return fools(rng, results[0], 20_000)


@assignment.check(
    "counterexample", 5, "again with other seeds", "The same seed, the same numbers; else others."
)
def again(rng):
    seed, n = int(rng.integers(10**6)), int(rng.integers(6000, 9000))
    first, again, other = yield [[n, seed], [n, seed], [n, seed + 1]]
    if not all(fools(rng, result, n) for result in (first, other)):
        return False
    first, again, other = (numbers(result, n) for result in (first, again, other))
    return bool((first == again).all() and (first != other).any())
