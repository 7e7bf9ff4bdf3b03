"""The house style of figures, and the plot types that several chapters share."""

from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

# Okabe and Ito's palette: told apart with every common form of colour blindness.
BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
SKY = "#56B4E9"
YELLOW = "#F0E442"
GREY = "#6B6B6B"
CYCLE = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, GREY)

_STYLE: dict[Any, Any] = {
    "axes.prop_cycle": cycler(color=CYCLE),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 12,
    "image.cmap": "cividis",
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "savefig.dpi": 130,
}


def new(
    width: float = 6.4, height: float = 3.4, rows: int = 1, columns: int = 1, **subplots: Any
) -> tuple[Figure, Any]:
    """Start a figure in the house style.

    The style is written to Matplotlib's settings, so that legends and texts that a cell adds
    later have it too.

    Parameters
    ----------
    width, height : float
        Size in inches. The default width fills the text column; a phone shows it at 60 %.
    rows, columns : int
        Grid of axes.
    **subplots
        Passed on to Matplotlib, which makes the axes, such as ``sharey=True``.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes or array of them
        One axes where the grid is 1 by 1, otherwise an array.

    Examples
    --------
    >>> fig, axes = new(columns=2, sharey=True)
    >>> len(axes)
    2
    """
    mpl.rcParams.update(_STYLE)
    fig = Figure(figsize=(width, height), layout="constrained")
    return fig, fig.subplots(rows, columns, **subplots)


def tile(images: ArrayLike, rows: int, columns: int) -> np.ndarray:
    """Lay images out as one large image, row by row.

    Parameters
    ----------
    images : array_like, shape (rows * columns, height, width)
    rows, columns : int

    Returns
    -------
    numpy.ndarray, shape (rows * height, columns * width)

    Raises
    ------
    ValueError
        If the number of images is not ``rows * columns``.

    Examples
    --------
    >>> tile(np.zeros((6, 28, 28)), rows=2, columns=3).shape
    (56, 84)
    """
    images = np.asarray(images)
    if images.ndim != 3 or len(images) != rows * columns:
        raise ValueError(
            f"images has shape {images.shape}, but a grid of {rows} by {columns} takes an array "
            f"of shape ({rows * columns}, height, width)"
        )
    height, width = images.shape[1:]
    grid = images.reshape(rows, columns, height, width).swapaxes(1, 2)
    return grid.reshape(rows * height, columns * width)


def show_images(ax: Axes, images: ArrayLike, rows: int, columns: int) -> None:
    """Draw a grid of grey images into an axes, dark ink on white paper.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Loses its ticks and spines.
    images : array_like, shape (rows * columns, height, width)
        Values in [0, 1], 1 for ink.
    rows, columns : int

    Raises
    ------
    ValueError
        If the number of images is not ``rows * columns``.

    Examples
    --------
    >>> fig, ax = new(width=2, height=2)
    >>> show_images(ax, np.zeros((4, 28, 28)), rows=2, columns=2)
    >>> ax.get_images()[0].get_array().shape
    (56, 56)
    """
    ax.imshow(tile(images, rows, columns), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
