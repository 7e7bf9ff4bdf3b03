"""Figures of the training laboratory."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from matplotlib.figure import Figure

from gencomp_utils.figures import shared


def beside(
    seeds: Sequence[shared.ByEpoch],
    runs: Mapping[str, shared.ByEpoch],
    keys: Mapping[str, str],
    start: int = 1,
) -> Figure:
    """Draw runs, in three line styles, over repetitions of another; a panel for each key."""
    fig, axes = shared.new(height=4.6, rows=len(keys), sharex=True)
    told, colour = [], shared.ORANGE if "discriminator_loss" in keys else shared.SKY
    for ax, (key, name) in zip(axes, keys.items(), strict=True):
        thin: dict[str, Any] = {"color": shared.GREY, "linewidth": 0.8, "marker": ""}
        shared.curves(ax, {"recorded seeds": seeds}, key, start, **thin)
        for (label, run), style in zip(runs.items(), cycle(("-", "--", ":")), strict=False):
            look = {"color": colour, "linestyle": style, "marker": ""}
            shared.curves(ax, {label: run}, key, start, **look)
            told.append(f"{label}, {name}: {run.by_epoch(key)[-1]:.2f}")
        ax.set_ylabel(name)
    axes[0].legend()
    return shared.described(
        fig, f"Curves by epoch over thin grey ones. At the end {'; '.join(told)}."
    )
