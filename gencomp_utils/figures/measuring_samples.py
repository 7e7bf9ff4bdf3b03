"""Figures of the page on measuring samples."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle

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
    axes[0].set_title("fakes in real balls: precision", fontsize=11)
    axes[1].set_title("real ones in fake balls: recall", fontsize=11)
    alt = "Left, balls around two clusters; most fakes lie in the right one, and a clump in none."
    return described(fig, f"{alt} Right, balls around the fakes; the left real cluster is outside.")


def sizes(counts: Sequence[int], distances: Mapping[str, Sequence[float]]) -> Figure:
    """Draw distances, and lines from those of the two largest counts, against 1 / count."""
    fig, ax = new(height=3.0)
    x = 1 / np.array(counts)
    for (name, values), color in zip(distances.items(), (GREY, ORANGE), strict=True):
        slope = (values[-2] - values[-1]) / (x[-2] - x[-1])
        ax.plot(x, values, "o", color=color, label=name)
        ax.plot([0, x[0]], values[-1] + slope * (np.array([0, x[0]]) - x[-1]), ":", color=color)
    ax.set_xticks([0, *x], ["∞", *counts])
    ax.set(xlabel="images in each set (scale of 1/n)", ylabel="Fréchet distance", ylim=(0, None))
    ax.legend()
    return described(fig, "Both distances rise with 1/n, nearly on lines; the DCGAN's is higher.")


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


def copies(held_out: Sequence[np.ndarray], planted: np.ndarray, limits: np.ndarray) -> Figure:
    """Draw distances of held-out images and of planted copies by digit, with the limits."""
    fig, ax = new(height=3.4)
    for (digit, distance), color, side in ((held_out, BLUE, -0.2), (planted, VERMILLION, 0.2)):
        jitter = np.random.default_rng(0).uniform(-0.15, 0.15, len(digit))
        ax.plot(digit + side + jitter, distance, ".", color=color, markersize=2.5)
    ax.hlines(limits[:10], np.arange(10) - 0.4, np.arange(10) + 0.4, color="black")
    shared.level(ax, limits[10], "one limit for all", at=0.3)
    ax.set(xlabel="digit", ylabel="distance to the nearest", xticks=range(10), ylim=(0, 9))
    return described(fig, "Above a limit for each digit most held-out images, below most copies.")
