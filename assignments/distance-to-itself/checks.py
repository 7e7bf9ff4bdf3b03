"""Checks of distance-to-itself. They run in the grader's process; submissions see inputs alone."""

import numpy as np

from gencomp_course.assignment import Assignment
from gencomp_course.judging import close, number

from . import reference

assignment = Assignment(
    slug="distance-to-itself",
    title="A thing's distance to itself",
    functions={
        "frechet": "frechet(m1, c1, m2, c2) -> float",
        "frechet_limit": "frechet_limit(x, y, seed) -> float",
    },
    cpu_s={"frechet": 10, "frechet_limit": 60},
)
DIMENSIONS, LARGEST, OF_MEAN = 16, 0.13, 0.055


def right(results, cases):
    return all(
        close(
            number(result),
            reference.frechet(*case),
            rel=1e-4,
            absolute=1e-5 * (np.trace(case[1]) + np.trace(case[3])),
        )
        for result, case in zip(results, cases, strict=True)
    )


def covariance(rng, d, rank=None):
    """A covariance whose eigenvalues lie about 1, or that many of them."""
    factor, _ = np.linalg.qr(rng.normal(size=(d, d)))
    values = rng.uniform(0.3, 3, d) * (np.arange(d) < (d if rank is None else rank))
    return factor * values @ factor.T


@assignment.check(
    "frechet", 10, "two Gaussians", "Two terms: of the means, and of the covariances."
)
def two_gaussians(rng):
    cases = [
        [rng.normal(size=d), covariance(rng, d), rng.normal(size=d), covariance(rng, d)]
        for d in (2, 5, 16)
    ]
    return right((yield cases), cases)


@assignment.check(
    "frechet", 5, "independent coordinates", "With diagonal covariances, do it by hand."
)
def independent(rng):
    cases = [
        [rng.normal(size=d), *(np.diag(rng.uniform(0.1, 9, d)) if i != 1 else rng.normal(size=d)
                               for i in range(3))]
        for d in (1, 4)
    ]  # fmt: skip
    return right((yield cases), cases)


@assignment.check(
    "frechet", 7, "singular covariances", "The root of a singular matrix: real, and without NaN?"
)
def singular(rng):
    cases = [
        [rng.normal(size=d), covariance(rng, d, r), rng.normal(size=d), covariance(rng, d, s)]
        for d, r, s in ((4, 2, 2), (8, 3, 8), (12, 12, 1))
    ]
    return right((yield cases), cases)


@assignment.check(
    "frechet", 4, "no spread at all", "A covariance of zeros: what is left of the distance?"
)
def no_spread(rng):
    zero, d = np.zeros((5, 5)), 5
    cases = [
        [rng.normal(size=d), zero, rng.normal(size=d), covariance(rng, d)],
        [rng.normal(size=d), covariance(rng, d), rng.normal(size=d), zero],
        [rng.normal(size=d), zero, rng.normal(size=d), zero],
    ]
    return right((yield cases), cases)


@assignment.check(
    "frechet", 4, "there and back, and to itself", "Exchange the two; then give the same twice."
)
def there_and_back(rng):
    m, n = rng.normal(size=(2, 6))
    c, e = covariance(rng, 6), covariance(rng, 6)
    cases = [[m, c, n, e], [n, e, m, c], [m, c, m, c]]
    return right((yield cases), cases)


def samples(rng, truth, scale=1.0):
    """Two samples whose distributions are at this distance, times the scale.

    Along the shift the samples' means are put where the truth has them: the luck of that one
    direction would otherwise decide.
    """
    turn, _ = np.linalg.qr(rng.normal(size=(DIMENSIONS, DIMENSIONS)))
    spectrum = rng.uniform(0.6, 1.4, DIMENSIONS)
    factor = turn * np.sqrt(spectrum / spectrum.mean())
    x, y = (rng.normal(size=(n, DIMENSIONS)) @ factor.T for n in rng.integers(700, 1001, 2))
    shift = rng.normal(size=DIMENSIONS)
    shift /= np.linalg.norm(shift)
    if truth:
        y += shift * (np.sqrt(truth) - (y.mean(0) - x.mean(0)) @ shift)
    return [np.sqrt(scale) * x, np.sqrt(scale) * y, int(rng.integers(10**6))]


def errors(results, truths):
    return np.array([number(r) - truth for r, truth in zip(results, truths, strict=True)])


@assignment.check(
    "frechet_limit",
    12,
    "each data set",
    "How does the distance depend on the number of samples? Can a subsample hold a point twice?",
)
def each_data_set(rng):
    truths = [0.0, 0.5, 0.0, 0.5]
    results = yield [samples(rng, truth) for truth in truths]
    return np.abs(errors(results, truths)).max() < LARGEST


@assignment.check(
    "frechet_limit", 10, "on the average", "Is something left that is of one sign each time?"
)
def on_the_average(rng):
    truths = [0.0] * 4 + [0.5] * 4
    results = yield [samples(rng, truth) for truth in truths]
    error = errors(results, truths)
    means = np.abs([error[:4].mean(), error[4:].mean()])
    return np.abs(error).max() < LARGEST and means.max() < OF_MEAN


@assignment.check("frechet_limit", 8, "another scale", "Everything three times as large: and now?")
def another_scale(rng):
    truths = [0.0] * 4 + [0.5]
    results = yield [samples(rng, truth, 9.0) for truth in truths]
    error = errors(results, 9 * np.array(truths)) / 9
    return np.abs(error).max() < LARGEST and abs(error[:4].mean()) < OF_MEAN
