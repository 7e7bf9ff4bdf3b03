"""Figures of the page on the Jensen-Shannon divergence."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from gencomp_utils.figures.shared import BLUE, GREY, ORANGE, described, new


def shares(kinds: list[str], distributions: Mapping[str, np.ndarray]) -> Figure:
    """Draw the shares of a few kinds of image: data, model and their average."""
    fig, ax = new(height=3.0)
    told = []
    for i, (name, values) in enumerate(distributions.items()):
        at = np.arange(len(kinds)) + 0.27 * (i - 1)
        color, hatch = ((BLUE, ""), (ORANGE, ""), (GREY, "//"))[i]
        fill = {"fill": False, "edgecolor": color} if hatch else {"color": color}
        ax.bar(at, values, 0.25, label=name, hatch=hatch, **fill)
        told.append(f"{name} {', '.join(f'{value:.2f}' for value in values)}")
    ax.set_xticks(range(len(kinds)), kinds)
    ax.set(ylabel="probability", ylim=(0, 0.6))
    ax.legend(loc="upper right")
    return described(fig, f"Bars for {', '.join(kinds)}: {'; '.join(told)}.")
