"""Figures of the page "The minimax game"."""

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from gencomp_utils.distributions import FloatArray
from gencomp_utils.figures.shared import BLUE, GREEN, GREY, ORANGE, bare, described, level, new


def players() -> Figure:
    """Draw who hands what to whom, from the noise to the loss, and the gradients back."""
    fig, ax = new(height=2.5)
    bare(ax)
    ax.set(xlim=(0, 10), ylim=(-0.5, 3))
    ax.text(4.5, -0.3, "gradients", color=GREY, ha="center", va="center")
    for x, y, text, colour, *ends in (
        (0.6, 0.6, "noise\n$z$", GREY, (1.75, 0.6)),
        (2.5, 0.6, "generator\n$G$", ORANGE, (3.95, 0.6)),
        (4.5, 0.6, "sample\n$G(z)$", ORANGE, (6, 1.3)),
        (4.5, 2.4, "data\n$x$", BLUE, (6, 1.7)),
        (7, 1.5, "discriminator\n$D$", GREEN, (9.05, 1.5), (2.5, 0.15)),
        (9.4, 1.5, "loss", "black", (7.4, 1.05)),
    ):
        for end in ends:
            arrow = {"arrowstyle": "->", "color": GREY}
            if back := end[0] < x:
                arrow |= {"linestyle": "--", "connectionstyle": "arc3,rad=-0.35"}
            ax.annotate("", end, (x, y - 0.3 * back), arrowprops=arrow)
        box = {"boxstyle": "round", "facecolor": "white", "edgecolor": colour, "linewidth": 2}
        ax.text(x, y, text, ha="center", va="center", bbox=box)
    text = "Boxes and arrows: noise z, generator G, sample G(z), discriminator D, loss. Data x also"
    return described(fig, f"{text} enter D. Dashed arrows run back from the loss to D and to G.")


def line(
    i: int, x: FloatArray, frames: dict[int, tuple[float, float, FloatArray]], losses: FloatArray
) -> Figure:
    """Draw densities and D after iteration i, and both losses of all iterations."""
    a, b, answers = frames[i]
    fig, (top, bottom) = new(height=4.8, rows=2, height_ratios=(3, 2))
    top.plot(x, stats.norm.pdf(x, 3, 0.5), color=BLUE, label="$p_{data}$")
    top.plot(x, stats.norm.pdf(x, a, b), color=ORANGE, label="$p_g$")
    top.plot(x, answers, color=GREEN, label="D(x)")
    top.set(xlabel="x", ylabel="density; D(x)", xlim=(-4, 8), ylim=(0, 1.9))
    top.legend(loc="upper left")
    for values, colour, rest in ((losses[:, 0], GREEN, 4), (losses[:, 1], ORANGE, 2)):
        bottom.plot(values, color=colour, lw=1, label="D's loss" if rest == 4 else "G's loss")
        bottom.plot(i - 1, values[i - 1], "o", color=colour)
        level(bottom, np.log(rest))
    bottom.set(xlabel="iteration", ylabel="nats")
    bottom.legend(loc="upper right", ncols=2)
    text = f"Peaks: the generator's at {a:.1f}, width {b:.2f}; the data's at 3, width 0.50."
    return described(fig, f"{text} D's loss is {losses[i - 1, 0]:.1f} nats.")
