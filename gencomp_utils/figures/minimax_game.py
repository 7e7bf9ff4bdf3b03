"""Figures of the page "The minimax game"."""

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from gencomp_utils.distributions import FloatArray
from gencomp_utils.figures.shared import BLUE, GREEN, ORANGE, described, level, new


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
