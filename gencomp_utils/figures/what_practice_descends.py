"""Figures of the page "What practice descends"."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from gencomp_utils.figures.shared import BLUE, GREEN, GREY, ORANGE, PURPLE, described, level, new


def frozen(
    thetas: np.ndarray, costs: list[float], values: Mapping[int, list[float]], paths: np.ndarray
) -> Figure:
    """Draw the cost above the values of frozen discriminators, and the cost along two paths."""
    fig, (left, right) = new(columns=2, sharey=True)
    left.plot(thetas, costs, color=PURPLE)
    for at, of in values.items():
        left.plot(thetas, of, "--", at, np.interp(at, thetas, of), "o", color=GREEN)
    left.set(xlabel="mean θ of $p_g$", ylabel="nats", ylim=(-3, 0.2))
    left.legend(["C(G)", "V(D, G)"], loc="lower right")
    right.plot(paths[0], color=PURPLE)
    right.plot(paths[1], ":", color=ORANGE)
    level(right, -np.log(4), "−log 4", at=0.6)
    right.set_xlabel("step of the generator")
    right.legend(["best D", "one step of D"], loc="lower right")
    alt = "Two frozen D touch C(G) from below and fall on to the left of 0."
    return described(fig, f"{alt} C(G) falls to −log 4 by the best D; by a trained D it rebounds.")


def slopes(thetas: ArrayLike, non_saturating: ArrayLike, saturating: ArrayLike) -> Figure:
    """Draw the gradients of both losses against the best discriminator."""
    fig, ax = new(height=2.8)
    ax.plot(thetas, non_saturating, "-", thetas, saturating, ":", color=ORANGE)
    ax.set(xlabel="mean θ of $p_g$", ylabel="gradient, nats per unit")
    ax.legend(["non-saturating", "saturating"])
    alt = "One rises from 0 to 8; the other to nearly ½ near 1.6, and is hardly above 0 from 5 on."
    return described(fig, alt)


def rivals(x: np.ndarray, data: np.ndarray, generators: Mapping[str, np.ndarray]) -> Figure:
    """Draw each generator's density with that of the data and of their mixture."""
    fig, axes = new(height=2.6, columns=len(generators), sharey=True)
    for ax, (name, g) in zip(axes, generators.items(), strict=True):
        ax.plot(x, data, color=BLUE)
        ax.plot(x, g, color=ORANGE)
        ax.plot(x, (data + g) / 2, "--", color=GREY)
        ax.set(xlabel="x", title=name, xlim=(-10, 10))
    axes[0].set_ylabel("density")
    axes[0].legend(["$p_{data}$", "$p_g$", "m"], loc="upper left")
    return described(fig, "Data peak at −3 and 3; one generator makes the right peak, one a hill.")


def by_step(curves: Mapping[str, ArrayLike]) -> Figure:
    """Draw the values of four discriminators by training step."""
    fig, ax = new()
    for (name, values), style in zip(curves.items(), ("-", "--", "-.", ":"), strict=True):
        ax.plot(values, style, color=GREEN, label=name)
    level(ax, 0)
    level(ax, -np.log(4))
    ax.set(xlabel="training step", ylabel="value on the minibatch, nats")
    ax.legend(loc="center right")
    alt = "For lines the value climbs from −1.4 to nearly 0, later for closer ones."
    return described(fig, f"{alt} For circles it stays at −log 4.")
