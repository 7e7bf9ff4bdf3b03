"""The ledger: every right form passes, every wrong form is rejected by the same check."""

import dataclasses
import math

import pytest

from gencomp_utils import equations
from gencomp_utils.equations import (
    LEDGER,
    REJECTION,
    Case,
    RowResult,
    ledger_markdown,
    verify,
    worst,
)

rows = pytest.mark.parametrize("row", LEDGER, ids=lambda row: f"({row.number}) {row.title}")


@rows
def test_the_right_form_passes_every_case(row):
    missed = [case for case in row.check(row.right) if not case.ratio <= 1]
    assert not missed


@pytest.mark.parametrize(
    ("row", "name"),
    [
        pytest.param(row, name, id=f"({row.number}) {row.title}: {name}")
        for row in LEDGER
        for name in row.wrong
    ],
)
def test_every_wrong_form_is_rejected_by_each_kind_of_case(row, name):
    cases = row.check(row.wrong[name])
    for sampled in {case.sampled for case in cases}:
        assert worst(cases, sampled).ratio > REJECTION


@rows
def test_every_form_meets_the_same_cases(row):
    def promised(case):
        return case.name, case.tolerance, case.sampled

    cases = [promised(case) for case in row.check(row.right)]
    assert len({name for name, _, _ in cases}) == len(cases)
    for form in (row.right, *row.wrong.values()):
        assert [promised(case) for case in row.check(form)] == cases


@rows
def test_a_check_gives_the_same_result_twice(row):
    assert verify(row) == verify(row)


@rows
def test_a_row_has_wrong_forms_and_a_page(row):
    assert row.wrong
    assert row.page.endswith((".ipynb", ".md"))
    assert "|" not in row.statement


@rows
def test_a_row_with_right_and_wrong_exchanged_fails(row):
    for name, form in row.wrong.items():
        swapped = dataclasses.replace(row, right=form, wrong={name: row.right})
        assert not verify(swapped).passes


def result(*cases, wrong):
    return RowResult(row=LEDGER[0], cases=cases, wrong={"a wrong form": tuple(wrong)})


EXACT, SAMPLED = Case("exact", 0.0, 1e-12), Case("sampled", 1e-3, 4e-3, sampled=True)


def off(case, tolerances):
    return dataclasses.replace(case, residual=tolerances * case.tolerance)


def test_a_result_passes_only_when_each_kind_of_case_rejects_clearly():
    assert result(EXACT, SAMPLED, wrong=[off(EXACT, 1e6), off(SAMPLED, 2.5)]).passes
    assert not result(EXACT, SAMPLED, wrong=[off(EXACT, 1e6), off(SAMPLED, 1.5)]).passes
    assert not result(off(EXACT, 1.5), wrong=[off(EXACT, 1e6)]).passes


def test_nan_is_a_miss():
    assert Case("undefined", math.nan, 1.0).ratio == math.inf


def test_worst_refuses_when_there_is_no_such_case():
    with pytest.raises(ValueError, match="cases holds no Monte Carlo case"):
        worst([EXACT], sampled=True)


def test_the_page_names_every_row_and_wrong_form_and_no_failure():
    text = ledger_markdown()
    assert "fails" not in text
    for row in LEDGER:
        assert f"\n| ({row.number}) {row.title} |" in text
        assert f"**[({row.number}) {row.title}](../{row.page})**" in text
        assert all(f"Rejected: {name}, by" in text for name in row.wrong)


def test_the_page_says_so_when_a_check_fails(monkeypatch):
    row = LEDGER[0]
    wrong = dataclasses.replace(row, right=next(iter(row.wrong.values())))
    monkeypatch.setattr(equations, "LEDGER", (wrong,))
    assert "**the check fails**" in ledger_markdown()
