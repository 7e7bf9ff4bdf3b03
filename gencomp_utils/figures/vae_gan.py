"""Figures of VAE/GAN."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from gencomp_utils.figures import shared
from gencomp_utils.figures.shared import BLUE, GREEN, ORANGE, ByEpoch, described, new


def rebuilt(rows: Mapping[str, ArrayLike]) -> Figure:
    """Draw twelve real images above their reconstructions by each model."""
    return described(
        shared.image_rows({name: np.asarray(images)[:12] for name, images in rows.items()}),
        "Twelve test images, and below them what two models rebuild from their codes. The VAE's "
        "are the same digits with soft, pale edges. The VAE/GAN's have dark strokes with sharp "
        "edges, at times bent in another way than the real ones.",
    )


def changed(rows: Mapping[str, ArrayLike]) -> Figure:
    """Draw twelve real images above the same shifted and the same blurred."""
    return described(
        shared.image_rows({name: np.asarray(images)[:12] for name, images in rows.items()}),
        "Twelve test images; the same one pixel further right, which the eye hardly sees; the same "
        "blurred, which it sees at once.",
    )


def epoch(samples: np.ndarray, number: int) -> Figure:
    """Draw 32 samples after an epoch, of shape (epochs, n, 28, 28), in 16 greys to weigh less."""
    fig, ax = new(height=3.3)
    shared.show_images(ax, np.round(samples[number - 1][:32] / 17) / 15, rows=4, columns=8)
    return described(fig, f"Images of 32 draws from the prior after epoch {number}, sharp-edged.")


def distances(groups: Mapping[str, Sequence[ByEpoch]], floor: float) -> Figure:
    """Draw the Fréchet distance by epoch: VAE/GANs, VAEs and DCGANs, in this order."""
    fig, ax = new(height=3.2)
    for (name, some), color in zip(groups.items(), (GREEN, BLUE, ORANGE), strict=True):
        shared.curves(ax, {name: some}, "frechet_distance", color=color, linewidth=1.2)
    shared.level(ax, floor, "real images", at=0.75)
    ax.set(ylabel="Fréchet distance", yscale="log", yticks=[0.1, 1, 10])
    ax.set_yticklabels(["0.1", "1", "10"])
    ax.legend()
    return described(fig, "Falling lines by epoch on a logarithmic scale, far above a dotted one.")
