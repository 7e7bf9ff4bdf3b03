"""The ledger: every right form passes, every wrong form is rejected by the same check."""

import dataclasses
import math
from contextlib import nullcontext

import pytest
import torch
from conftest import ROOT
from test_dialect import anchors

from gencomp_utils import divergences, evidence, minimax
from gencomp_utils.ledger import (
    LEDGER,
    REJECTION,
    Case,
    RowResult,
    ledger_markdown,
    verify,
    worst,
)
from gencomp_utils.ledger.core import exact, row
from gencomp_utils.models import game, vae

rows = pytest.mark.parametrize("entry", LEDGER, ids=lambda entry: entry.title)


def titled(start):
    return next(entry for entry in LEDGER if entry.title.startswith(start))


@rows
def test_the_right_form_passes_every_case(entry):
    missed = [case for case in verify(entry).cases if not case.ratio <= 1]
    assert not missed


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        pytest.param(entry, name, id=f"{entry.title}: {name}")
        for entry in LEDGER
        for name in entry.wrong
    ],
)
def test_every_wrong_form_is_rejected_by_each_kind_of_case(entry, name):
    result = verify(entry)
    for sampled in {case.sampled for case in result.cases}:
        assert worst(result.wrong[name], sampled).ratio > REJECTION


@rows
def test_every_form_meets_the_same_cases(entry):
    def promised(cases):
        return [(case.name, case.tolerance, case.sampled) for case in cases]

    result = verify(entry)
    assert len({case.name for case in result.cases}) == len(result.cases)
    for cases in result.wrong.values():
        assert promised(cases) == promised(result.cases)


@rows
def test_a_row_has_wrong_forms_and_a_page(entry):
    assert entry.wrong
    page, _, section = entry.page.partition("#")
    assert section in anchors(ROOT / "book" / page)
    assert "|" not in entry.statement + "".join(case.name for case in verify(entry).cases)


@rows
def test_a_row_with_right_and_wrong_exchanged_fails(entry):
    result = verify(entry)
    for name, cases in result.wrong.items():
        assert not RowResult(entry, cases, {name: result.cases}).passes


@pytest.mark.parametrize("start", ["(3)", "(4)", "(8)", "(11)"])
def test_a_check_gives_the_same_result_twice(start):
    entry = titled(start)
    assert verify.__wrapped__(entry) == verify(entry)


def test_the_rows_follow_the_book():
    numbers = [entry.title[1:].partition(")")[0] for entry in LEDGER]
    assert numbers == [
        *["H", "1", "1", "1", "2", "3", "alg. 1", "4", "5", "6"],
        *["7", "8", "9", "10", "11", "12", "13", "+", "+", "+"],
    ]


# Faults of the package


def shifted(function):
    return lambda *args: function(*args) + 0.01


def with_slow_decay(config, network):
    return torch.optim.RMSprop(network.parameters(), config.learning_rate, 0.99, 1e-7)


@pytest.mark.parametrize(
    ("start", "owner", "name", "faulty"),
    [
        ("(H)", divergences, "entr", shifted),
        ("(2)", divergences, "_js_terms", shifted),
        ("(alg. 1)", game, "at_rest", lambda _: nullcontext),
        ("(5)", minimax, "game_value", shifted),
        ("(6)", minimax, "game_value", shifted),
        ("(6)", minimax, "game_value_density", shifted),
        ("(7)", vae, "kl_to_standard_normal", shifted),
        ("(8)", vae, "RMSPROP_EPSILON", lambda _: 1e-6),
        ("(8)", vae.VAEConfig, "optimizer", lambda _: with_slow_decay),
        ("(9)", evidence.Gaussian, "log_density", shifted),
        ("(10)", evidence, "LOG_2_PI", lambda _: 1.8),
        ("(11)", evidence, "kl_of_gaussians", shifted),
        ("(12)", evidence, "kl_of_gaussians", shifted),
        ("(12)", evidence, "LOG_2_PI", lambda _: 1.8),
        ("(13)", evidence.LinearGaussian, "expected_log_likelihood", shifted),
        ("(+) Importance", evidence, "logsumexp", lambda f: lambda w, axis: f(w, axis) + 0.01),
        ("(+) The mean KL", evidence, "kl_divergence_density", shifted),
    ],
)
def test_a_fault_of_the_package_fails_its_row(start, owner, name, faulty, monkeypatch):
    monkeypatch.setattr(owner, name, faulty(getattr(owner, name)))
    entry = titled(start)
    assert any(case.ratio > 1 for case in entry.check(entry.right))


# What a result is


EXACT, SAMPLED = Case("exact", 0.0, 1e-12), Case("sampled", 1e-3, 4e-3, sampled=True)


def result(*cases, wrong):
    return RowResult(LEDGER[0], cases, {"a wrong form": tuple(wrong)})


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


# The page


def test_each_form_is_checked_once_for_the_tests_and_the_page():
    checked = []

    @row("(0) Double", "2x", page="intro.md", right=lambda x: 2 * x, wrong={"x²": lambda x: x**2})
    def double(form):
        checked.append(form(3))
        yield exact("of 3", form(3), 6)

    assert verify(double) is verify(double)
    ledger_markdown([double])
    assert checked == [6, 9]


def test_the_page_names_every_row_and_wrong_form_and_no_failure():
    text = ledger_markdown(LEDGER)
    assert "fails" not in text
    for entry in LEDGER:
        assert f"\n| [{entry.title}](../{entry.page}) |" in text
        assert f"**[{entry.title}](../{entry.page})**" in text
        assert f"<summary>Cases of {entry.title}</summary>" in text
        assert all(f"\n- {name}: off by " in text for name in entry.wrong)
        assert all(f"\n| {case.name} |" in text for case in verify(entry).cases)


def test_the_page_says_in_its_own_unit_how_far_a_wrong_form_is_off():
    assert exact("relative", [3.0, 1.0], 1.0).off == 2.0
    assert "off by 1.4 nats (0 for disjoint supports)." in ledger_markdown([titled("(5)")])
    assert "off by 0.67 (share of the data" in ledger_markdown([titled("(4)")])
    assert "and no finite value in 2 of 4 cases." in ledger_markdown([titled("(13)")])


def test_the_page_says_so_when_a_check_fails():
    entry = titled("(H)")
    wrong = dataclasses.replace(entry, right=next(iter(entry.wrong.values())))
    assert "**the check fails**" in ledger_markdown([wrong])
