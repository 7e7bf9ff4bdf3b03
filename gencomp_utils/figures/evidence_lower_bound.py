"""Figures of the page "The evidence lower bound"."""

from itertools import pairwise

from matplotlib.figure import Figure

from gencomp_utils.figures.shared import BLUE, bare, described, new


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
