"""Figures of Claims put to the test."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from gencomp_utils.figures.shared import ORANGE, ByEpoch, curves, described, new


def seeds(runs: Sequence[ByEpoch]) -> Figure:
    """Draw the test loss of trainings that differ by their seeds, from epoch 3 on."""
    fig, ax = new(height=3.0)
    for seed, (run, marker) in enumerate(zip(runs, "os^Dv", strict=False)):
        curves(ax, {f"seed {seed}": run}, "test_loss", start=3, marker=marker, linewidth=1.2)
    ax.set_ylabel("test loss, nats per image")
    ax.legend()
    return described(
        fig,
        "Test loss from epoch 3 to epoch 7, one line for each seed. The lines fall by three nats "
        "or more, cross each other several times, and end within one and a half nats.",
    )


def two_scales(runs: Sequence[ByEpoch]) -> Figure:
    """Draw the Fréchet distance of trainings over all epochs, and over the later ones."""
    fig, (whole, late) = new(height=2.8, columns=2)
    for ax, start in ((whole, 1), (late, 10)):
        curves(ax, runs, "frechet_distance", start=start, marker="", linewidth=1, color=ORANGE)
        ax.set(ylabel="Fréchet distance", ylim=(0, None))
    return described(
        fig,
        "Two panels of the same five curves. Over epochs 1 to 20 the distance falls from about 10 "
        "to about 1 by epoch 10 and then looks flat. Over epochs 10 to 20 alone it falls by a "
        "third.",
    )


def confusion(percent: np.ndarray) -> Figure:
    """Draw a table of shares in percent, shape (10, 10), with those from 1% on in figures."""
    fig, ax = new(width=5.4, height=4.8)
    ax.imshow(percent, cmap="Blues", vmin=0, vmax=200)
    for digit, answer in np.argwhere(percent >= 1):
        text = f"{percent[digit, answer]:.0f}"
        ax.text(answer, digit, text, ha="center", va="center", fontsize=10)
    ax.set(xlabel="digit by the vote of codes", ylabel="digit", xticks=range(10), yticks=range(10))
    return described(
        fig,
        "A ten by ten table of percentages. The diagonal is darkest for 0 and 1. Off the diagonal, "
        "4 and 9 stand for each other, and so do 3, 5 and 8.",
    )
