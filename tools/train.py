"""Record the runs that ship with the book: those of the list below that are missing.

Each goes on from its last finished epoch when it was interrupted. Progress is kept in
_build/training until a run is finished and measured.
"""

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from gencomp_utils import evaluation, runs
from gencomp_utils.data import Digits, load_mnist
from gencomp_utils.experiments import fingerprint
from gencomp_utils.networks import VAE
from gencomp_utils.settings import ClassifierConfig, Config, DCGANConfig, VAEConfig
from gencomp_utils.training import as_unit, stream

WORK = Path(__file__).parent.parent / "_build" / "training"
GRID = 601
BOUND_DRAWS = 20
IMPORTANCE_DRAWS = 100
VOTERS = 10
ASKED_FOR_COPIES = 16
HELD_OUT_STEP = 50

# What of a run is kept in the repository, where 12 MB are allowed in all.
EVERYTHING = {"weights", "losses", "samples"}
WEIGHTS = {"weights"}
SAMPLES = {"samples"}
NUMBERS: set[str] = set()

RUNS: dict[Config, set[str]] = {
    ClassifierConfig(): WEIGHTS,
    # The report's settings.
    VAEConfig(): EVERYTHING,
    DCGANConfig(): EVERYTHING,
    VAEConfig(latent_dim=20): EVERYTHING,
    # What a DCGAN does without one of its parts, beside the first epochs of the whole.
    DCGANConfig(epochs=3, batch_norm=False): SAMPLES,
    DCGANConfig(epochs=3, weight_std=None): SAMPLES,
    DCGANConfig(epochs=3, k=5): SAMPLES,
    DCGANConfig(epochs=3, saturating=True): SAMPLES,
    # Other seeds, for intervals.
    **{VAEConfig(seed=seed): NUMBERS for seed in range(1, 5)},
    **{DCGANConfig(seed=seed): WEIGHTS for seed in (1, 2)},
    **{DCGANConfig(seed=seed): NUMBERS for seed in (3, 4)},
    **{VAEConfig(latent_dim=20, seed=seed): NUMBERS for seed in range(1, 5)},
    # The report's log (claim C5): its split, a probable batch size, two weights of the KL.
    **{
        VAEConfig(beta=beta, batch_size=16, borrowed=5000, seed=seed): NUMBERS
        for seed in range(3)
        for beta in (1.0, 0.392)
    },
    # As good as these networks get here: longer, the VAEs with a falling learning rate.
    VAEConfig(epochs=30, anneal=True): WEIGHTS,
    VAEConfig(latent_dim=20, epochs=30, anneal=True): WEIGHTS,
    DCGANConfig(epochs=40): WEIGHTS,
    # What a falling rate does to a DCGAN.
    DCGANConfig(epochs=30, anneal=True): NUMBERS,
}


def measure(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Measure what the history by epoch doesn't hold."""
    match run.config:
        case VAEConfig():
            return measure_bounds(run, digits) | measure_codes(run, digits)
        case ClassifierConfig():
            return measure_real_images(run, digits)
        case DCGANConfig():
            return {}


def measure_bounds(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Measure the bound (with β = 1) on the test images, and log p(x) or a nearer bound."""
    vae, seed = run.vae(), run.config.seed
    _, _, images, _ = runs.split(run.config, digits)
    bound = evaluation.elbo(vae, images, stream(seed, "evaluation"), BOUND_DRAWS)
    closer = evaluation.importance_weighted(
        vae, images, stream(seed, "importance"), IMPORTANCE_DRAWS
    )
    metrics = {
        "test_elbo": bound.mean().item(),
        "test_elbo_draws": BOUND_DRAWS,
        "test_importance_weighted": closer.mean().item(),
        "test_importance_weighted_draws": IMPORTANCE_DRAWS,
    }
    if run.config == VAEConfig():
        evidence = evaluation.log_evidence_grid(vae, images, GRID)
        coarser = evaluation.log_evidence_grid(vae, images, GRID * 2 // 3)
        metrics |= {
            "test_log_evidence": evidence.mean().item(),
            "test_log_evidence_grid": GRID,
            "test_log_evidence_coarser_grid": coarser.mean().item(),
        }
    return metrics


def measure_codes(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Measure what codes tell of the digit, and how many samples are copies of training images.

    The vote is the share of test images whose digit is the most frequent among the nearest codes
    of training images. A sample is a copy if it is nearer to a training image than all but 1 % of
    decoded test images, which are as smooth as it is.
    """
    vae = run.vae()
    images, labels, test_images, test_labels = runs.split(run.config, digits)
    voters = KNeighborsClassifier(VOTERS).fit(codes(vae, images), labels)
    right = voters.predict(codes(vae, test_images)) == test_labels.numpy()
    z = torch.randn(ASKED_FOR_COPIES, vae.latent_dim, generator=stream(run.config.seed, "copies"))
    decoded = evaluation.images_of(vae, codes(vae, test_images[::HELD_OUT_STEP]))
    apart, _ = evaluation.nearest(torch.cat([evaluation.images_of(vae, z), decoded]), images)
    samples, yardstick = apart.split([len(z), len(decoded)])
    copies = samples < yardstick.quantile(0.01)
    return {
        "test_vote": right.mean().item(),
        "copies": copies.sum().item(),
        "copies_asked": ASKED_FOR_COPIES,
    }


@torch.no_grad()
def codes(vae: VAE, images: Tensor) -> Tensor:
    """Means of q(z|x)."""
    return torch.cat([vae.encode(as_unit(block))[0] for block in images.split(500)])


def measure_real_images(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Compare training images with the test images as samples are: no sample should do better."""
    reference = evaluation.Reference(run.classifier(), torch.tensor(digits.test_images))
    images = torch.tensor(digits.train_images)
    some = torch.randperm(len(images), generator=stream(run.config.seed, "some real images"))
    real = reference.compare(images[some[: len(digits.test_images)]])
    return {f"real_{name}": value for name, value in real.items()}


def record(config: Config, kept: set[str], digits: Digits) -> None:
    run = runs.train(config, digits, WORK / runs.name(config))
    images, labels, _, _ = runs.split(config, digits)
    run = replace(
        run,
        fingerprint=fingerprint(config, images, labels),
        metrics=measure(run, digits),
        weights=run.weights if "weights" in kept else {},
        losses=run.losses if "losses" in kept else run.losses[:0],
        samples=run.samples if "samples" in kept else run.samples[:, :0],
    )
    runs.save(run, runs.RECORDED / runs.name(config))
    print(f"{runs.name(config)} is recorded: {run.history[-1] | run.metrics}")


class BudgetSpent(Exception):
    """The time that was given is over."""


@contextmanager
def budget(minutes: float | None) -> Iterator[None]:
    """Raise BudgetSpent in the middle of whatever is done when the time is over."""

    def stop(*_: Any) -> None:
        raise BudgetSpent

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 60 * minutes if minutes else 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, help="stop after so long; call again to go on")
    parser.add_argument("--only", default="", help="record runs whose name begins so")
    wanted = parser.parse_args()
    digits = load_mnist()
    missing = [
        config
        for config in RUNS
        if runs.name(config).startswith(wanted.only)
        and not (runs.RECORDED / runs.name(config)).exists()
    ]
    done = 0
    try:
        with budget(wanted.minutes):
            for config in missing:
                record(config, RUNS[config], digits)
                done += 1
    except BudgetSpent:
        print("The time is over; the next call goes on from the last finished epoch.")
    print(f"{len(missing) - done} runs are missing.")


if __name__ == "__main__":
    main()
