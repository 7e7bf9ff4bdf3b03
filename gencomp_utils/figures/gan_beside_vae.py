"""Figures of the page "The GAN beside the VAE"."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from gencomp_utils.figures.shared import BLUE, GREEN, ORANGE, SKY, described, image_rows, level, new


def samples(rows: Mapping[str, np.ndarray]) -> Figure:
    """Draw a row of images of each model below real ones."""
    alt = "Digits of each model: soft with two dimensions; crisper with twenty, some undecided; "
    return described(image_rows(rows), f"{alt}the others' as crisp as real ones, some malformed.")


def blur(
    vaes: Mapping[str, Sequence[float]], cards: Mapping[str, Mapping[str, float]], real: float
) -> Figure:
    """Draw the sharpness of VAEs' new means, draws and reconstructions, and of others' samples."""
    fig, ax = new(height=3.4)
    colours = {"DCGAN": ORANGE, "VAE/GAN": GREEN}
    others = [name for name in colours if name in cards]
    names = [*vaes, *others][::-1]
    at = [names.index(name) for name in vaes]
    kinds = (("mean, new code", "o"), ("pixels drawn, new code", "x"), ("mean, own code", "s"))
    for (label, marker), values in zip(kinds, zip(*vaes.values(), strict=True), strict=True):
        for value, y, colour in zip(values, at, (SKY, *[BLUE] * len(at)), strict=False):
            ax.plot(value, y, marker, color=colour, fillstyle="none", label=label * (y == at[-1]))
    for name in others:
        ax.plot(cards[name]["sharpness"], names.index(name), "o", color=colours[name])
    level(ax, real, "real images", vertical=True, at=0.55)
    ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1]
    ax.set(xlabel="sharpness (logarithmic)", xscale="log", ylim=(-0.6, len(names) - 0.4))
    ax.set_xticks(ticks, map(str, ticks))
    ax.set_xticks([], minor=True)
    ax.set_yticks(range(len(names)), names)
    ax.legend(loc="upper center", bbox_to_anchor=(0.45, 1.22), ncols=3, fontsize=10)
    alt = "Means of the VAEs, of new codes and images' own, lie at 0.02 to 0.09, left of the real "
    alt += "images' 0.18, beside which is the DCGAN; pixels drawn lie right of it, at 0.36 to 1.4."
    return described(fig, alt)


def rebuilt(rows: Mapping[str, np.ndarray]) -> Figure:
    """Draw images, and what encoders and descent make of them."""
    alt = (
        "Test images, and soft copies by the VAE's encoder and by descent; the DCGAN's are sharp, "
    )
    return described(image_rows(rows), f"{alt}and some have another shape or are broken.")
