"""Record the runs that ship with the book: those of the list below that are missing.

Each goes on from its last finished epoch when it was interrupted. Progress is kept in
_build/training until a run is finished and measured.
"""

import argparse
import itertools
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from gencomp_utils import comparison, metrics, runs, training
from gencomp_utils.data import Digits, load_mnist
from gencomp_utils.models import (
    ClassifierConfig,
    CVAEConfig,
    DCGANConfig,
    GreyVAEConfig,
    Model,
    VAEConfig,
    VAEGANConfig,
    kl_to_standard_normal,
    reparameterize,
)
from gencomp_utils.models.base import State, as_bytes, as_unit, in_blocks, split, stream
from gencomp_utils.models.classifier import accuracy, probabilities
from gencomp_utils.models.vae import encode
from gencomp_utils.training import fingerprint

WORK = Path(__file__).parent.parent / "_build" / "training"
GRID = 601
BOUND_DRAWS = 20
IMPORTANCE_DRAWS = 100
VOTERS = 10
ASKED_FOR_COPIES = 200
HELD_OUT_STEP = 5
BLUR = 0.7  # pixels
DOUBT = 0.5
INVERTED = 50
# Chosen with other seeds, on training images without a label.
SHOWN, MADE_SHARE = 1500, 0.25

Measure = Callable[[runs.Run, Digits], dict[str, float]]


def bounds(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Measure the bound (with β = 1) on the test images, and a nearer bound of log p(x)."""
    vae, seed = run.network(), run.config.seed
    _, _, images, _ = split(run.config, digits)
    bound = metrics.elbo(vae, images, stream(seed, "evaluation"), BOUND_DRAWS)
    closer = metrics.importance_weighted(vae, images, stream(seed, "importance"), IMPORTANCE_DRAWS)
    return {
        "test_elbo": bound.mean().item(),
        "test_elbo_draws": BOUND_DRAWS,
        "test_importance_weighted": closer.mean().item(),
        "test_importance_weighted_draws": IMPORTANCE_DRAWS,
    }


def evidence(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Integrate log p(x) of the test images over a grid of codes, and over a coarser one."""
    vae, (_, _, images, _) = run.network(), split(run.config, digits)
    fine, coarse = (
        metrics.log_evidence_grid(vae, images, points).mean().item()
        for points in (GRID, GRID * 2 // 3)
    )
    return {
        "test_log_evidence": fine,
        "test_log_evidence_grid": GRID,
        "test_log_evidence_coarser_grid": coarse,
    }


def linear_codes(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Let the same vote be taken among two principal components, the best linear codes."""
    images, labels, test_images, test_labels = (
        part.flatten(1).numpy() if part.ndim == 3 else part.numpy()
        for part in split(run.config, digits)
    )
    components = PCA(2, svd_solver="covariance_eigh").fit(images / np.float32(255))
    train, test = (
        np.concatenate([components.transform(block / np.float32(255)) for block in blocks])
        for blocks in (np.array_split(images, 20), np.array_split(test_images, 20))
    )
    right = KNeighborsClassifier(VOTERS).fit(train, labels).score(test, test_labels)
    return {"test_vote_linear": right}


def codes(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Measure what codes tell of the digit.

    The vote is the share of test images whose digit is the most frequent among the nearest codes
    of training images.
    """
    vae = run.network()
    images, labels, test_images, test_labels = split(run.config, digits)
    voters = KNeighborsClassifier(VOTERS).fit(encode(vae, images)[0], labels)
    return {"test_vote": voters.score(encode(vae, test_images)[0], test_labels)}


def copies(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Count samples that are nearer to a training image than decoded test images of its digit are.

    One in a hundred innocent samples is called a copy too. As controls, the shares of training
    images that are found when they are blurred, and moved by a pixel.
    """
    vae = run.network()
    images, labels, test_images, _ = split(run.config, digits)
    noise = stream(run.config.seed, "copies")
    made = run.sample(torch.randn(ASKED_FOR_COPIES, vae.latent_dim, generator=noise))
    held_out = run.config.sample(vae, encode(vae, test_images[::HELD_OUT_STEP])[0])
    some = images[torch.randperm(len(images), generator=noise)[:ASKED_FOR_COPIES]]
    blurred = torch.tensor(gaussian_filter(some.numpy(), (0, BLUR, BLUR)))
    tried = torch.cat([held_out, made, blurred, some.roll(1, dims=2)])
    distance, index = metrics.nearest_up_to_shift(tried, images)
    digit, known = labels[index], len(held_out)
    limits = metrics.copy_limits(distance[:known], digit[:known])
    alarms, soft, moved = (distance < limits[digit])[known:].chunk(3)
    return {
        "copies": alarms.sum().item(),
        "copies_asked": ASKED_FOR_COPIES,
        "blurred_found": soft.float().mean().item(),
        "moved_found": moved.float().mean().item(),
    }


def doubtful(probabilities: torch.Tensor) -> dict[str, float]:
    """Share of images whose two likeliest digits are close, and how frequent two pairs are.

    Rank 1 is the most frequent of the 45 pairs among them.
    """
    (first, second), digits = (part.T for part in probabilities.topk(2, dim=1))
    close = first - second < DOUBT
    pairs = digits.T[close].sort(dim=1).values
    counts = {
        pair: int((pairs == torch.tensor(pair)).all(dim=1).sum())
        for pair in itertools.combinations(range(10), 2)
    }
    ranks = {
        f"rank_{low}_{high}": 1.0 + sum(n > counts[low, high] for n in counts.values())
        for low, high in ((4, 9), (1, 7))
    }
    return {"doubtful": close.double().mean().item()} | ranks


def pairs(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Find the samples that the classifier can't decide on."""
    judge = runs.recorded(ClassifierConfig()).network()
    noise = stream(run.config.seed, "pairs")
    z = torch.randn(len(digits.test_images), run.config.latent_dim, generator=noise)
    return doubtful(probabilities(judge, run.sample(z)))


def real_pairs(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Find the test images that the classifier can't decide on."""
    seen = probabilities(run.network(), torch.tensor(digits.test_images))
    return {f"real_{name}": value for name, value in doubtful(seen).items()}


def by_encoder(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Rebuild test images from their encoder's codes: all, and those that `by_descent` takes.

    Seconds are for one image, of one processor.
    """
    _, _, images, _ = split(run.config, digits)
    encode = run.config.codes
    few = rebuilt("encoder_first", run, images[:INVERTED], encode)
    return rebuilt("encoder", run, images, encode) | few


def by_descent(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Rebuild the first test images from codes that are searched for, otherwise likewise."""
    noise = stream(run.config.seed, "inverted")
    search = partial(metrics.invert, run.config, generator=noise)
    return rebuilt("descent", run, torch.tensor(digits.test_images[:INVERTED]), search)


def rebuilt(
    way: str, run: runs.Run, images: torch.Tensor, find: Callable[..., torch.Tensor]
) -> dict[str, float]:
    started = time.process_time()
    codes = find(run.network(), images)
    seconds = (time.process_time() - started) / len(images)
    judge = runs.recorded(ClassifierConfig()).network()
    found = comparison.rebuilt(run, codes, images, judge) | {"seconds": seconds}
    return {f"{way}_{name}": value for name, value in found.items()}


def few_labels(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Train classifiers of few labelled images in four ways, and count their errors on test images.

    Each sees as many images an epoch: the labelled ones again and again, as they are or distorted,
    and in two ways some that the network made of them. As a control, the share of these in which
    the classifier of all images sees the digit that was asked for.
    """
    images, labels, *unseen = split(run.config, digits)
    known = run.config.labelled(len(images))
    asked = torch.arange(SHOWN) % 10
    made = run.config.made(run.network(), asked)
    judge = runs.recorded(ClassifierConfig()).network()
    found = {"named_as_asked": accuracy(judge, made, asked)}
    for way, share, distorted in (
        ("plain", 0.0, False),
        ("distorted", 0.0, True),
        ("generated", MADE_SHARE, False),
        ("both", MADE_SHARE, True),
    ):
        more = round(share * SHOWN)
        again = known.repeat(SHOWN // len(known) + 1)[: SHOWN - more]
        shown = torch.cat([images[again], made[:more]]), torch.cat([labels[again], asked[:more]])
        config = ClassifierConfig(width=8, batch_size=50, distorted=distorted, seed=run.config.seed)
        state = training.start(config)
        for _ in training.train(state, config, *shown):
            pass
        found[f"errors_{way}"] = 1 - accuracy(state.network, *unseen)
    return found


def real_images(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Compare training images with the test images as samples are: no sample should do better."""
    reference = metrics.Reference(run.network(), torch.tensor(digits.test_images))
    images = torch.tensor(digits.train_images)
    some = torch.randperm(len(images), generator=stream(run.config.seed, "some real images"))
    real = reference.compare(images[some[: len(digits.test_images)]])
    return {f"real_{name}": value for name, value in real.items()}


def draws(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Measure images whose pixels are drawn from p(x|z), and means for test images' own codes."""
    vae, noise = run.network(), stream(run.config.seed, "draws")
    z = torch.randn(len(digits.test_images), run.config.latent_dim, generator=noise)
    made = as_bytes(in_blocks(vae, partial(vae.draw, generator=noise), z))
    judge = runs.recorded(ClassifierConfig()).network()
    found = metrics.Reference(judge, torch.tensor(digits.test_images)).compare(made)
    kept = ("frechet_distance", "precision", "recall", "sharpness")
    mean, log_variance = encode(vae, torch.tensor(digits.test_images))
    own = reparameterize(mean, log_variance, torch.randn(mean.shape, generator=noise))
    sharp = metrics.sharpness(run.config.sample(vae, own)).mean().item()
    return {f"draws_{name}": found[name] for name in kept} | {"own_sharpness": sharp}


def bits(run: runs.Run, digits: Digits) -> dict[str, float]:
    """Bound the bits of a test image in 256 levels from above, by (13) with one draw of z."""
    vae, noise = run.network(), stream(run.config.seed, "bits")
    _, _, images, _ = split(run.config, digits)

    def bound(block: torch.Tensor) -> torch.Tensor:
        x, (mean, log_variance) = as_unit(block), vae.encode(as_unit(block))
        z = reparameterize(mean, log_variance, torch.randn(mean.shape, generator=noise))
        return kl_to_standard_normal(mean, log_variance) - vae.levels(z, x)

    return {"test_bits": in_blocks(vae, bound, images).double().mean().item() / math.log(2)}


class Recording(NamedTuple):
    """What of a run is kept in the repository, where 16 MB are allowed in all, and measured."""

    kept: frozenset[str] = frozenset()
    measures: tuple[Measure, ...] = ()


EVERYTHING = frozenset({"weights", "losses", "samples"})
WEIGHTS = frozenset({"weights"})
SAMPLES = frozenset({"samples"})
NUMBERS: frozenset[str] = frozenset()
OF_VAE = (bounds, codes)
OF_BOTH = (pairs, by_encoder)

RUNS: dict[Model[Any], Recording] = {
    ClassifierConfig(): Recording(WEIGHTS, (real_images, real_pairs)),
    # The report's settings.
    VAEConfig(): Recording(EVERYTHING, (bounds, evidence, codes, linear_codes, copies, *OF_BOTH)),
    DCGANConfig(): Recording(EVERYTHING, (pairs, by_descent)),
    VAEConfig(latent_dim=20): Recording(EVERYTHING, (*OF_VAE, copies, *OF_BOTH, by_descent)),
    # What a DCGAN does without one of its parts, beside the first epochs of the whole.
    DCGANConfig(epochs=3, batch_norm=False): Recording(SAMPLES),
    DCGANConfig(epochs=3, weight_std=None): Recording(SAMPLES),
    DCGANConfig(epochs=3, k=5): Recording(SAMPLES),
    DCGANConfig(epochs=3, saturating=True): Recording(SAMPLES),
    # Cures where D is ahead, by numbers of a paper and of the ring.
    DCGANConfig(epochs=3, k=5, r1=10): Recording(SAMPLES),
    DCGANConfig(epochs=3, k=5, learning_rate=1e-3, discriminator_rate=2e-4): Recording(SAMPLES),
    # Other seeds, for intervals.
    **{VAEConfig(seed=seed): Recording(NUMBERS, OF_VAE) for seed in range(1, 5)},
    **{DCGANConfig(seed=seed): Recording(WEIGHTS, (pairs, by_descent)) for seed in (1, 2)},
    **{DCGANConfig(seed=seed): Recording(NUMBERS) for seed in (3, 4)},
    **{VAEConfig(latent_dim=20, seed=seed): Recording(NUMBERS, OF_VAE) for seed in range(1, 5)},
    # The report's log (claim C5): its split, a probable batch size, two weights of the KL.
    **{
        VAEConfig(beta=beta, batch_size=16, borrowed=5000, seed=seed): Recording(NUMBERS, OF_VAE)
        for seed in range(3)
        for beta in (1.0, 0.392)
    },
    # As good as these networks get here: longer, the VAEs with a falling learning rate.
    VAEConfig(epochs=30, anneal=True): Recording(WEIGHTS, (*OF_VAE, copies, *OF_BOTH)),
    VAEConfig(latent_dim=20, epochs=30, anneal=True): Recording(
        WEIGHTS, (*OF_VAE, copies, *OF_BOTH)
    ),
    DCGANConfig(epochs=40): Recording(NUMBERS),
    # Rates found by trainings of one to four epochs: G ten times as fast, D five times.
    DCGANConfig(learning_rate=2e-3, discriminator_rate=1e-3, average=0.999): Recording(WEIGHTS),
    # Both at once.
    VAEGANConfig(): Recording(EVERYTHING, (*OF_BOTH, by_descent)),
    **{VAEGANConfig(seed=seed): Recording(WEIGHTS, OF_BOTH) for seed in (1, 2)},
    # Other likelihoods of a pixel than coin flips.
    **{
        GreyVAEConfig(gaussian=gaussian, seed=seed): Recording(NUMBERS, (draws, bits))
        for seed in range(3)
        for gaussian in (False, True)
    },
    # Few labels, with samples and without (claim C14).
    **{
        CVAEConfig(labels=labels, seed=seed): Recording(NUMBERS, (few_labels,))
        for seed in range(5)
        for labels in (100, 300, 1000)
    },
    # What a falling rate does to a DCGAN.
    DCGANConfig(epochs=30, anneal=True): Recording(NUMBERS),
}


def measured(run: runs.Run, measures: tuple[Measure, ...], digits: Digits) -> dict[str, float]:
    return {name: x for measure in measures for name, x in measure(run, digits).items()}


def measure_anew(config: Model[Any], name: str, digits: Digits) -> None:
    """Measure a recorded run once more, by one of its measures; it must have its weights."""
    run = runs.recorded(config)
    again = tuple(one for one in RUNS[config].measures if one.__name__ == name)
    metrics = run.metrics | measured(run, again, digits)
    runs.save(replace(run, metrics=metrics), runs.RECORDED / runs.name(config))
    print(f"{runs.name(config)}: {metrics}")


def record(
    config: Model[Any],
    recording: Recording,
    digits: Digits,
    work: Path | None = None,
    recorded: Path | None = None,
    after: Callable[[State], None] | None = None,
) -> str:
    """Train, measure and keep a run; return its name."""
    run = runs.train(config, digits, (work or WORK) / runs.name(config), after=after)
    images, labels, _, _ = split(config, digits)
    kept = recording.kept
    run = replace(
        run,
        fingerprint=fingerprint(config, images, labels),
        metrics=measured(run, recording.measures, digits),
        weights=run.weights if "weights" in kept else {},
        losses=run.losses if "losses" in kept else run.losses[:0],
        samples=run.samples if "samples" in kept else run.samples[:, :0],
    )
    runs.save(run, (recorded or runs.RECORDED) / runs.name(config))
    print(f"{runs.name(config)} is recorded: {run.history[-1] | run.metrics}")
    return runs.name(config)


class BudgetSpent(BaseException):
    """The time that was given is over; a BaseException, so that nothing on the way takes it."""


@contextmanager
def budget(minutes: float | None) -> Iterator[None]:
    """Raise BudgetSpent in the middle of whatever is done when the time is over."""

    def stop(*_: Any) -> None:
        raise BudgetSpent

    if minutes is None:
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 60 * minutes)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, help="stop after so long; call again to go on")
    parser.add_argument("--only", default="", help="record runs whose name begins so")
    parser.add_argument("--measure", metavar="NAME", help="measure recorded runs anew, by NAME")
    parser.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="let this Dask scheduler's workers train, for example tcp://HOST:8786; they need this "
        "checkout and the data, but no folder in common (CONTRIBUTING.md)",
    )
    wanted = parser.parse_args()
    if wanted.minutes and not hasattr(signal, "setitimer"):
        parser.error("--minutes needs a timer that this system hasn't; stop by Ctrl-C instead")
    digits = load_mnist()
    if wanted.measure:
        for config, recording in RUNS.items():
            named = {measure.__name__ for measure in recording.measures}
            if wanted.measure in named and "weights" in recording.kept and runs.is_recorded(config):
                measure_anew(config, wanted.measure, digits)
        return
    missing = [
        config
        for config in RUNS
        if runs.name(config).startswith(wanted.only) and not runs.is_recorded(config)
    ]
    done, spent = 0, False
    recorded: Iterator[str] = (record(config, RUNS[config], digits) for config in missing)
    if wanted.dask and missing:
        from spread import spread  # which needs Dask

        recorded = spread(wanted.dask, {config: RUNS[config] for config in missing}, digits, WORK)
    try:
        with budget(wanted.minutes):
            for _ in recorded:
                done += 1
    except BudgetSpent:
        spent = True
        print("The time is over; the next call goes on from the last finished epoch.")
    print(f"{len(missing) - done} runs are missing.")
    if done < len(missing) and not spent:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
