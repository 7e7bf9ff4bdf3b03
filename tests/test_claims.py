"""The report's claims: made-up runs that must pass each rule, and others that must not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from gencomp_utils import claims, runs
from gencomp_utils.claims import CLAIMS
from gencomp_utils.models import DCGANConfig, Model, VAEConfig


@dataclass(frozen=True, eq=False)
class MadeUp:
    """A run of which only numbers exist."""

    epochs: Mapping[str, Sequence[float]] = field(default_factory=dict)
    end: Mapping[str, float] = field(default_factory=dict)
    config: Model | None = None

    def by_epoch(self, key: str) -> np.ndarray:
        return np.array(self.epochs[key], dtype=float)

    def at_end(self, key: str) -> float:
        return self.end[key] if key in self.end else self.epochs[key][-1]


def seeds(
    count: int = 5, spread: float = 0.001, **numbers: float | Sequence[float]
) -> list[MadeUp]:
    """Runs that differ by a thousandth."""
    factors = [1 + spread * (i - count // 2) for i in range(count)]
    return [
        MadeUp(
            {k: np.array(v) * f for k, v in numbers.items() if np.ndim(v)},
            {k: v * f for k, v in numbers.items() if not np.ndim(v)},
        )
        for f in factors
    ]


SHARES = {f"share_{digit}": 0.1 for digit in range(10)}
REAL = [MadeUp(end={f"real_{k}": v for k, v in SHARES.items()}
               | {"real_confidence": 0.95, "real_precision": 0.8})]  # fmt: skip
GREY = [MadeUp(end={"confidence": 0.7})]
FALLING = [10.0, *np.linspace(3, 1, 19)]
BY_TWENTY = {"precision": [0.6] * 20, "recall": [0.7] * 20}


def dcgans(confidence: float, precision: float, **shares: float) -> dict:
    some = seeds(confidence=confidence, precision=precision, **SHARES | shares)
    return {"DCGAN": some, "worthless": GREY, "real": REAL}


def distances(values: Sequence[float]) -> dict:
    return {"DCGAN": seeds(frechet_distance=values, **BY_TWENTY)}


def losses(generator: Sequence[float], discriminator: Sequence[float]) -> dict:
    some = seeds(
        frechet_distance=FALLING, generator_loss=generator, discriminator_loss=discriminator
    )
    return {"DCGAN": some}


def printed_and(nats: float, group: str) -> dict:
    """Logs that are so far from the printed one."""
    both = [
        np.interp(range(1, 8), list(claims.PRINTED), [pair[i] for pair in claims.PRINTED.values()])
        for i in range(2)
    ]
    train, test = (claims.PIXELS * losses + nats for losses in both)
    return {group: seeds(3, 0, train_loss=train, test_loss=test)}


def vaes(loss: Sequence[float], distance: Sequence[float]) -> dict:
    some = seeds(test_loss=loss, frechet_distance=distance)
    return {"2-D": some, "20-D": some}


def votes(right: float, linear: float) -> dict:
    return {"2-D": seeds(test_vote=right), "linear": [MadeUp(end={"test_vote_linear": linear})]}


def bounds(full: float, light: float) -> dict:
    groups = zip(claims.LOGGED, (full, light), strict=True)
    return {group: seeds(3, test_elbo=bound) for group, bound in groups}


def copies(found: int) -> dict:
    return {"VAEs": [MadeUp(end={"copies": found, "copies_asked": 200})] * 4}


def sharp(gan: float, plane: float, long: float) -> dict:
    groups = {"DCGAN": gan, "2-D": plane, "20-D": long}
    real = [MadeUp(end={"real_sharpness": 0.3})]
    return {name: seeds(sharpness=value) for name, value in groups.items()} | {"real": real}


def ranks(nine: float, seven: float) -> dict:
    some = [MadeUp(end={"rank_4_9": nine, "rank_1_7": seven, "doubtful": 0.1})] * 4
    return {"VAEs": some, "DCGAN": some, "real": [MadeUp(end={"real_doubtful": 0.01})]}


def falls(gan: Sequence[float], vae: Sequence[float], swapped: bool = False) -> dict:
    """Distances by epoch, of networks as heavy as they are, or with the weights exchanged."""
    heavy, light = (VAEConfig(), DCGANConfig()) if swapped else (DCGANConfig(), VAEConfig())
    made = {
        "DCGAN": [replace(run, config=heavy) for run in seeds(frechet_distance=gan)],
        "20-D": [replace(run, config=light) for run in seeds(frechet_distance=vae)],
    }
    return made


def rebuilding(error: float, seconds: float) -> dict:
    gans = seeds(3, descent_pixel_error=error, descent_seconds=seconds)
    vae = MadeUp(end={"encoder_first_pixel_error": 10, "encoder_seconds": 0.001})
    return {"DCGAN": gans, "20-D": [vae]}


def combined(sharpness: float, error: float) -> dict:
    return {
        "VAE/GAN": seeds(3, sharpness=sharpness, encoder_first_pixel_error=error),
        "20-D": seeds(3, sharpness=0.1),
        "DCGAN": seeds(3, descent_pixel_error=20.0),
        "real": [MadeUp(end={"real_sharpness": 0.3})],
    }


def labelled(beside: float, alone: float, hundred: float | None = None) -> dict:
    """Errors that samples take away, with distortions and without; 100 labels may differ."""

    def group(part: float) -> list[MadeUp]:
        errors = {"plain": 0.2, "generated": 0.2 * (1 - alone), "distorted": 0.1}
        named = {f"errors_{way}": share for way, share in errors.items()}
        return seeds(errors_both=0.1 * (1 - part), named_as_asked=0.9, **named)

    first = beside if hundred is None else hundred
    return {"100 labels": group(first), "300 labels": group(beside), "1000 labels": group(beside)}


UP, DOWN = list(np.linspace(1, 5, 20)), list(np.linspace(5, 1, 20))
MADE_UP = [
    ("C1", dcgans(0.9, 0.7), "holds"),
    ("C1", dcgans(0.95, 0.3), "fails"),
    ("C1", dcgans(0.95, 0.8, share_3=0.01), "fails"),
    ("C1", dcgans(0.71, 0.7), "holds"),
    ("C2", distances([10.0] + [1.0] * 19), "holds"),
    ("C2", distances(FALLING), "fails"),
    ("C2", distances([10.0, *[1.0] * 9, *np.linspace(0.9, 0.7, 10)]), "in part"),
    ("C3a", losses(DOWN, UP), "holds"),
    ("C3a", losses(UP, UP), "fails"),
    ("C5a", printed_and(0.5, "β = 1"), "holds"),
    ("C5a", printed_and(9.0, "β = 1"), "fails"),
    ("C5b", printed_and(0.5, "β = 0.392"), "holds"),
    ("C5b", printed_and(-9.0, "β = 0.392"), "fails"),
    ("C5c", bounds(-150, -140), "holds"),
    ("C5c", bounds(-140, -150), "fails"),
    ("C6", vaes([150, 140, 140, 140, 140], [5, 3, 2, 2, 2]), "holds"),
    ("C6", vaes([150, 140, 140, 140, 140], [5, 4, 3, 2, 1]), "fails"),
    ("C6", vaes([150, 145, 140, 135, 130], [5, 4, 3, 2, 1]), "not testable here"),
    ("C7", votes(0.95, 0.45), "holds"),
    ("C7", votes(0.75, 0.45), "in part"),
    ("C7", votes(0.5, 0.45), "fails"),
    ("C8", copies(2), "holds"),
    ("C8", copies(40), "fails"),
    ("C9", sharp(0.29, 0.03, 0.1), "holds"),
    ("C9", sharp(0.1, 0.3, 0.3), "fails"),
    ("C9", sharp(0.9, 0.25, 0.28), "fails"),
    ("C9", sharp(0.5, 0.03, 0.25), "in part"),
    ("C10", ranks(1, 2), "holds"),
    ("C10", ranks(2, 9), "in part"),
    ("C10", ranks(7, 9), "fails"),
    ("C11", falls([5, 4, 3, 1], [5, 1, 1, 1]), "holds"),
    ("C11", falls([5, 1, 1, 1], [5, 4, 3, 1]), "in part"),
    ("C11", falls([5, 1, 1, 1], [5, 4, 3, 1], swapped=True), "fails"),
    ("C11", falls([5, 1, 1, 1], [5, 4, 3, 3]), "fails"),
    ("C11", falls([5, 4, 3, 3], [5, 4, 3, 1]), "holds"),
    ("C12", rebuilding(50, 1), "holds"),
    ("C12", rebuilding(12, 1), "in part"),
    ("C12", rebuilding(12, 0.001), "fails"),
    ("C13", combined(0.28, 10), "holds"),
    ("C13", combined(0.28, 30), "in part"),
    ("C13", combined(0.02, 30), "fails"),
    ("C14", labelled(0.3, 0.5), "holds"),
    ("C14", labelled(-0.1, 0.5), "in part"),
    ("C14", labelled(-0.1, -0.2, hundred=0.3), "in part"),
    ("C14", labelled(0.05, 0.05), "fails"),
]  # fmt: skip


@pytest.mark.parametrize(("number", "some", "word"), MADE_UP)
def test_a_rule_tells_made_up_runs_apart(number, some, word):
    assert CLAIMS[number].rule(some).word == word


def following(sign: float) -> dict:
    """Losses of G that move with the distance, or against it."""
    noise = np.random.default_rng(0).normal(size=(5, 20))
    return {
        "DCGAN": [
            MadeUp(
                {
                    "frechet_distance": 5 + wave,
                    "generator_loss": 5 + sign * wave + 0.1 * np.roll(wave, 3),
                    "discriminator_loss": np.roll(wave, 7),
                }
            )
            for wave in noise
        ]
    }


@pytest.mark.parametrize(("sign", "word"), [(1, "holds"), (-1, "fails")])
def test_losses_that_follow_the_samples_are_told(sign, word):
    assert CLAIMS["C3b"].rule(following(sign)).word == word


def test_every_claim_has_runs_that_hold_and_runs_that_fail():
    for number in CLAIMS:
        words = {word for row, _, word in MADE_UP if row == number}
        assert {"holds", "fails"} <= words or number == "C3b", number


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.number)
def test_a_claim_is_judged_by_recorded_runs_and_says_on_what(claim):
    finding = claim.judge()
    facts = dict(claim.facts())
    assert facts["measured, with 95% intervals"] == str(finding)
    assert "{" not in facts["threshold"]
    assert facts["set"].startswith(("2026-", "the first scale 2026-"))
    assert len(claim.varied()) == 2 * len(claim.constants)
    assert all(runs.is_recorded(config) for group in claim.trained.values() for config in group)


def test_the_verdicts_of_the_book():
    """A changed rule, or a run trained anew, that turns a verdict shall be seen."""
    assert {number: claim.judge().word for number, claim in CLAIMS.items()} == {
        "C1": "holds",
        "C2": "in part",
        "C3a": "fails",
        "C3b": "undecided",
        "C5a": "undecided",
        "C5b": "holds",
        "C5c": "undecided",
        "C6": "not testable here",
        "C7": "in part",
        "C8": "holds",
        "C9": "holds",
        "C10": "in part",
        "C11": "undecided",
        "C12": "in part",
        "C13": "undecided",
        "C14": "undecided",
    }
