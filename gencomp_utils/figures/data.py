"""Figures of the page on the data."""

import numpy as np
from matplotlib.figure import Figure
from scipy.special import entr

from gencomp_utils.figures import shared


def zoom(image: np.ndarray, top: int, left: int, side: int) -> Figure:
    """Draw an image, and the bytes of a square part of it."""
    fig, axes = shared.new(height=3.2, columns=2)
    part = image[top : top + side, left : left + side]
    for ax, shown in zip(axes, (image, part), strict=True):
        shared.show_images(ax, shown[None], rows=1, columns=1)
    x, y = side * np.array([[0, 1, 1, 0, 0], [0, 0, 1, 1, 0]]) - 0.5
    axes[0].plot(left + x, top + y, color=shared.VERMILLION)
    for (row, column), byte in np.ndenumerate(part):
        style = {"color": str(int(byte > 127)), "ha": "center", "va": "center"}
        axes[1].text(column, row, str(byte), fontsize=9, **style)
    return shared.described(fig, "A digit's bytes: 0 on paper, near 255 in ink, greys at edges.")


def costs(answers: np.ndarray) -> Figure:
    """Draw what answers cost for three values of a pixel, over the entropy of a coin."""
    fig, ax = shared.new(height=3.0)
    for x, style in ((0.0, "-"), (0.2, "--"), (0.5, "-.")):
        cost = -x * np.log(answers) - (1 - x) * np.log(1 - answers)
        ax.plot(answers, cost, style, color=shared.BLUE, label=f"x = {x:g}")
        ax.plot(x, entr(x) + entr(1 - x), "o", color=shared.BLUE)
    ax.plot(answers, entr(answers) + entr(1 - answers), ":", color=shared.GREY, label="H(π)")
    ax.set(xlabel="the model's answer π", ylabel="cost, nats", ylim=(-0.05, 2.2))
    ax.legend(loc="upper center", ncols=2)
    return shared.described(fig, "Three costs, each lowest at π = x on the arch of the entropy.")


def shifted(at: int, pair: np.ndarray, apart: np.ndarray) -> Figure:
    """Draw an image shifted by `at`, its nearest, and by shift the distances of both."""
    fig, axes = shared.new(height=2.5, columns=3, gridspec_kw={"width_ratios": [1, 1, 1.7]})
    for ax, image in zip(axes, pair, strict=False):
        shared.show_images(ax, image[None], rows=1, columns=1)
        shared.level(ax, 13.5, vertical=True)
    axes[2].plot(apart[0], color=shared.BLUE, label="to itself")
    axes[2].plot(apart[1], "--", color=shared.BLUE, label="to nearest")
    axes[2].plot([at, at], apart[:, at], "o", color="black")
    axes[2].set(xlabel="shift, pixels", ylabel="distance", ylim=(0, 11), xticks=range(0, 7, 2))
    axes[2].legend(fontsize=9, loc="upper center", ncols=2, columnspacing=1)
    told = f"{apart[0, at]:.1f} from itself, {apart[1, at]:.1f} from its nearest training image."
    return shared.described(fig, f"A one moved by {at} pixels, {told}")
