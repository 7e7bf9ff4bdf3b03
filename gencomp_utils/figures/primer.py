"""Figures of the primer."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from gencomp_utils.figures.shared import BLUE, GREY, SKY, VERMILLION, described, level, new

Array = NDArray[np.float64]


def running_means(counts: Array, means: Array, truth: float, std: float) -> Figure:
    """Draw running means, shape (runs, len(counts)), over bands of one and two standard errors."""
    fig, ax = new()
    for k, alpha in ((2, 0.2), (1, 0.3)):
        band = k * std / np.sqrt(counts)
        ax.fill_between(counts, truth - band, truth + band, color=GREY, alpha=alpha, lw=0)
    for row, style in zip(means, ("-", "--", ":"), strict=True):
        ax.plot(counts, row, linestyle=style)
    level(ax, truth)
    ax.set(xscale="log", xlabel="draws n", ylabel="mean of n draws", ylim=(0.5, 3))
    text = f"A grey funnel narrows to the right around {truth:.2f}; three curves settle inside it."
    return described(fig, text)


def conditional(both: float, noise: Array) -> Figure:
    """Draw a Gaussian of this correlation, and its first coordinate where the second is 1."""
    width, angle = np.sqrt(1 - both**2), np.linspace(0, 2 * np.pi, 200)
    x = np.linspace(-3.5, 3.5, 301)
    factor = np.array([[1, 0], [both, width]])
    fig, (left, right) = new(columns=2)
    left.plot(*(factor @ noise), ".", color=SKY, ms=4)
    for radius in (1, 2):
        left.plot(*(radius * factor @ [np.cos(angle), np.sin(angle)]), color=BLUE, lw=1.5)
    left.axhline(1, color=VERMILLION, linestyle="--")
    left.set_title("dashed: x₂ = 1", size=12)
    left.set(xlabel="x₁", ylabel="x₂", aspect="equal")
    left.set(xlim=(-3.5, 3.5), ylim=(-3.5, 3.5), yticks=range(-3, 4))
    right.plot(x, stats.norm.pdf(x), ":", color=GREY)
    right.text(-3.4, 0.16, "x₂ not\nseen", color=GREY)
    right.plot(x, stats.norm(both, width).pdf(x), color=VERMILLION)
    title = f"mean {both:.1f}, std {width:.2f}".replace("-", "−")
    right.set_title(title, size=12)
    right.set(xlabel="x₁", ylabel="density", ylim=(0, 1))
    text = f"Left, draws and ellipses for correlation {both:.1f}, cut at height 1. Right, {title}."
    return described(fig, text)
