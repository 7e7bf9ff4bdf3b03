"""Figures of What to do when …."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from gencomp_utils.figures import speeds_and_lost_modes
from gencomp_utils.figures.shared import VERMILLION, described, image_rows, level, new


def games(clouds: Mapping[str, ArrayLike], modes: Mapping[str, ArrayLike]) -> Figure:
    """Draw eight games of each row, samples of shape (8, n, 2), by the modes they cover."""
    order = {name: np.argsort(np.asarray(found)) for name, found in modes.items()}
    rows = {name: np.asarray(some)[order[name], :400] for name, some in clouds.items()}
    found = [np.asarray(modes[name])[order[name]] for name in clouds]
    return speeds_and_lost_modes.all_games(rows, found)


def cures(rows: Mapping[str, ArrayLike]) -> Figure:
    """Draw samples of DCGANs whose discriminator is ahead, a row for each cure."""
    return described(
        image_rows(rows),
        "Plain: nearly alike patterns of crosses, no digit among them. With R1: rough digits on a "
        "grey ground. With a faster G: digits, a few of them broken.",
    )


def directions(kls: Mapping[str, ArrayLike], free: float) -> Figure:
    """Draw the KL of each direction of a linear VAE, by training, beside the free nats."""
    fig, ax = new(height=3.0)
    styles = ("o-", "s--")
    for (name, kl), style in zip(kls.items(), styles, strict=True):
        values = np.asarray(kl)
        ax.plot(
            np.arange(1, len(values) + 1),
            values,
            style,
            color=VERMILLION,
            mfc="w",
            ms=5,
            label=name,
        )
    level(ax, free, f"{free:g} nats", at=0.8)
    ax.set(xlabel="direction, most variance first", ylabel="KL, nats", xticks=[1, 5, 10, 15, 20])
    ax.legend()
    return described(
        fig,
        "Plain, the KL falls to 0 after direction 10. With free bits it follows down to "
        f"{free:g} nats and stays there for all the rest.",
    )


def priors(rows: Mapping[str, ArrayLike]) -> Figure:
    """Draw samples, a row for each prior of the codes."""
    return described(image_rows(rows), "Digits of both priors; those of the first fail more often.")
