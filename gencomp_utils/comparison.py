"""Models of different kinds side by side: a card for each, and one table of them."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gencomp_utils import runs, training, verdicts
from gencomp_utils.data import Digits
from gencomp_utils.metrics.codes import squared_error
from gencomp_utils.metrics.samples import frechet_distance, precision_recall, sharpness
from gencomp_utils.metrics.two_samples import density_coverage, kernel_distance
from gencomp_utils.models import base
from gencomp_utils.models.base import Measured, Model
from gencomp_utils.models.classifier import Classifier, features
from gencomp_utils.runs import Run

_SEEDS = range(5)
QUANTITIES = {  # by key: name, format, and which value is best, if any is
    "frechet_distance": ("Fréchet distance", ".2f", "low"),
    "kernel_distance": ("kernel distance", "z.3f", "low"),
    "kernel_error": ("– its standard error", ".3f", ""),
    "precision": ("precision", ".2f", "high"),
    "recall": ("recall", ".2f", "high"),
    "coverage": ("coverage", ".2f", "high"),
    "sharpness": ("sharpness of samples", ".3f", ""),
    "sharpness_off": ("– less that of real images", "+.3f", "zero"),
    "sharpness_rebuilt": ("sharpness of reconstructions", ".3f", ""),
    "pixel_error": ("reconstruction error, pixels", ".1f", "low"),
    "feature_error": ("reconstruction error, features", ".1f", "low"),
    "test_elbo": ("bound (13), nats", ".1f", "high"),
    "test_importance_weighted": ("bound with 100 draws, nats", ".1f", "high"),
    "copies": ("called copies, of 200", ".0f", ""),
    "weights": ("weights kept, thousands", ",.0f", ""),
    "weights_trained": ("weights trained, thousands", ",.0f", ""),
    "products": ("million products a sample", ".2f", ""),
    "products_trained": ("million products a training image", ".2f", ""),
    "milliseconds": ("ms a sample, here", ".2f", ""),
    "seconds_an_epoch": ("seconds, fastest epoch", ".0f", "low"),
    "epochs": ("epochs", ".0f", ""),
}


def card(run: Run, digits: Digits, judge: Classifier, count: int = 10_000) -> Measured:
    """Measure a trained model anew, by the keys of ``QUANTITIES`` that it has.

    `count` samples, at least 20, stand beside the first `count` test images, in the features of a
    classifier. If there is an encoder, the images are rebuilt from their codes; squared errors are
    sums over pixels in [0, 1], or over features. Products are those of one sample, and of training
    on one image, forward and backward. Bounds and copies are those recorded with the run, and
    seconds those of its training.
    """
    network, config = run.network(), run.config
    images = torch.tensor(digits.test_images[:count])
    noise = base.stream(config.seed, "measured anew")
    z = torch.randn(len(images), config.latent_dim, generator=noise)
    started = time.perf_counter()
    samples = config.sample(network, z)
    found = _noted(run) | {"milliseconds": 1000 * (time.perf_counter() - started) / len(z)}
    found |= beside(samples, images, judge)
    found["weights"] = _weights([network])
    found["weights_trained"] = _weights(config.networks().values())
    a_sample = training.multiply_adds(lambda: config.sample(network, z[:1]))
    found["products"] = a_sample / 1e6
    found["products_trained"] = training.multiply_adds_an_image(config) / 1e6
    try:
        codes = config.codes(network, images)
    except NotImplementedError:
        return found
    return found | rebuilt(run, codes, images, judge)


def rebuilt(run: Run, codes: Tensor, images: Tensor, judge: Classifier) -> Measured:
    """Measure what a run decodes from codes of images in bytes, by a card's keys."""
    made = run.sample(codes)
    apart = features(judge, made) - features(judge, images)
    return {
        "pixel_error": squared_error(images, made).mean().item(),
        "feature_error": apart.square().sum(dim=1).mean().item(),
        "sharpness_rebuilt": sharpness(made).mean().item(),
    }


def beside(samples: Tensor, images: Tensor, judge: Classifier) -> Measured:
    """Measure samples beside as many real images, both in bytes, in a classifier's features."""
    made, real = features(judge, samples), features(judge, images)
    found = {"sharpness": sharpness(samples).mean().item()}
    found["sharpness_off"] = found["sharpness"] - sharpness(images).mean().item()
    found["frechet_distance"] = frechet_distance(real, made)
    found["precision"], found["recall"] = precision_recall(real, made)
    found["coverage"] = density_coverage(real, made)[1]
    both = kernel_distance(real, made, block=min(1000, len(real) // 10))
    found["kernel_distance"], found["kernel_error"] = both
    return found


def floor(judge: Run, digits: Digits, count: int = 10_000) -> Measured:
    """Measure training images as if they were samples; what the run recorded of them replaces it.

    This is what a perfect model would get, by the keys that :func:`beside` gives.
    """
    made, images = (torch.tensor(x[:count]) for x in (digits.train_images, digits.test_images))
    recorded = {key.removeprefix("real_"): value for key, value in judge.metrics.items()}
    return beside(made, images, judge.network()) | {"sharpness_off": 0.0} | recorded


def rows(
    cards: Mapping[str, Measured], trained: Mapping[str, Run], real: Measured
) -> list[tuple[str, ...]]:
    """Lay cards of trained models out: quantities as rows, models as columns, real images last.

    What was noted of all recorded seeds of a model replaces its card's value by a mean, ± half a
    95% interval. The best of these intervals is set bold if no other overlaps it.
    """
    noted = {
        model: [_noted(one, real["sharpness"]) for one in _recorded_seeds(run.config)]
        for model, run in trained.items()
    }
    listed = []
    for key, (name, form, best) in QUANTITIES.items():
        values = {}
        for model, some in cards.items():
            several = [one.get(key) for one in noted[model]]
            values[model] = several if several and None not in several else [some.get(key)]
        winner = _winner(values, best)
        cells = [_cell(some, form, model == winner) for model, some in values.items()]
        listed.append((name, *cells, _cell([real.get(key)], form)))
    return listed


def _recorded_seeds(config: Model[Any]) -> list[Run]:
    """Read the recorded runs that differ from these settings in the seed alone."""
    several = [replace(config, seed=seed) for seed in _SEEDS]
    return [runs.recorded(one) for one in several if runs.is_recorded(one)]


def _winner(values: Mapping[str, Sequence[Any]], best: str) -> str:
    """Name the model whose interval is beyond those of all others that have one."""
    if not best:
        return ""
    sign, flat = (-1 if best == "high" else 1), (np.abs if best == "zero" else np.asarray)
    several = {name: flat(some) for name, some in values.items() if len(some) > 1}
    ends = {name: verdicts.interval(sign * some) for name, some in several.items()}
    first, *others = sorted(ends, key=lambda name: ends[name].mean) or [""]
    beyond = others and all(ends[first].high < ends[other].low for other in others)
    return first if beyond else ""


def _cell(values: Sequence[Any], form: str, bold: bool = False) -> str:
    if values[0] is None:
        return "–"
    mean, _, high = verdicts.interval(values)
    several = len(values) > 1 and high > mean
    text = f"{mean:{form}}" + (f" ± {high - mean:{form.lstrip('+')}}" if several else "")
    return f"**{text}**" if bold else text


def _noted(run: Run, sharpness_of_real: float = 0.0) -> Measured:
    """Give what was noted after the training, with its seconds and epochs."""
    noted = run.history[-1] | run.metrics | {"epochs": float(run.config.epochs)}
    noted["seconds_an_epoch"] = min(run.provenance["seconds"])
    noted["sharpness_off"] = noted["sharpness"] - sharpness_of_real
    return {key: value for key, value in noted.items() if key in QUANTITIES}


def _weights(networks: Iterable[nn.Module]) -> float:
    return sum(some.numel() for part in networks for some in part.parameters()) / 1000
