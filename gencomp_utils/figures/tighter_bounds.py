"""Figures of the page "Tighter bounds and collapse"."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from gencomp_utils.distributions import FloatArray
from gencomp_utils.evidence import Gaussian
from gencomp_utils.figures.shared import ORANGE, described, new


def band(z: FloatArray, posterior: FloatArray, fits: Sequence[Gaussian]) -> Figure:
    """Draw a posterior on a grid of codes, shape (n, n, 2), and two Gaussians at 2 std."""
    fig, ax = new(width=5.4, height=4.0)
    shown = ax.pcolormesh(z[..., 0], z[..., 1], posterior, cmap="Blues", shading="nearest")
    angle = np.linspace(0, 2 * np.pi, 100)
    for q, name, line in zip(fits, "AB", ("-", "--"), strict=True):
        outline = q.at(2 * np.stack([np.cos(angle), np.sin(angle)], axis=-1))
        ax.plot(*outline.T, line, color=ORANGE, label=f"{name}, 2 std")
    ax.set(xlabel="first code dimension", ylabel="second code dimension", aspect="equal")
    ax.set(xlim=(-2, 3), ylim=(-2.5, 2.5))
    ax.legend(loc="upper right")
    fig.colorbar(shown, label="posterior density")
    alt = "A narrow band with a bend: one leg rises steeply at the left, the other slopes down to "
    return described(fig, f"{alt}the right. Ellipse A covers the steep leg, B part of the other.")
