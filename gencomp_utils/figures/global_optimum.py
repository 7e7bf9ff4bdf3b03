"""Figures of the page "The global optimum"."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy import special, stats

from gencomp_utils.figures import shared
from gencomp_utils.figures.shared import BLUE, GREEN, ORANGE, PURPLE, SKY, described, level, new


def slide(mu: float, shifts: np.ndarray, costs: np.ndarray) -> Figure:
    """Draw data, a generator N(mu, 1) and D*, and below them the cost, with a dot at mu."""
    fig, (top, bottom) = new(height=4.6, rows=2)
    x = np.linspace(-10, 10, 401)
    top.plot(x, stats.norm.pdf(x), color=BLUE, label="$p_{data}$")
    top.plot(x, stats.norm.pdf(x, mu), color=ORANGE, label="$p_g$")
    top.plot(x, special.expit(mu**2 / 2 - mu * x), "--", color=GREEN, label="D*")
    top.set(xlabel="x", ylabel="density; D*", xticks=range(-10, 11, 5))
    top.set(ylim=(-0.03, 1.4), yticks=(0, 0.5, 1))
    top.legend(loc="upper right", ncols=3)
    cost = np.interp(mu, shifts, costs)
    bottom.plot(shifts, costs, mu, cost, "o", color=PURPLE)
    level(bottom, 0)
    level(bottom, -np.log(4), "−log 4")
    bottom.set(xlabel="mean μ of $p_g$", ylabel="C(G), nats", ylim=(-1.5, 0.1))
    where = f"{abs(mu):g} apart; D* is near 1 on the data's side" if mu else "equal; D* is ½"
    return described(fig, f"Data and generator are {where}. The cost is {cost:.3f} nats.")


def squeezed(tv: ArrayLike, costs: ArrayLike, cost: float, limits: tuple[float, float]) -> Figure:
    """Draw the cost against total variation between its bounds, and the limits that one gives."""
    fig, ax = new()
    grid = np.linspace(0, 1, 101)
    ax.plot(grid, (grid - 1) * np.log(4), "--", grid, grid**2 - np.log(4), "--", color=SKY)
    ax.plot(tv, costs, color=PURPLE)
    ax.plot(limits, [cost, cost], "o-", color="black", markersize=4)
    ax.set(xlabel="total variation distance TV", ylabel="C(G), nats")
    ax.legend(ax.lines[1:], ["bounds of result 1", "Gaussians of figure 1", "TV left open"])
    alt = "From −log 4 at 0 to 0 at 1, the Gaussians' curve runs between a line and a parabola."
    return described(fig, f"{alt} At {cost:.2f} these are {np.ptp(limits):.2f} apart.")


def training(minibatch: ArrayLike, exact: ArrayLike, cost: float, gaps: ArrayLike) -> Figure:
    """Draw a discriminator's value by step below C(G), and its shortfall, on a log scale."""
    fig, (top, bottom) = new(height=4.6, rows=2, sharex=True)
    top.plot(minibatch, ".", color=GREEN, alpha=0.4, markersize=4, label="minibatch")
    top.plot(exact, color=GREEN, label="V(D, G)")
    top.axhline(cost, color=PURPLE, label="C(G)")
    top.set(ylabel="nats", ylim=(-1.45, -0.8))
    top.legend(loc="lower right", ncols=3)
    bottom.semilogy(gaps, color=shared.VERMILLION)
    bottom.set(xlabel="training step", ylabel="shortfall, nats")
    alt = "The value climbs from −1.4 to just below C(G), with minibatches on both sides of it."
    return described(fig, f"{alt} The shortfall falls from 0.4 to below 0.02, unevenly.")
