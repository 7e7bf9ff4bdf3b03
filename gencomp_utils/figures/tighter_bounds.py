"""Figures of the page "Tighter bounds and collapse"."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

from gencomp_utils.distributions import FloatArray
from gencomp_utils.evidence import Gaussian
from gencomp_utils.figures.shared import GREY, ORANGE, VERMILLION, described, level, new


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


def collapse(
    parts: Mapping[float, tuple[float, float]], beta: float, means: FloatArray, std: float
) -> Figure:
    """Draw codes N(means, std²) and their mixture, and I and the aggregate's KL by beta."""
    fig, (top, bottom) = new(height=4.4, rows=2)
    z = np.linspace(-3.5, 3.5, 400)
    each = norm.pdf(z[:, None], means, std)
    top.plot(z, each, color=ORANGE, linewidth=1, label=["q(z | x)"] + [""] * (len(means) - 1))
    top.plot(z, each.mean(axis=1), "--", color=GREY, label="aggregate q(z)")
    top.plot(z, norm.pdf(z), ":", color="black", label="prior")
    top.set(xlabel="code z", ylabel="density", ylim=(0, 3.2), xlim=(-3.5, 5.5))
    top.legend(loc="upper right", fontsize=9)
    for i, (line, name) in enumerate({"-": "I(x; z)", "--": "KL(q(z) ‖ p(z))"}.items()):
        bottom.semilogx([*parts], [part[i] for part in parts.values()], line, color=VERMILLION)
        bottom.plot(beta, parts[beta][i], "o", color=VERMILLION)
        bottom.plot([], [], line, color=VERMILLION, label=name)
    level(bottom, min(b for b in parts if parts[b][0] < 1e-9), "collapse", vertical=True, at=0.6)
    bottom.set(xlabel="weight β of the KL (log scale)", ylabel="nats", xlim=(0.09, 13))
    bottom.legend(loc="upper center", fontsize=9)
    alt = f"Above, eight Gaussians of standard deviation {std:.2f} and their mixture beside the "
    return described(fig, f"{alt}prior. Below, I is {parts[beta][0]:.2f} nats at the dot.")
