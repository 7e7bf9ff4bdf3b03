"""Figures of the page on the Jensen-Shannon divergence."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from gencomp_utils.figures.shared import BLUE, GREY, ORANGE, PURPLE, described, new


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


def bells(mu: float, sigma: float = 1.0) -> Figure:
    """Draw N(0, 1), N(mu, sigma²) and their average, and what each x adds to the divergence."""
    x, step = np.linspace(-5, 11, 1601, retstep=True)
    p, q = stats.norm(0, 1).pdf(x), stats.norm(mu, sigma).pdf(x)
    m = (p + q) / 2
    terms = 0.5 * p * np.log(p / m) + 0.5 * q * np.log(q / m)
    fig, (top, bottom) = new(height=5.0, rows=2, sharex=True)
    top.plot(x, p, color=BLUE, label="p")
    top.plot(x, q, color=ORANGE, label="q")
    top.plot(x, m, "--", color=GREY, label="m")
    top.set(ylabel="density", ylim=(0, max(0.45, 0.45 / sigma)), xticks=range(-4, 11, 2))
    top.legend(loc="upper right")
    bottom.fill_between(x, terms, color=PURPLE)
    bottom.set(xlabel="x", ylabel="nats per unit of x", ylim=(0, max(0.15, 0.15 / sigma)))
    area = f"{terms.sum() * step:.4f} nats"
    bottom.set_title(f"area = JSD = {area}")
    told = f"Above, Gaussians p around 0 and q around {mu:.2f}, and their average m. Below, shaded"
    return described(fig, f"{told}, what each x contributes: {area} in all.")
