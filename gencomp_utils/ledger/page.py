"""The ledger as a page: what every check found, in Markdown."""

import math
from collections.abc import Sequence

from gencomp_utils.ledger.core import Case, Row, RowResult, verify, worst


def ledger_markdown(rows: Sequence[Row]) -> str:
    """Check rows of the ledger and lay the results out in Markdown.

    A table of all rows, then each row's statement, cases and rejected forms. Links go up one
    folder, as from the appendix.

    Examples
    --------
    >>> from gencomp_utils.ledger import LEDGER
    >>> print(ledger_markdown(LEDGER[:1]).splitlines()[0])
    | Equation | Residual | Tolerance | Wrong forms rejected |
    """
    results = [verify(row) for row in rows]
    table = [
        "| Equation | Residual | Tolerance | Wrong forms rejected |",
        "|---|---|---|---|",
        *(_summary(result) for result in results),
    ]
    return "\n\n".join(["\n".join(table), *(_details(result) for result in results)])


def _summary(result: RowResult) -> str:
    row, closest = result.row, worst(result.cases, sampled=False)
    verdict = len(result.wrong) if result.passes else "**the check fails**"
    return f"| {row.title} | {_short(closest.residual)} | {_short(closest.tolerance)} | {verdict} |"


def _details(result: RowResult) -> str:
    row = result.row
    lines = [f"**[{row.title}](../{row.page})**", "", f"$${row.statement}$$", ""]
    for sampled in result.kinds:
        count = sum(case.sampled == sampled for case in result.cases)
        closest = worst(result.cases, sampled)
        lines.append(
            f"- {count} {_kind(sampled)} case{'s' * (count > 1)}; closest to its tolerance "
            f"({_short(closest.tolerance)}): {closest.name}, {_short(closest.residual)}."
        )
    for name, cases in result.wrong.items():
        misses = [f"{_miss(cases, sampled)} ({_kind(sampled)})" for sampled in result.kinds]
        lines.append(f"- Rejected: {name}, by {', '.join(misses)}.")
    return "\n".join(lines)


def _kind(sampled: bool) -> str:
    return "Monte Carlo" if sampled else "exact"


def _miss(cases: Sequence[Case], sampled: bool) -> str:
    """Say by how much the cases of one kind are missed, and how many aren't even finite."""
    ratios = [case.ratio for case in cases if case.sampled == sampled]
    finite = [ratio for ratio in ratios if math.isfinite(ratio)]
    by = f"{_short(max(finite))} tolerances" if finite else "no finite value"
    if not 0 < len(finite) < len(ratios):
        return by
    return f"{by}, and no finite value in {len(ratios) - len(finite)} of {len(ratios)} cases"


def _short(number: float) -> str:
    """Two digits, as a table of LaTeX and words shows them."""
    if math.isinf(number):
        return r"$\infty$"
    mantissa, exponent = f"{number:.1e}".split("e")
    if -3 <= int(exponent) <= 3:
        return f"{float(f'{number:.1e}'):g}"
    return rf"${mantissa}\times10^{{{int(exponent)}}}$"
