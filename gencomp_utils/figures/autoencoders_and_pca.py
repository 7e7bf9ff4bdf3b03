"""Figures of the page "Autoencoders and PCA"."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from gencomp_utils.distributions import FloatArray
from gencomp_utils.figures.shared import BLUE, GREY, ORANGE, SKY, described, image_rows, level, new


def lines(cloud: FloatArray, lost: ArrayLike) -> Figure:
    """Draw a cloud with its best line, and what lines at angles of 0, 1, … 180 degrees lose."""
    fig, (left, right) = new(height=3.2, columns=2)
    best = int(np.argmin(lost))
    u = np.array([np.cos(np.radians(best)), np.sin(np.radians(best))])
    feet = np.outer(cloud @ u, u)
    left.plot(*np.stack([cloud, feet], axis=1).T, color=SKY, linewidth=0.7)
    left.plot(*cloud.T, ".", color=BLUE, markersize=4)
    left.plot(*np.outer([-6, 6], u).T, color=ORANGE)
    left.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(-6, 6), ylim=(-6, 6), aspect="equal")
    right.plot(lost, color=BLUE)
    level(right, best, f"{best}°", vertical=True, at=0.9)
    right.set(xlabel="angle of the line, degrees", xticks=range(0, 181, 45))
    right.set(ylabel="mean square lost", ylim=(0, None))
    alt = "Left: a long cloud rising to the right, and short segments from its points to a line "
    alt += f"along it. Right: the error by the line's angle, one valley with its floor at {best}°."
    return described(fig, alt)


def turning(cloud: FloatArray, v1: FloatArray, W: FloatArray, title: str) -> Figure:
    """Draw the cloud, PCA's line along v1 and the decoder's along W, under a title."""
    fig, ax = new(width=5.6, height=3.0)
    ax.plot(*cloud.T, ".", markersize=4, color=BLUE)
    ax.plot(*np.outer([-9, 9], v1).T, ":", color=GREY, label="PCA")
    across = np.ravel(W) / np.linalg.norm(W)
    ax.plot(*np.outer([-9, 9], across).T, color=ORANGE, label="decoder")
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(-8, 8), ylim=(-4.2, 4.2), title=title)
    ax.legend(loc="lower right")
    return described(fig, f"A cloud with PCA's line along it, and the decoder's line; {title}.")


def columns(rows: dict[str, NDArray[np.floating]]) -> Figure:
    """Draw the columns of matrices, shape (784, d), as pictures around 0, a row a matrix."""
    scaled = {name: V.T.reshape(-1, 28, 28) / np.abs(V).max() for name, V in rows.items()}
    fig = image_rows(scaled)
    fig.axes[0].get_images()[0].set(cmap="PuOr", clim=(-1, 1))
    alt = "Pictures in violet and orange. PCA's go from broad rings and strokes to finer ones; the"
    return described(fig, f"{alt} decoder's are mixtures, all about equally fine.")
