"""Figures of the page on measuring samples."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import ArrayLike

from gencomp_utils.figures import shared
from gencomp_utils.figures.shared import BLUE, GREY, ORANGE, SKY, VERMILLION, described, new


def balls(real: np.ndarray, fake: np.ndarray, good: np.ndarray, found: np.ndarray) -> Figure:
    """Draw balls around points, to their third neighbour, and whether the others lie in them."""
    fig, axes = new(height=3.0, columns=2, sharex=True, sharey=True)
    for ax, centres, points, inside in zip(
        axes, (real, fake), (fake, real), (good, found), strict=True
    ):
        apart = np.linalg.norm(centres[:, None] - centres, axis=2)
        for centre, radius in zip(centres, np.sort(apart)[:, 3], strict=True):
            ax.add_patch(Circle(centre, radius, color=SKY, alpha=0.15, lw=0))
        ax.plot(*points[inside].T, "o", color=BLUE, markersize=4)
        ax.plot(*points[~inside].T, "x", color=VERMILLION, markersize=4)
        ax.set(aspect="equal", xlim=(-4.5, 4.5), ylim=(-3.2, 3.2), xlabel="first feature")
    axes[0].set_ylabel("second feature")
    axes[0].set_title(f"fakes in real balls: precision {good.mean():.3f}", fontsize=10)
    axes[1].set_title(f"real ones in fake balls: recall {found.mean():.3f}", fontsize=10)
    alt = "Left, balls around two clusters; most fakes lie in the right one, and a clump in none."
    return described(fig, f"{alt} Right, balls around the fakes; the left real cluster is outside.")


def one_of_two() -> tuple[np.ndarray, np.ndarray]:
    """Make two clusters of points in the plane, and a generator's: one of them, and strays."""
    rng = np.random.default_rng(1)
    real = [rng.normal([x, 0], 0.6, (40, 2)) for x in (-2, 2)]
    strays = rng.normal([0, 1.8], 0.2, (12, 2))
    return np.concatenate(real), np.concatenate([rng.normal([2, 0], 0.6, (68, 2)), strays])


def sizes(
    counts: Sequence[int],
    distances: Mapping[str, Sequence[float]],
    kernel: Mapping[str, Sequence[tuple[float, float]]],
) -> Figure:
    """Draw Fréchet distances, with lines from the two largest counts', and kernel distances."""
    fig, (left, right) = new(height=3.0, columns=2)
    x, ends = 1 / np.array(counts), np.array([0, 1 / counts[0]])
    for name, color, shift in zip(distances, (GREY, ORANGE, SKY), (-9, 0, 9), strict=True):
        values = distances[name]
        slope = (values[-2] - values[-1]) / (x[-2] - x[-1])
        left.plot(x, values, "o", color=color)
        left.plot(ends, values[-1] + slope * (ends - x[-1]), ":", color=color)
        means, errors = np.transpose(kernel[name])
        right.errorbar(
            np.array(counts[:3]) + shift, means, errors, fmt="o", color=color, label=name
        )
    left.set_xticks([0, *x[2::-1]], ["∞", *counts[2::-1]])
    left.set(xlabel="images (scale of 1/n)", ylabel="Fréchet distance", ylim=(0, None))
    right.legend(loc="center")
    shared.level(right, 0)
    right.set(xlabel="images in a block", ylabel="kernel distance", xticks=counts[:3])
    alt = "The Fréchet distances of real images, a DCGAN and a VAE rise with 1/n, nearly on lines."
    return described(fig, f"{alt} The kernel distances stay at 0, near 0, and at 0.08.")


def stops(distances: np.ndarray, rules: Mapping[str, np.ndarray]) -> Figure:
    """Draw distances, shape (runs, epochs), and which epochs, from 0, each rule chooses."""
    fig, ax = new(height=3.0)
    shared.curves(ax, distances, color=ORANGE, linewidth=1, marker="")
    for (name, at), marker in zip(rules.items(), "vs^", strict=True):
        chosen = distances[range(len(at)), at]
        ax.plot(at + 1, chosen, marker, color="black", fillstyle="none", label=name)
    ax.set(ylabel="Fréchet distance", yscale="log", yticks=[1, 10], yticklabels=["1", "10"])
    ax.legend()
    return described(fig, "Five curves fall from about 10 to 0.7. Two rules stop in epochs 3 to 6.")


def copies(
    held_out: Sequence[ArrayLike], planted: Sequence[ArrayLike], limits: ArrayLike
) -> Figure:
    """Draw distances of held-out images and of planted copies by digit, with the limits."""
    fig, ax = new(height=3.4)
    for pair, color, side in ((held_out, BLUE, -0.2), (planted, VERMILLION, 0.2)):
        digit, distance = map(np.asarray, pair)
        jitter = np.random.default_rng(0).uniform(-0.15, 0.15, len(digit))
        ax.plot(digit + side + jitter, distance, ".", color=color, markersize=2.5)
    ax.hlines(limits, np.arange(10) - 0.4, np.arange(10) + 0.4, color="black")
    ax.set(xlabel="digit", ylabel="distance to the nearest", xticks=range(10), ylim=(0, None))
    return described(fig, "Above a limit for each digit most held-out images, below most copies.")
