"""The house style of figures, and the plot types that several chapters share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
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
DIGITS = (*CYCLE, "black", "#8C564B", "#5F4690")

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


@runtime_checkable
class ByEpoch(Protocol):
    """A training that noted numbers after each epoch, such as a run."""

    def by_epoch(self, key: str) -> np.ndarray:
        """Give what was noted as `key`, shape (epochs,)."""


Curves = ByEpoch | Sequence[ByEpoch] | ArrayLike


def new(
    width: float = 6.4, height: float = 3.4, rows: int = 1, columns: int = 1, **subplots: Any
) -> tuple[Figure, Any]:
    """Start a figure in the house style, with one axes or an array of them.

    Sizes are in inches; the default width fills the text column, and a phone shows it at 60%.
    `subplots` go to Matplotlib, which makes the axes. The style is written to its settings, so
    that legends and texts that a cell adds later have it too.

    Examples
    --------
    >>> fig, axes = new(columns=2, sharey=True)
    >>> len(axes)
    2
    """
    mpl.rcParams.update(_STYLE)
    fig = Figure(figsize=(width, height), layout="constrained")
    return fig, fig.subplots(rows, columns, **subplots)


def described(fig: Figure, alt: str) -> Figure:
    """Give a figure its alternative text, which says what is to be seen, and return it.

    Examples
    --------
    >>> described(new()[0], "Two empty axes.").get_label()
    'Two empty axes.'
    """
    fig.set_label(alt)
    return fig


def bare(ax: Axes) -> None:
    """Take away ticks and spines.

    Examples
    --------
    >>> fig, ax = new()
    >>> bare(ax)
    >>> len(ax.get_xticks())
    0
    """
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def level(
    ax: Axes, value: float, label: str = "", vertical: bool = False, at: float = 0, **style: Any
) -> None:
    """Draw a dotted grey line across an axes at a value, with its label.

    The label stands above a horizontal line and beside a `vertical` one, and begins `at` this
    part of its length, from 0 to 1. Other keywords change the line.

    Examples
    --------
    >>> fig, ax = new()
    >>> level(ax, np.log(2), "log 2")
    >>> ax.texts[0].get_text()
    'log 2'
    """
    style = {"color": GREY, "linewidth": 1, "linestyle": ":"} | style
    draw: Callable[..., Any] = ax.axvline if vertical else ax.axhline
    draw(value, **style)
    ax.annotate(
        label,
        (value, at) if vertical else (at, value),
        xycoords=ax.get_xaxis_transform() if vertical else ax.get_yaxis_transform(),
        xytext=(3, 2),
        textcoords="offset points",
        color=style["color"],
        va="bottom",
        clip_on=True,
    )


def curves(
    ax: Axes, runs: Mapping[str, Curves] | Curves, key: str = "", start: int = 1, **style: Any
) -> None:
    """Draw curves by epoch, from epoch `start` on, with ticks at whole epochs.

    Parameters
    ----------
    runs
        By label: a run or several, whose `key` is drawn, or values, shape (epochs,) or
        (curves, epochs). Curves of a label have one colour. Without a mapping they have no label.
    **style
        What is to differ from a line with dots, such as ``marker=""``.

    Examples
    --------
    >>> fig, ax = new()
    >>> curves(ax, {"training": [170.1, 155.0, 151.2], "test": [157.3, 153.1, 150.8]}, start=2)
    >>> ax.lines[0].get_xdata()
    array([2, 3])
    """
    for label, some in (runs if isinstance(runs, Mapping) else {"": runs}).items():
        options = {"label": label, "marker": "."} | style
        for values in _each(some, key):
            epochs = np.arange(start, len(values) + 1)
            (line,) = ax.plot(epochs, values[start - 1 :], **options)
            options |= {"label": "", "color": line.get_color()}
    if ax.xaxis.get_tick_params().get("labelbottom", True):  # not where axes below share it
        ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _each(some: Any, key: str) -> list[Any]:
    listed = [some] if isinstance(some, ByEpoch) else some
    values = [run.by_epoch(key) if isinstance(run, ByEpoch) else run for run in listed]
    return [values] if values and np.ndim(values[0]) == 0 else values


def tile(images: ArrayLike, rows: int, columns: int) -> np.ndarray:
    """Lay images, shape (rows * columns, height, width), out as a large one, row by row.

    Whole numbers are bytes, and are divided by 255.

    Raises
    ------
    ValueError
        If the number of images is not ``rows * columns``.

    Examples
    --------
    >>> tile(np.zeros((6, 28, 28)), rows=2, columns=3).shape
    (56, 84)
    """
    images = _as_unit(images)
    if images.ndim != 3 or len(images) != rows * columns:
        raise ValueError(
            f"images has shape {images.shape}, but a grid of {rows} by {columns} takes an array "
            f"of shape ({rows * columns}, height, width)"
        )
    height, width = images.shape[1:]
    grid = images.reshape(rows, columns, height, width).swapaxes(1, 2)
    return grid.reshape(rows * height, columns * width)


def show_images(ax: Axes, images: ArrayLike, rows: int, columns: int) -> None:
    """Draw a grid of grey images into an axes, which loses its ticks: dark ink on white paper.

    The images are bytes or numbers in [0, 1], with most for ink. A ValueError if :func:`tile`
    refuses them.

    Examples
    --------
    >>> fig, ax = new(width=2, height=2)
    >>> show_images(ax, np.zeros((4, 28, 28)), rows=2, columns=2)
    >>> ax.get_images()[0].get_array().shape
    (56, 56)
    """
    ax.imshow(tile(images, rows, columns), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    bare(ax)


def image_rows(
    rows: Mapping[str, ArrayLike], height: float | None = None, width: float = 6.4
) -> Figure:
    """Draw a labelled row of images for each entry, in a figure of its own.

    Images are bytes or numbers in [0, 1], shape (n, height, width); a ValueError if there are no
    rows, or their shapes differ. A figure without a height, in inches, is as high as they need.

    Examples
    --------
    >>> fig = image_rows({"image": np.zeros((8, 28, 28)), "decoded": np.ones((8, 28, 28))})
    >>> fig.axes[0].get_images()[0].get_array().shape
    (56, 224)
    """
    arrays = [_as_unit(images) for images in rows.values()]
    shapes = {array.shape for array in arrays}
    if len(shapes) != 1 or arrays[0].ndim != 3:
        listed = {label: array.shape for label, array in zip(rows, arrays, strict=True)}
        raise ValueError(f"rows must be images of one shape (n, height, width), but are {listed}")
    n, tall, wide = arrays[0].shape
    if height is None:
        letters = 0.1 * max(map(len, rows))  # inches
        height = 0.1 + len(rows) * tall * (width - 0.2 - letters) / (n * wide)
    fig, ax = new(width, height)
    show_images(ax, np.concatenate(arrays), len(rows), n)
    ax.set_yticks([tall * (i + 0.5) for i in range(len(rows))], list(rows))
    ax.tick_params(length=0)
    ax.set_anchor("W")  # in the middle of a low figure, it would push labels out
    return fig


def _as_unit(images: ArrayLike) -> np.ndarray:
    array = np.asarray(images)
    return array / 255 if np.issubdtype(array.dtype, np.integer) else array
