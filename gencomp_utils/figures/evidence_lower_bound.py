"""Figures of the page "The evidence lower bound"."""

from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

from gencomp_utils.distributions import FloatArray
from gencomp_utils.evidence import Gaussian, LinearGaussian
from gencomp_utils.figures.shared import BLUE, ORANGE, PURPLE, VERMILLION, bare, described, new


def diagram() -> Figure:
    """Draw encoder, code and decoder in a row, and the noise that comes from outside."""
    fig, ax = new(height=1.7)
    ax.set(xlim=(-0.3, 10.8), ylim=(-0.3, 1.4))
    bare(ax)
    row = {"x": 0, "encoder": 1.9, "μ, σ": 3.9, "z = μ + σ ε": 6, "decoder": 8.3, "p(x | z)": 10.2}
    box = {"boxstyle": "round", "facecolor": "white", "edgecolor": BLUE}
    look = {"ha": "center", "va": "center", "bbox": box, "fontsize": 11}
    chain = [ax.text(at, 0, word, look) for word, at in row.items()]
    noise = ax.text(row["z = μ + σ ε"], 1.1, "ε ~ N(0, 1)", look)
    for start, end in [*pairwise(chain), (noise, chain[3])]:
        ends = {"patchA": start.get_bbox_patch(), "patchB": end.get_bbox_patch()}
        style = {"arrowstyle": "->", **ends}
        ax.annotate("", end.get_position(), start.get_position(), arrowprops=style)
    alt = "Arrows lead from x to the encoder, to mu and sigma, to z = mu + sigma epsilon, to the"
    return described(fig, f"{alt} decoder, to p(x | z). Noise epsilon enters z from outside.")


def gap(model: LinearGaussian, x: FloatArray, mean: float, std: float) -> Figure:
    """Draw q beside prior and posterior, and below log p(x) the bound over the mean of q."""
    fig, (top, bottom) = new(height=4.4, rows=2, sharex=True)
    z, means = np.linspace(-3, 3.5, 300), np.linspace(-1.1, 3, 83)
    top.plot(z, norm.pdf(z), ":", color="black", label="prior")
    top.plot(z, np.exp(model.posterior(x).log_density(z[:, None])), color=BLUE, label="posterior")
    top.plot(z, norm.pdf(z, mean, std), color=ORANGE, label="q")
    top.set(ylabel="density", ylim=(0, 1.4))
    elbo = model.elbo(x, Gaussian(means[:, None], np.array([[std**2]])))
    low, high = float(np.interp(mean, means, elbo)), float(model.evidence.log_density(x))
    bottom.axhline(high, color="black", label="log p(x)")
    bottom.plot(means, elbo, color=PURPLE, label="ELBO")
    bottom.plot([mean, mean], [low, high], color=VERMILLION, label="gap")
    bottom.set(xlabel="code z (above), mean of q (below)", ylabel="nats", ylim=(-15, -3))
    bottom.set_title(f"gap = {high - low:.3f} nats", fontsize=11)
    top.legend(loc="upper left", fontsize=9)
    bottom.legend(loc="lower center", fontsize=9)
    alt = f"Above, q around {mean:g}, beside the posterior around 1 and the prior around 0. Below, "
    return described(fig, f"{alt}the bound, a parabola, is {high - low:.2f} nats below log p(x).")
