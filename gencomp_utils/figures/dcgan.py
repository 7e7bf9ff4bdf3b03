"""Figures of the page on the DCGAN."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from gencomp_utils.figures import shared
from gencomp_utils.figures.shared import CYCLE, GREEN, ORANGE, PURPLE, described, new


def stack(made: Sequence[np.ndarray], judged: Sequence[np.ndarray], logit: float) -> Figure:
    """Draw what leaves each block, by its strongest channel: G to the right, D back to the left."""
    fig, axes = new(height=3.2, rows=2, columns=5, gridspec_kw={"wspace": 0.3})
    for ax, block in zip(axes.flat, [*made, np.zeros((1, 1, 1)), *judged[::-1]], strict=True):
        ax.imshow(block[block.var(axis=(1, 2)).argmax()], cmap="gray_r")
        ax.set_title(" × ".join(map(str, block.shape)), fontsize=10)
        shared.bare(ax)
    for line, name, color, way in zip(axes, "GD", (ORANGE, GREEN), ("->", "<-"), strict=True):
        line[0].set_ylabel(name, rotation=0, size=16, color=color, labelpad=12)
        for ax in line[:-1]:
            ends = {"xy": (1.28, 0.5), "xytext": (1.02, 0.5), "xycoords": "axes fraction"}
            ax.annotate("", **ends, textcoords="axes fraction", arrowprops={"arrowstyle": way})
    axes[0, 0].set_title("100 numbers z", fontsize=10)
    axes[1, 0].set_title("1 logit", fontsize=10)
    axes[1, 0].text(0, 0, f"{logit:+.1f}", ha="center", va="center", size=16)
    way = "100 numbers, then 4 by 4, 7 by 7, 14 by 14 pixels, then a digit of 28 by 28"
    return described(fig, f"G, to the right: {way}. D, back to the left: the same sizes, a number.")


def transposed(image: np.ndarray, window: np.ndarray, stamps: np.ndarray) -> Figure:
    """Draw a 2 by 2 input, a 3 by 3 window, and the sum of stamps with stride 2 before the cut."""
    fig, axes = new(height=2.6, columns=3, width_ratios=[2, 3, 5])
    titles = "input", "window", "stamps added up"
    for ax, numbers, title in zip(axes, (image, window, stamps), titles, strict=True):
        ax.imshow(numbers, cmap="Blues", vmin=0, vmax=10)
        for (row, column), value in np.ndenumerate(numbers):
            ax.text(column, row, f"{value:g}", ha="center", va="center", size=10)
        ax.set_title(title, fontsize=11)
        shared.bare(ax)
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]])
    for i, color in enumerate((*CYCLE[:3], PURPLE)):
        axes[2].plot(*(2.9 * square + (2 * (i % 2) - 0.45, 2 * (i // 2) - 0.45)).T, color=color)
    axes[2].plot(*(3 * square + 0.5).T, color="black", linestyle="--")
    alt = "Four cells, a window of nine, and 25 cells: four stamps that overlap. Nine cells stay."
    return described(fig, alt)


def losses(steps: np.ndarray, run: shared.ByEpoch) -> Figure:
    """Draw both losses by step, shape (steps, 2), as means of 60, and by epoch."""
    fig, axes = new(height=4.2, rows=2, sharex=True)
    means = steps.reshape(-1, 60, 2).mean(axis=1)
    for i, (name, color) in enumerate({"discriminator": GREEN, "generator": ORANGE}.items()):
        by_epoch = run.by_epoch(f"{name}_loss")
        at = np.linspace(0.5, len(by_epoch) + 0.5, len(means))
        axes[i].plot(at, means[:, i], color=color, linewidth=0.6, alpha=0.6)
        shared.curves(axes[i], by_epoch, color=color)
        shared.level(axes[i], np.log(4 - 2 * i), f"log {4 - 2 * i}", at=0.04)
        axes[i].set(ylabel=f"{'DG'[i]}'s loss, nats", ylim=(0, (1.7, None)[i]))
    alt = "The discriminator's loss rises for five epochs and falls after, always far below log 4."
    return described(fig, f"{alt} The generator's falls and then rises, always far above log 2.")


def epoch(samples: np.ndarray, number: int) -> Figure:
    """Draw 32 samples, of shape (epochs, n, 28, 28), in 16 greys, which weigh less."""
    fig, ax = new(height=3.3)
    shared.show_images(ax, np.round(samples[number - 1][:32] / 17) / 15, rows=4, columns=8)
    seen = "strokes and loops, few of them digits" if number < 3 else "mostly digits"
    return described(fig, f"The images of 32 noise vectors after epoch {number}: {seen}.")
