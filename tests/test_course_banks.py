"""Attacks on the checks: a right answer has all points, a wrong one loses as its name says.

`make test` tries each right answer and every twelfth wrong one; GENCOMP_CLASSES=all tries all.
"""

import os
import queue
from concurrent.futures import ThreadPoolExecutor

import pytest

from gencomp_course import assignment, attacks
from gencomp_course.sandbox import Sandbox

pytestmark = pytest.mark.slow
FEWEST_RIGHT, FEWEST_WRONG = 4, 15
EVERY = 1 if os.environ.get("GENCOMP_CLASSES") == "all" else 12


@pytest.fixture(scope="module")
def sandboxes():
    free: queue.SimpleQueue[Sandbox] = queue.SimpleQueue()
    started = [Sandbox() for _ in range(2)]
    for sandbox in started:
        free.put(sandbox)
    yield free
    for sandbox in started:
        sandbox.close()


@pytest.mark.parametrize("name", assignment.names())
def test_the_bank_is_large_enough(name):
    bank = assignment.load_bank(name)
    functions = set(assignment.load(name).functions)
    assert functions == set(bank.RIGHT) == set(bank.WRONG) == set(bank.VALUES)
    for function in functions:
        assert len(bank.RIGHT[function]) >= FEWEST_RIGHT
        assert len({why for why, _, _ in bank.WRONG[function]}) >= FEWEST_WRONG
        assert len({code for _, _, code in bank.WRONG[function]}) == len(bank.WRONG[function])


@pytest.mark.parametrize("name", assignment.names())
def test_no_wrong_answer_passes_and_no_right_one_fails(name, sandboxes):
    loaded = assignment.load(name)

    def attack(one):
        sandbox = sandboxes.get()
        try:
            return attacks.mistake(one, loaded, sandbox)
        finally:
            sandboxes.put(sandbox)

    listed = [*attacks.attacks(name)]
    wrong = [one for one in listed if one.fails]
    chosen = [one for one in listed if not one.fails] + wrong[::EVERY]
    with ThreadPoolExecutor(2) as pool:
        told = [mistake for mistake in pool.map(attack, chosen) if mistake]
    assert told == []


def test_a_mutant_has_just_one_place():
    assert attacks.mutant("a + b", "+", "-") == "a - b"
    for old in ("c", "a"):
        with pytest.raises(ValueError, match="times"):
            attacks.mutant("a + a", old, "b")
