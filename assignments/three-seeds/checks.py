"""Checks of three-seeds. They run in the grader's process; a submission sees inputs alone."""

import functools

import numpy as np

from gencomp_course.assignment import Assignment
from gencomp_course.judging import Wrong, close, number, pair

from . import reference

assignment = Assignment(
    slug="three-seeds",
    title="Three seeds and a star",
    functions={
        "interval": "interval(values, level=0.95) -> (low, high)",
        "false_claims": "false_claims(start, stop, trials, seed) -> float",
    },
    cpu_s={"interval": 10, "false_claims": 60},
)


def right(results, cases):
    for result, case in zip(results, cases, strict=True):
        both = zip(pair(result), reference.interval(*case), strict=True)
        if not all(close(value, truth, rel=1e-6, absolute=1e-9) for value, truth in both):
            return False
    return True


def runs(rng, n):
    """Values of n runs."""
    return rng.normal(rng.uniform(-3, 3), rng.uniform(0.5, 2), n)


@assignment.check(
    "interval", 8, "three values", "Which distribution has an estimated spread, and how wide is it?"
)
def three_values(rng):
    cases = [[runs(rng, 3).tolist()], [runs(rng, 3)]]
    return right((yield cases), cases)


@assignment.check(
    "interval", 8, "other numbers of values", "How many degrees of freedom do n values leave?"
)
def other_numbers(rng):
    cases = [[runs(rng, n)] for n in (2, int(rng.integers(5, 9)), int(rng.integers(20, 60)))]
    return right((yield cases), cases)


@assignment.check("interval", 8, "other levels", "Which quantile leaves a half on each side?")
def other_levels(rng):
    cases = [[runs(rng, 5).tolist(), level] for level in (0.5, 0.8, 0.99)]
    return right((yield cases), cases)


@assignment.check(
    "interval", 6, "far from zero, and without spread", "Equal values: how wide is the interval?"
)
def far_from_zero(rng):
    cases = [[rng.normal(1, 2, 6) - 500], [np.full(4, rng.normal())], [rng.normal(7e4, 1, 4)]]
    return right((yield cases), cases)


@functools.cache
def truth(start, stop):
    """Share of false claims of 60,000 trials: known to 0.002."""
    return reference.false_claims(start, stop, 60_000, 1)


def right_share(results, cases):
    return all(
        close(number(result), truth(start, stop), absolute=0.02)
        for result, (start, stop, *_) in zip(results, cases, strict=True)
    )


def trial(rng, start, stop):
    return [start, stop, 6000, int(rng.integers(10**6))]


@assignment.check(
    "false_claims", 10, "one look, and many", "When does a trial end, and what if it never claims?"
)
def one_look_and_many(rng):
    looks = int(rng.integers(3, 9))
    cases = [trial(rng, looks, looks), trial(rng, 3, 10)]
    return right_share((yield cases), cases)


@assignment.check(
    "false_claims", 10, "from three seeds on", "Is the first look at exactly three values?"
)
def from_three(rng):
    cases = [trial(rng, 3, 4), trial(rng, 3, int(rng.integers(7, 9)))]
    return right_share((yield cases), cases)


@assignment.check(
    "false_claims", 6, "from other numbers on", "Who looks for the first time later, claims less."
)
def from_others(rng):
    cases = [trial(rng, 2, 3), trial(rng, int(rng.integers(5, 7)), 12)]
    return right_share((yield cases), cases)


@assignment.check(
    "false_claims", 4, "trials and seed", "A share of the trials; the same seed, the same trials."
)
def trials_and_seed(rng):
    seeds = int(rng.integers(10**6)) + np.arange(4)
    cases = [[3, 6, 700, int(seed)] for seed in (seeds[0], *seeds)]
    shares = [number(result) for result in (yield cases)]
    if not all(close(share, truth(3, 6), absolute=0.06) for share in shares):
        return False
    if any(abs(700 * share - round(700 * share)) > 1e-6 for share in shares):
        raise Wrong("it gave back what isn't a share of the trials")
    return shares[0] == shares[1] and len(set(shares)) > 1
