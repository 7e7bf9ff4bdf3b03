"""Figures of the page "Speeds and lost modes"."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from gencomp_utils.figures.shared import BLUE, GREY, ORANGE, bare, described, new

_APART = 6.2  # from ring to ring, in units of x
_TURN = np.linspace(0, 2 * np.pi, 25)


def _ring(ax: Axes, cloud: ArrayLike, column: int, row: int = 0, colour: str = ORANGE) -> None:
    at = np.array([_APART * column, -_APART * row])
    for angle in np.arange(8) * np.pi / 4:
        x, y = 2 * np.cos(angle) + 0.25 * np.cos(_TURN), 2 * np.sin(angle) + 0.25 * np.sin(_TURN)
        ax.plot(at[0] + x, at[1] + y, color=BLUE, linewidth=0.7)
    ax.plot(*(np.asarray(cloud) + at).T, ".", color=colour, markersize=1.3)


def at_step(clouds: Mapping[str, ArrayLike], modes: Sequence[int], path: ArrayLike = ()) -> Figure:
    """Draw samples, shape (n, 2), on the ring, with modes found; in the last, also a path."""
    fig, ax = new(height=6.0 / len(clouds) + 0.55)
    titles = [f"{name}\n{found} of 8 modes" for name, found in zip(clouds, modes, strict=True)]
    for column, (name, title) in enumerate(zip(clouds, titles, strict=True)):
        _ring(ax, clouds[name], column, colour=BLUE if name == "data" else ORANGE)
        ax.text(_APART * column, 3.2, title, ha="center", fontsize=10)
    if np.size(path):
        ax.plot(*np.add(path, [_APART * (len(clouds) - 1), 0]).T, color="black", linewidth=1)
    ax.set(xlim=(-3.1, _APART * len(clouds) - 3.1), ylim=(-3, 3), aspect="equal")
    bare(ax)
    return described(fig, f"Samples by a ring. {'; '.join(titles)}.".replace("\n", ", "))


def all_games(rows: Mapping[str, ArrayLike], modes: Sequence[np.ndarray]) -> Figure:
    """Draw all games of each row's setting, samples of shape (8, n, 2)."""
    fig, ax = new(height=0.78 * len(rows))
    for row, clouds in enumerate(rows.values()):
        for column, cloud in enumerate(np.asarray(clouds)):
            _ring(ax, cloud, column, row)
    ax.set(xlim=(-3.1, 8 * _APART - 3.1), ylim=(-_APART * len(rows) + 3.1, 3.1), aspect="equal")
    bare(ax)
    ax.set_yticks(-_APART * np.arange(len(rows)), [name.replace(", ", "\n") for name in rows])
    ax.tick_params(length=0, labelsize=9)
    found = "; ".join(f"{name}: {found.tolist()}" for name, found in zip(rows, modes, strict=True))
    return described(fig, f"Rows of eight small rings with samples. Modes found, {found}.")


def coverage(steps: ArrayLike, runs: Mapping[str, np.ndarray]) -> Figure:
    """Draw the modes that each game covers by step, shape (looks, 8), and their median."""
    fig, axes = new(height=2.8, columns=len(runs), sharey=True)
    for ax, (name, modes) in zip(axes, runs.items(), strict=True):
        ax.plot(steps, modes + np.linspace(-0.15, 0.15, 8), color=GREY, linewidth=0.8)
        ax.plot(steps, np.median(modes, axis=1), color=ORANGE)
        ax.set(xlabel="steps", ylim=(-0.3, 8.4), xticks=[0, 1000, 2000])
        ax.set_title(name.replace(", ", "\n"), fontsize=10)
    axes[0].set_ylabel("modes covered")
    ends = "; ".join(f"{name}: {np.median(modes[-1]):g}" for name, modes in runs.items())
    return described(fig, f"Modes covered by step. Medians at the end, {ends}.")
