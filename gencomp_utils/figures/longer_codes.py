"""Figures of Longer codes."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from gencomp_utils.figures.shared import (
    BLUE,
    SKY,
    ByEpoch,
    curves,
    described,
    image_rows,
    level,
    new,
)


def samples(rows: Mapping[str, np.ndarray]) -> Figure:
    """Draw decoded draws from the prior, a row for means and one for pixel draws of each code."""
    return described(
        image_rows(rows),
        "Four rows of eight images. Means from two-dimensional codes are smooth, broad-stroked "
        "digits, some undecided. Means from the longer codes have crisper strokes and more "
        "variety, and some are no digit. Draws have speckled edges in both.",
    )


def losses(plane: Sequence[ByEpoch], long: Sequence[ByEpoch], yours: Sequence[ByEpoch]) -> Figure:
    """Draw the test loss of recorded trainings by epoch, and the reader's over them."""
    fig, ax = new(height=3.2)
    for label, some, colour in (("2 dimensions", plane, SKY), ("20 dimensions", long, BLUE)):
        curves(ax, {label: some}, "test_loss", marker="", linewidth=1, color=colour)
    if yours:
        curves(ax, {"your run": yours}, "test_loss", color="k", linestyle="--")
    ax.set_ylabel("test loss (7), nats per image")
    ax.legend()
    return described(
        fig,
        "Falling lines over seven epochs. Those of two-dimensional codes nearly coincide and end "
        "near 146 nats; those of twenty-dimensional codes end between 102 and 105.",
    )


def by_dimension(kl: np.ndarray) -> Figure:
    """Draw the KL of each code dimension, largest first, beside the limit of 0.01 nats."""
    fig, ax = new(height=3.0)
    ax.bar(range(1, len(kl) + 1), np.sort(kl)[::-1], color=BLUE)
    level(ax, 0.01, "0.01 nats", at=0.8)
    ticks = range(1, len(kl) + 1, 1 if len(kl) < 12 else 3)
    ax.set(
        xlabel="code dimension, in order of its KL", ylabel="KL, nats", yscale="log", xticks=ticks
    )
    return described(
        fig,
        "Bars in falling order on a logarithmic scale. The first ones stand between one and three "
        "nats; then there is a cliff, and the others stay about a thousand times lower.",
    )
