"""Figures of the page "Near and far"."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy import stats

from gencomp_utils.figures.shared import BLUE, GREEN, ORANGE, PURPLE, SKY, described, new


def between(mean: float) -> Figure:
    """Draw the distribution functions of N(0, 1) and N(mean, 0.5²), and the best critic below."""
    fig, (top, bottom) = new(height=4.4, rows=2, sharex=True)
    x, dx = np.linspace(-3, 5, 401, retstep=True)
    F, G = stats.norm.cdf(x), stats.norm.cdf(x, mean, 0.5)
    critic, area = np.cumsum(np.sign(G - F)) * dx, np.abs(F - G).sum() * dx
    top.plot(x, F, color=BLUE, label="F, of p")
    top.plot(x, G, color=ORANGE, label="G, of q")
    top.fill_between(x, F, G, color=SKY, alpha=0.4)
    top.set(ylabel="share below x", title=f"shaded area = W₁ = {area:.2f}")
    top.legend(loc="upper left")
    bottom.plot(x, critic - critic.mean(), "--", color=GREEN)
    bottom.set(xlabel="x", ylabel="best critic f", ylim=(-4.5, 4.5))
    alt = f"F and G rise from 0 to 1, with area {area:.2f} between them; below, the critic falls"
    return described(fig, f"{alt} where F is higher and rises where G is, always with slope 1.")


def descents(jsd: ArrayLike, wasserstein: ArrayLike) -> Figure:
    """Draw the mean by step, as it goes down the slope of the one measure and of the other."""
    fig, ax = new(height=2.8)
    ax.plot(jsd, color=PURPLE, label="down the JSD")
    ax.plot(wasserstein, color=SKY, label="down W₁")
    ax.set(xlabel="step", ylabel="mean μ of q", ylim=(-0.5, 9))
    ax.legend(loc="center right")
    return described(fig, "From 8, the JSD's line stays level; that of W₁ falls to 0 in 80 steps.")


def critics(x: ArrayLike, trained: ArrayLike, best: ArrayLike, answers: ArrayLike) -> Figure:
    """Draw a trained critic beside the best one, and log(1 − D*), for N(0, 1) and N(8, 1)."""
    fig, (left, right) = new(height=3.0, columns=2, sharex=True)
    left.plot(x, trained, color=GREEN, label="trained critic")
    left.plot(x, best, "--", color=GREEN, label="best critic")
    right.plot(x, answers, ":", color=ORANGE)
    for ax, title in ((left, "critic f(x)"), (right, "log(1 − D*(x)), nats")):
        ax.axvspan(6, 10, color=ORANGE, alpha=0.2)
        ax.axvspan(-2, 2, color=BLUE, alpha=0.15)
        ax.set(xlabel="x", title=title)
    left.legend(loc="lower left")
    alt = "Both critics fall steadily from the data at 0 to the samples at 8; log(1 − D*) is flat"
    return described(fig, f"{alt} at 0 where the samples are.")
