"""Figures of the page on entropy and the Kullback-Leibler divergence."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from gencomp_utils.figures.shared import BLUE, GREY, ORANGE, PURPLE, VERMILLION, described, new

_STYLES: dict[str, dict[str, Any]] = {
    "A": {"color": ORANGE},
    "B": {"color": ORANGE, "linestyle": "--"},
    "forward KL": {"color": VERMILLION},
    "reverse KL": {"color": VERMILLION, "linestyle": "--"},
    "JS": {"color": PURPLE, "linewidth": 7, "alpha": 0.5, "zorder": 1},
}


def fits(x: np.ndarray, p: np.ndarray, models: Mapping[str, np.ndarray]) -> Figure:
    """Draw the data's density on a grid, and Gaussian models of it by their mean and std."""
    fig, ax = new()
    ax.fill_between(x, p, color=BLUE, alpha=0.3, lw=0, label="data p")
    peaks = " and ".join(f"{at:.1f}" for at in x[1:-1][np.diff(np.sign(np.diff(p))) < 0])
    told = f"Data, shaded, with peaks at {peaks}; mean and std of each model:"
    for name, (mean, std) in models.items():
        ax.plot(x, stats.norm(mean, std).pdf(x), label=name, **_STYLES[name])
        told += f" {name}, {mean:.1f} and {std:.1f};"
    ax.set(xlabel="x", ylabel="density", xlim=(-10, 10), ylim=(0, 0.45), xticks=range(-10, 11, 5))
    ax.legend(loc="upper right")
    return described(fig, told)


def tangent(t: np.ndarray) -> Figure:
    """Draw the logarithm below its tangent at 1, with a dot for each outcome's t = q/p."""
    fig, ax = new()
    x = np.linspace(0.15, 2.4, 200)
    ax.plot(x, x - 1, ":", color=GREY, label="tangent t − 1")
    ax.plot(x, np.log(x), color="black", label="log t")
    ax.plot(t, np.log(t), "o", color=VERMILLION, label="outcomes")
    ax.set(xlabel="t = q / p", ylabel="nats")
    ax.legend()
    return described(fig, f"The curve of log t touches its tangent at 1 and lies below; dots: {t}.")


def widths(distances: np.ndarray, stds: Mapping[str, np.ndarray]) -> Figure:
    """Draw the standard deviation of the best fits against the distance of the peaks."""
    fig, ax = new()
    for name, std in stds.items():
        ax.plot(distances, std, label=name, **_STYLES[name])
    ax.set(xlabel="distance d of the peaks", ylabel="std of the best q", ylim=(0, 4.5))
    ax.legend(loc="upper left")
    ends = ", ".join(f"{name} {std.max():.1f}, {std[-1]:.1f}" for name, std in stds.items())
    return described(fig, f"Widths rise with the distance; greatest and last: {ends}.")
