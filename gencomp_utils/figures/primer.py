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


def chord_and_tangent() -> Figure:
    """Draw the logarithm, a chord below it and a tangent above."""
    grid = np.linspace(0.4, 10, 300)
    fig, ax = new()
    ax.plot(grid, np.log(grid), label="log x")
    ax.plot(grid, np.log(5) + (grid - 5) / 5, ":", label="tangent at 5")
    ax.plot([1, 9], np.log([1, 9]), "--o", label="chord")
    ax.plot([5, 5], np.log([3, 5]), color=VERMILLION, lw=5)
    ax.text(5.2, 0.8, "gap = log 5 − log 3", color=VERMILLION)
    ax.set(xlabel="x", ylabel="logarithm (nats)", ylim=(-1, 2.8))
    ax.legend(loc="lower right")
    text = (
        "A chord joins points of the logarithm at 1 and 9 and runs below it; a tangent touches it "
    )
    return described(fig, f"{text}at 5 and runs above. A thick bar leads from chord to curve at 5.")


def change(draws: Array, y: Array, right: Array, wrong: Array) -> Figure:
    """Draw a histogram of exp(x), the density, and what it is with the slope forgotten."""
    bins = np.linspace(0, 6, 61)
    shares = np.histogram(draws, bins)[0] / len(draws) / np.diff(bins)
    fig, ax = new()
    ax.stairs(shares, bins, fill=True, color="lightgrey", label=f"{len(draws):,} draws")
    ax.plot(y, right, label="divided by the slope")
    ax.plot(y, wrong, "--", label="slope forgotten")
    ax.set(xlabel="y = exp(x)", ylabel="density", xlim=(0, 6))
    ax.legend(loc="upper right")
    text = "A histogram has a steep peak below 1 and a long tail. The solid line follows it. The "
    return described(fig, f"{text}dashed one has its peak at 1 and lies far above from there on.")
