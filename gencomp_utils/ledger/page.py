"""The ledger as a page: what every check found, in Markdown."""

import math
from collections.abc import Iterable, Sequence

from gencomp_utils.ledger.core import Case, Row, RowResult, verify, worst


def ledger_markdown(rows: Sequence[Row]) -> str:
    """Check rows of the ledger and lay the results out in Markdown.

    A table of all rows, then each row's statement, its wrong forms, and its cases, folded. Links go
    up one folder, as from the appendix.

    Examples
    --------
    >>> from gencomp_utils.ledger import LEDGER
    >>> print(ledger_markdown(LEDGER[:1]).splitlines()[0])
    | Equation | Cases | Largest exact difference | Wrong forms rejected |
    """
    results = [verify(row) for row in rows]
    columns = "Equation", "Cases", "Largest exact difference", "Wrong forms rejected"
    table = _table(columns, map(_summary, results))
    return "\n\n".join([table, *map(_details, results)])


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _summary(result: RowResult) -> tuple[object, ...]:
    largest = max(case.residual for case in result.cases if not case.sampled)
    verdict = len(result.wrong) if result.passes else "**the check fails**"
    return _link(result.row), len(result.cases), _short(largest), verdict


def _link(row: Row) -> str:
    return f"[{row.title}](../{row.page})"


def _details(result: RowResult) -> str:
    missed = [f"- {name}: {_miss(form, result.row)}." for name, form in result.wrong.items()]
    columns = "case", "difference", "allowed"
    cases = [(case.name, _short(case.residual), _short(case.tolerance)) for case in result.cases]
    title, formula = f"**{_link(result.row)}**", f"$${result.row.statement}$$"
    opened = f"<details><summary>Cases of {result.row.title}</summary>"
    forms, folded = "\n".join(missed), _table(columns, cases)
    return "\n\n".join([title, formula, forms, opened, folded, "</details>"])


def _miss(cases: Sequence[Case], row: Row) -> str:
    """Say by how much a form is off in the case that tells most, and how many aren't finite."""
    finite = [case for case in cases if math.isfinite(case.off)]
    if not finite:
        return "no finite value"
    case = worst(finite, sampled=any(case.sampled for case in finite))
    text = f"off by {_short(case.off)} {row.unit}".rstrip() + f" ({case.name})"
    lost = len(cases) - len(finite)
    return f"{text}, and no finite value in {lost} of {len(cases)} cases" if lost else text


def _short(number: float) -> str:
    """Two digits, as a table of LaTeX and words shows them."""
    mantissa, exponent = f"{number:.1e}".split("e")
    if -3 <= int(exponent) <= 3:
        return f"{float(f'{number:.1e}'):g}"
    return rf"${mantissa}\times10^{{{int(exponent)}}}$"
