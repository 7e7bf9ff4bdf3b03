"""Change the package in small ways, one at a time, and list the changes that no test notices.

Changes are drawn by a seed from all that Cosmic Ray knows to make: another operator, comparison,
number, truth value, decorator and so on. Each is tried on a copy of the tree, by the fast tests of
its module, in a process forked from one that has loaded the libraries already. A change is noticed
if a test fails, or runs for minutes. What survives is printed, to be judged one by one: a gap in
the tests, or a change that changes nothing.
"""

import argparse
import difflib
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cosmic_ray.plugins
import matplotlib.figure  # noqa: F401, loaded once for all that are forked
import numpy as np  # noqa: F401
import pytest
import scipy.stats  # noqa: F401
import sklearn.metrics  # noqa: F401
import torch
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "gencomp_utils"
TIMEOUT_S = 300
# Tests that notice a change in a module, the quickest first.
TESTS = {
    "theory": {
        "distributions": ["distributions", "divergences"],
        "divergences": ["divergences", "distributions"],
        "minimax": ["minimax"],
        "evidence": ["evidence"],
        "verdicts": ["verdicts"],
    },
    "machinery": {
        "data": ["data"],
        "models/base": ["base", "vae", "dcgan", "training", "runs"],
        "models/toys": ["toys", "game"],
        "models/game": ["game", "dcgan", "training"],
        "models/vae": ["vae", "base", "bounds", "training"],
        "models/dcgan": ["dcgan", "base", "training"],
        "models/classifier": ["classifier", "base", "training"],
        "metrics/bounds": ["bounds"],
        "metrics/samples": ["samples"],
        "training": ["training", "new_model"],
        "checkpoints": ["checkpoints", "runs"],
        "runs": ["runs", "new_model"],
    },
}
# Unions stand in annotations, where every change is an error at once.
LEFT_OUT = ("_BitOr_", "core/NoOp")


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    module: str
    tests: tuple[str, ...]
    operator: str | None = None  # without one nothing is changed
    occurrence: int = 0
    line: int = 0

    def code(self) -> str | None:
        if self.operator is None:
            return self.original()
        operator = cosmic_ray.plugins.get_operator(self.operator)()
        changed = mutate_code(self.original(), operator, self.occurrence)
        return changed if changed != self.original() else None

    def original(self) -> str:
        return (ROOT / PACKAGE / f"{self.module}.py").read_text(encoding="utf-8")

    def difference(self) -> str:
        lines = [text.splitlines() for text in (self.original(), self.code() or "")]
        changed = [line for line in difflib.unified_diff(*lines, n=0) if line[0] in "-+"][2:]
        return f"{self.module}.py:{self.line}\n  " + "\n  ".join(changed)


def mutants(module: str, tests: list[str]) -> Iterator[Mutant]:
    """List all changes of a module."""
    tree = get_ast((ROOT / PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    for name in sorted(cosmic_ray.plugins.operator_names()):
        operator = cosmic_ray.plugins.get_operator(name)
        if any(part in name for part in LEFT_OUT) or operator.arguments():
            continue
        places = [
            place for node in ast_nodes(tree) for place in operator().mutation_positions(node)
        ]
        for occurrence, ((line, _), _) in enumerate(places):
            yield Mutant(module, tuple(tests), name, occurrence, line)


def attempt(mutant: Mutant, folder: Path, code: str) -> None:
    """Run the tests on a copy of the tree with the change; exit with pytest's status."""
    for name in ("tests", PACKAGE):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("recorded", "__py*")
        )
    (folder / PACKAGE / "recorded").symlink_to(ROOT / PACKAGE / "recorded")
    for name in ("pyproject.toml", "_toc.yml", "book", "tools"):
        (folder / name).symlink_to(ROOT / name)
    (folder / PACKAGE / f"{mutant.module}.py").write_text(code, encoding="utf-8")
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    os.environ |= {"PYTHONPATH": str(folder), "GENCOMP_BUILD": "1"}
    out = os.open(folder / "out", os.O_WRONLY | os.O_CREAT)
    os.dup2(out, 1)
    os.dup2(out, 2)
    files = [f"tests/test_{name}.py" for name in mutant.tests]
    options = ["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider"]
    os._exit(pytest.main([f"{PACKAGE}/{mutant.module}.py", *files, *options]))


def noticed(chosen: list[Mutant], workers: int) -> Iterator[tuple[Mutant, bool]]:
    """Try the changes, a few at a time, and say of each whether a test failed."""
    fork = multiprocessing.get_context("fork")
    waiting, running = list(reversed(chosen)), {}
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        while waiting or running:
            while waiting and len(running) < workers:
                mutant = waiting.pop()
                if (code := mutant.code()) is None:
                    continue
                folder = Path(temporary, str(len(waiting)))
                folder.mkdir()
                process = fork.Process(target=attempt, args=(mutant, folder, code))
                process.start()
                running[process] = mutant, folder, time.monotonic()
            time.sleep(0.05)
            for process, (mutant, folder, started) in list(running.items()):
                if process.is_alive() and time.monotonic() - started < TIMEOUT_S:
                    continue
                process.kill()
                process.join()
                shutil.rmtree(folder, ignore_errors=True)
                del running[process]
                yield mutant, process.exitcode != pytest.ExitCode.OK


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("group", nargs="?", choices=TESTS, help="only this part of the package")
    parser.add_argument(
        "--count", type=int, help="how many changes; 100 of theory, 300 of the rest"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for group in [asked.group] if asked.group else TESTS:
        every = [m for module, tests in TESTS[group].items() for m in mutants(module, tests)]
        count = asked.count or {"theory": 100, "machinery": 300}[group]
        chosen = random.Random(asked.seed).sample(every, min(count, len(every)))
        unchanged = [Mutant(module, tuple(tests)) for module, tests in TESTS[group].items()]
        if failed := [
            mutant.module for mutant, found in noticed(unchanged, asked.workers) if found
        ]:
            sys.exit(f"The tests of {', '.join(failed)} fail without any change.")
        results = []
        for mutant, found in noticed(chosen, asked.workers):
            results.append(found)
            print("." if found else f"\nSURVIVED {mutant.difference()}", end="", flush=True)
        print(
            f"\n{group}: {sum(results)} of {len(results)} changes noticed, of {len(every)} possible"
        )


if __name__ == "__main__":
    main()
