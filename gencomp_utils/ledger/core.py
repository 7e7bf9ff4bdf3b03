"""What the ledger is made of: cases, rows, and what the check of a row finds."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, SupportsFloat

import numpy as np
from numpy.typing import ArrayLike

from gencomp_utils.distributions import Estimate, FloatArray

# A form is rejected when it misses by more than this many tolerances: 8 standard errors where the
# case is Monte Carlo, whose tolerance is 4 of them.
REJECTION = 2.0


@dataclass(frozen=True)
class Case:
    """One comparison of two sides of an equation.

    Attributes
    ----------
    name, residual, tolerance
        What is compared, in words; how far the two sides lie apart, 0 or more; how far they may.
    sampled
        Whether one side is a Monte Carlo estimate, and the tolerance 4 of its standard errors.
    off
        How far they lie apart in the unit of the quantity, where the residual is relative to it.

    Examples
    --------
    >>> Case("one half", residual=1e-13, tolerance=1e-12).ratio
    0.1
    """

    name: str
    residual: float
    tolerance: float
    sampled: bool = False
    off: float = math.nan

    @property
    def ratio(self) -> float:
        """Residual over tolerance, where 1 or less passes; infinite where the residual is NaN."""
        return math.inf if math.isnan(self.residual) else self.residual / self.tolerance


Form = Callable[..., Any]
Check = Callable[[Form], Iterator[Case]]


@dataclass(frozen=True, eq=False)
class Row:
    """An equation of the report, its right form, wrong forms of it, and the check that parts them.

    Attributes
    ----------
    title, statement
        The report's number and a name, and what holds, in LaTeX without dollars.
    page
        Path of the chapter that derives it, from the folder ``book``, and the section.
    right, wrong
        What the package computes, and wrong forms of it by name, called like `right`.
    check
        Gives the cases of a form. Seeds and tolerances are fixed inside, so that every form meets
        the same ones.
    unit
        What the quantity is measured in, if in anything.
    """

    title: str
    statement: str
    page: str
    right: Form
    wrong: Mapping[str, Form]
    check: Check
    unit: str = "nats"


def row(
    title: str,
    statement: str,
    *,
    page: str,
    right: Form,
    wrong: Mapping[str, Form],
    unit: str = "nats",
) -> Callable[[Check], Row]:
    """Make the check that follows a row, with all else that a :class:`Row` holds.

    Examples
    --------
    >>> @row("(0) Double", "2x = x + x", page="intro.md",
    ...      right=lambda x: 2 * x, wrong={"a square": lambda x: x**2})
    ... def double(form):
    ...     yield exact("two numbers", form(np.array([2, 3])), [4, 6])
    >>> verify(double).passes
    True
    """
    return partial(Row, title, statement, page, right, wrong, unit=unit)


@dataclass(frozen=True)
class RowResult:
    """What a check found: the cases of the right form, and of each wrong form by its name."""

    row: Row
    cases: tuple[Case, ...]
    wrong: Mapping[str, tuple[Case, ...]]

    @property
    def kinds(self) -> list[bool]:
        """Whether cases are sampled: of the kinds that there are, the exact one first."""
        return sorted({case.sampled for case in self.cases})

    @property
    def passes(self) -> bool:
        """Whether the right form passes every case and every wrong form is rejected.

        Where a row has sampled cases, these alone must suffice for a rejection too: standard
        errors that would let a wrong form through are too large.
        """
        clear = all(
            worst(cases, sampled).ratio > REJECTION
            for cases in self.wrong.values()
            for sampled in self.kinds
        )
        return clear and all(case.ratio <= 1.0 for case in self.cases)


def worst(cases: Sequence[Case], sampled: bool) -> Case:
    """Find the case with the largest ratio of residual to tolerance, Monte Carlo or exact.

    A ValueError if there is none of that kind.

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


@cache
def verify(row: Row) -> RowResult:
    """Run the check of a row on its right form and on each of its wrong forms, once a process."""
    return RowResult(
        row=row,
        cases=tuple(row.check(row.right)),
        wrong={name: tuple(row.check(form)) for name, form in row.wrong.items()},
    )


def exact(name: str, left: ArrayLike, right: ArrayLike, tolerance: float = 1e-12) -> Case:
    """Compare two sides elementwise; the tolerance is absolute plus relative.

    Examples
    --------
    >>> exact("a half too much", [1.0, 1.5], 1.0).residual
    0.25
    """
    left, right = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    gap = np.abs(left - right)
    relative = float((gap / (1.0 + np.abs(right))).max())
    return Case(name, relative, tolerance, off=float(gap.max()))


def at_most(name: str, left: ArrayLike, right: ArrayLike, tolerance: float = 1e-12) -> Case:
    """Check left <= right elementwise; the residual is the largest excess."""
    excess = np.maximum(np.asarray(left) - np.asarray(right), 0.0)
    return Case(name, float(excess.max()), tolerance, off=float(excess.max()))


def sampled(name: str, value: SupportsFloat, estimate: Estimate) -> Case:
    """Compare a number with a Monte Carlo estimate of it: within 4 standard errors."""
    gap = abs(float(value) - estimate.value)
    return Case(name, gap, 4.0 * estimate.standard_error + 1e-12, sampled=True, off=gap)


def distributions(rng: np.random.Generator, *shape: int) -> FloatArray:
    """Draw distributions over outcomes, which lie along the last axis."""
    weights = rng.exponential(size=shape)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))
