"""The report's claims as rows: what was said, what would make it true, and what runs say of it."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from gencomp_utils import runs
from gencomp_utils.models import DCGANConfig, Model, VAEConfig
from gencomp_utils.runs import Run
from gencomp_utils.verdicts import Interval, Verdict

Word = Literal["holds", "in part", "fails", "undecided", "not testable here"]
Groups = Mapping[str, Sequence[Run]]


@dataclass(frozen=True)
class Finding:
    """A verdict, what it rests on by name, and the format of these numbers."""

    word: Word
    measured: Mapping[str, Verdict | Interval | float]
    form: str = ".2f"

    def __str__(self) -> str:
        return "<br>".join(f"{name}: {found:{self.form}}" for name, found in self.measured.items())


Rule = Callable[..., Finding]


@dataclass(frozen=True, eq=False)
class Claim:
    """A row.

    Attributes
    ----------
    number, name
        As in the list of claims, C1 to C14, with a letter where one has several rows.
    said
        Quotation and section, or what the claim is where nobody said it in these words.
    threshold
        In words; fields such as ``{margin}`` are the rule's constants.
    date
        When the threshold was set, and what had been seen by then.
    trained
        Settings of the trainings that the rule needs, by group.
    rule
        A function of runs by group, whose keywords are its free constants.
    """

    number: str
    name: str
    said: str
    threshold: str
    date: str
    trained: Mapping[str, Sequence[Model[Any]]]
    rule: Rule

    @property
    def constants(self) -> dict[str, float]:
        """Free constants of the rule, by name."""
        keywords = inspect.signature(self.rule).parameters.values()
        return {key.name: key.default for key in keywords if key.kind is key.KEYWORD_ONLY}

    def recorded(self) -> Groups:
        """Return the recorded runs that the rule needs."""
        return {name: [*map(runs.recorded, group)] for name, group in self.trained.items()}

    def judge(self) -> Finding:
        """Judge the recorded runs."""
        return self.rule(self.recorded())

    def facts(self) -> list[tuple[str, str]]:
        """Say what was claimed, asked for and measured, as the rows of a table."""
        return [
            ("claim", self.said),
            ("threshold", self.threshold.format(**self.constants)),
            ("set", self.date),
            ("measured, with 95% intervals", str(self.judge())),
            ("training runs", ", ".join(f"{len(of)} {name}" for name, of in self.trained.items())),
        ]

    def varied(self) -> dict[str, Word]:
        """Give the verdict with each constant halved, and doubled."""
        some = self.recorded()
        return {
            f"{name} = {value * factor:g}": self.rule(some, **{name: value * factor}).word
            for name, value in self.constants.items()
            for factor in (0.5, 2)
        }


CLAIMS: dict[str, Claim] = {}


def claim(
    number: str,
    name: str,
    said: str,
    *,
    threshold: str,
    date: str,
    trained: Mapping[str, Sequence[Model[Any]]],
) -> Callable[[Rule], Claim]:
    """Make the rule that follows a row, and list it."""

    def made(rule: Rule) -> Claim:
        CLAIMS[number] = Claim(number, name, said, threshold, date, trained, rule)
        return CLAIMS[number]

    return made


def seeds(config: Model[Any], of: Sequence[int] = range(5)) -> list[Model[Any]]:
    """List the same settings with several seeds."""
    return [replace(config, seed=seed) for seed in of]


DCGANS = seeds(DCGANConfig())
PLANE, LONG = seeds(VAEConfig()), seeds(VAEConfig(latent_dim=20))
# Those whose weights are kept.
VAES = [
    VAEConfig(latent_dim=size, epochs=epochs, anneal=epochs > 7)
    for size in (2, 20)
    for epochs in (7, 30)
]
