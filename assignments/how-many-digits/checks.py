"""Checks of how-many-digits. They run in the grader's process; a submission sees inputs alone."""

import math

import numpy as np

from gencomp_course.assignment import Assignment
from gencomp_course.judging import close, number

from . import reference

assignment = Assignment(
    slug="how-many-digits",
    title="How many digits can it draw?",
    functions={"effective_support": "effective_support(ids) -> float"},
    cpu_s={"effective_support": 20},
)


def right(results, cases):
    for result, (ids,) in zip(results, cases, strict=True):
        value, expected = number(result), reference.effective_support(ids)
        if math.isinf(expected):
            if value != math.inf:
                return False
        elif not close(value, expected, rel=1e-9):
            return False
    return True


def some(rng, kinds, n):
    """Ids of n samples, of which two at least are the same."""
    ids = rng.integers(kinds, size=n)
    ids[rng.integers(1, n)] = ids[0]
    return ids


@assignment.check(
    "effective_support", 14, "few samples", "How many pairs are there, and how many are alike?"
)
def few(rng):
    cases = [[some(rng, k, n).tolist()] for k, n in ((3, 8), (6, 10), (40, 12), (2, 3))]
    return right((yield cases), cases)


@assignment.check(
    "effective_support", 10, "ids of any kind", "Ids are names: they needn't be small or positive."
)
def any_kind(rng):
    names = np.array([f"digit {i}" for i in rng.integers(10**6, size=9)])
    cases = [
        [some(rng, 9, 30) * 2**40 - 2**43],  # all alike in 32 bits
        [names[some(rng, 9, 25)].tolist()],
        [(-some(rng, 5, 12)).tolist()],
    ]
    return right((yield cases), cases)


@assignment.check(
    "effective_support", 10, "no two alike", "What do samples tell of which no two are alike?"
)
def no_two(rng):
    alike = some(rng, 30, 20)
    cases = [[rng.permutation(1000)[:50]], [alike.tolist()], [rng.permutation(9)[:2].tolist()]]
    return right((yield cases), cases)


@assignment.check("effective_support", 6, "all alike", "A generator that draws one thing only.")
def all_alike(rng):
    cases = [[[int(rng.integers(99))] * int(n)] for n in rng.integers(2, 40, 2)]
    cases.append([some(rng, 4, 9).tolist()])
    return right((yield cases), cases)


@assignment.check("effective_support", 10, "equally frequent", "Is 1 over it right on the average?")
def equal(rng):
    cases = [[some(rng, 100, 25)] for _ in range(60)]
    results = yield cases
    if not right(results, cases):
        return False
    inverse = [1 / number(result) for result in results]
    return 0 < np.mean(inverse) < 0.1


@assignment.check(
    "effective_support", 10, "frequent and rare, many samples", "A thing drawn often counts more."
)
def frequent_and_rare(rng):
    cases = [[rng.geometric(p, int(n))] for p, n in ((0.3, 500), (0.02, 4000), (0.1, 60_000))]
    return right((yield cases), cases)
