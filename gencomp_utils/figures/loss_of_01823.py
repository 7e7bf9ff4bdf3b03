"""Figures of the page on 0.1823."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from gencomp_utils.figures.shared import BLUE, GREY, SKY, described, new

Log = Mapping[int, tuple[float, float]]


def logs(printed: Mapping[str, Log], ours: Mapping[str, np.ndarray]) -> Figure:
    """Draw training losses: printed ones as marks, ours, shape (seeds, epochs, 2), as bands."""
    fig, ax = new(height=3.6)
    for (label, runs), colour, style in zip(ours.items(), (BLUE, SKY), ("-", "--"), strict=True):
        train = runs[:, 1:, 0]
        epochs = np.arange(2, train.shape[1] + 2)
        ax.plot(epochs, train.mean(axis=0), style, color=colour, label=label)
        ax.fill_between(epochs, train.min(axis=0), train.max(axis=0), color=colour, alpha=0.25)
    for (label, log), mark, colour in zip(printed.items(), "XD", ("black", GREY), strict=True):
        losses = [train for train, _ in log.values()]
        ax.plot(list(log), losses, mark, color=colour, label=label)
    ax.set(xlabel="epoch", ylabel="training loss per pixel, nats")
    ax.legend(ncols=2)
    return described(
        fig,
        "Two falling bands over epochs two to seven. The one for β = 1 lies above all marks of the "
        "report and of the textbook. The marks lie close together, begin a little above the band "
        "for β = 0.392 and end at its lower edge.",
    )
