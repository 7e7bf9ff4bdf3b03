"""Checks of two-samples. They run in the grader's process; a submission sees inputs alone."""

import numpy as np

from gencomp_course.assignment import Assignment
from gencomp_course.judging import close, number

from . import reference

assignment = Assignment(
    slug="two-samples",
    title="Two samples of one thing",
    functions={
        "jsd_counts": "jsd_counts(a, b) -> float",
        "jsd_floor": "jsd_floor(bins, n, m) -> float",
    },
    cpu_s={"jsd_counts": 10, "jsd_floor": 40},
)


def right(results, cases):
    """Whether each is the divergence of its counts."""
    return all(
        close(number(result), reference.jsd_counts(*case), rel=1e-6, absolute=1e-7)
        for result, case in zip(results, cases, strict=True)
    )


def counts(rng, bins, total, concentration=1.0):
    """Counts of a sample of a distribution drawn at random."""
    return rng.multinomial(total, rng.dirichlet(np.full(bins, concentration)))


@assignment.check(
    "jsd_counts", 8, "samples of one size", "Shares first: what are p, q and their mean here?"
)
def one_size(rng):
    cases = [[(1 + counts(rng, k, 200)).tolist() for _ in "ab"] for k in (2, 3, 10)]
    return right((yield cases), cases)


@assignment.check(
    "jsd_counts", 8, "samples of different sizes", "Does each sample have a total of its own?"
)
def different_sizes(rng):
    cases = [
        [1 + counts(rng, k, n), 1 + counts(rng, k, m)]
        for k, n, m in ((3, 40, 900), (12, 1000, 60), (5, 7, 30_000))
    ]
    return right((yield cases), cases)


@assignment.check(
    "jsd_counts", 6, "bins empty in one sample", "What is 0 log 0, and who takes that logarithm?"
)
def empty_in_one(rng):
    cases = []
    for k in (4, 9, 30):
        a, b = 1 + counts(rng, k, 80), 1 + counts(rng, k, 50)
        a[rng.integers(k // 2)] = 0
        b[k // 2 + rng.integers(k // 2)] = 0
        cases.append([a, b.tolist()])
    return right((yield cases), cases)


@assignment.check(
    "jsd_counts", 4, "bins empty in both samples", "What does a bin contribute that nobody fell in?"
)
def empty_in_both(rng):
    cases = []
    for k in (4, 9, 30):
        a, b = 1 + counts(rng, k, 80), 1 + counts(rng, k, 50)
        empty = rng.integers(k)
        a[empty] = b[empty] = 0
        cases.append([a.tolist(), b.tolist()])
    return right((yield cases), cases)


@assignment.check(
    "jsd_counts", 3, "the same shares", "Multiply all counts of a sample by three: what changes?"
)
def same_shares(rng):
    cases = [[a := 1 + counts(rng, k, 60), int(rng.integers(2, 9)) * a] for k in (2, 7, 20)]
    return right((yield cases), cases)


@assignment.check(
    "jsd_counts", 3, "nothing in common", "Which is the largest value, and in which unit is it?"
)
def nothing_in_common(rng):
    cases = []
    for k in (2, 5):
        a, b = 1 + counts(rng, k, 60), 1 + counts(rng, k, 20)
        cases.append([[*a.tolist(), *[0] * k], [*[0] * k, *b.tolist()]])
    return right((yield cases), cases)


@assignment.check(
    "jsd_counts", 2, "large counts", "Counts of billions: does something overflow, or get lost?"
)
def large(rng):
    cases = [[rng.integers(10**9, 10**12, 6) for _ in "ab"] for _ in range(3)]
    return right((yield cases), cases)


def right_floor(results, cases):
    return all(
        close(number(result), reference.jsd_floor(*case), rel=0.06)
        for result, case in zip(results, cases, strict=True)
    )


@assignment.check(
    "jsd_floor", 10, "two samples of one size", "Simulate some pairs: what is their mean?"
)
def floor_of_one_size(rng):
    cases = []
    for k in (4, 12):
        n = int(rng.integers(25, 60)) * k
        cases.append([k, n, n])
    return right_floor((yield cases), cases)


@assignment.check(
    "jsd_floor", 10, "two samples of different sizes", "Which sample is to blame for how much?"
)
def floor_of_different_sizes(rng):
    cases = []
    for k in (6, 20):
        n = int(rng.integers(25, 40)) * k
        cases += [[k, n, int(rng.integers(4, 9)) * n]]
    cases.append([cases[0][0], cases[0][2], cases[0][1]])
    return right_floor((yield cases), cases)


@assignment.check("jsd_floor", 6, "many bins", "How does the floor grow with the number of bins?")
def floor_of_many_bins(rng):
    k = int(rng.integers(80, 120))
    cases = [[k, 30 * k, 40 * k]]
    return right_floor((yield cases), cases)
