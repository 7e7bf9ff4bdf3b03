"""Figures of PyTorch in fifteen minutes."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from gencomp_utils.figures.shared import BLUE, GREY, ORANGE, VERMILLION, bare, described, new

# What leads from a node to the next, and what the slope is multiplied by on the way back.
_WAYS = (("W x + b", ""), ("tanh a", "× (1 − h²)"), ("v · h + c", "× v"), ("½ (o − t)²", "o − t"))


def backpropagation(values: Mapping[str, ArrayLike], slopes: Mapping[str, ArrayLike]) -> Figure:
    """Draw a chain of nodes, with their values above and the loss's derivatives below."""
    fig, ax = new(height=2.6)
    bare(ax)
    ax.set(xlim=(-0.4, len(values) - 0.6), ylim=(-1.25, 1.25))
    for i, (name, value) in enumerate(values.items()):
        ax.text(i, 0, name, ha="center", va="center", bbox={"boxstyle": "circle", "fc": "white"})
        ax.text(i, 0.5, _column(value), ha="center", color=BLUE)
        below = _column(slopes.get(name, []))
        ax.text(i, -0.5, below, ha="center", va="top", color=VERMILLION)
    for i, way in enumerate(_WAYS):
        for side, text, color in zip((1, -1), way, (BLUE, VERMILLION), strict=True):
            ends = (i + 0.5 + 0.24 * side, 0.12 * side), (i + 0.5 - 0.24 * side, 0.12 * side)
            if text:
                ax.annotate("", *ends, arrowprops={"arrowstyle": "->", "color": color})
            at = "bottom" if side == 1 else "top"
            ax.text(i + 0.5, 0.18 * side, text, ha="center", va=at, color=color, size=10)
    told = "; ".join(f"{k}: {_column(v)}" for k, v in [*values.items(), *slopes.items()])
    return described(fig, f"A chain. Values, then slopes: {told}.".replace("\n", ", "))


def _column(numbers: ArrayLike) -> str:
    return "\n".join(f"{x:.2f}".replace("-", "−") for x in np.atleast_1d(numbers))


def fit(title: str, train: ArrayLike, grid: ArrayLike, truth: ArrayLike, now: ArrayLike) -> Figure:
    """Draw training points, shape (2, n), the true curve and the network's."""
    fig, ax = new()
    ax.plot(*np.asarray(train), ".", color=GREY, ms=3, label="training points")
    ax.plot(grid, truth, "--", color=BLUE, label="true curve")
    ax.plot(grid, now, color=ORANGE, label="network")
    ax.set(xlabel="x", ylabel="y", ylim=(-2.6, 2.6))
    ax.set_title(title, size=12)
    ax.legend(loc="lower right", fontsize=10)
    return described(fig, f"The network's curve over the points and the true curve: {title}.")
