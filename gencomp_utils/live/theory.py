"""Live figures of the chapters on theory: distances, the discriminator, the bound, stamps.

The first argument of each draws the poster, and what a kernel's sliders show;
``gencomp_utils.figures.live_theory`` has one for each.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from gencomp_utils.distributions import finite
from gencomp_utils.evidence import LinearGaussian
from gencomp_utils.live.core import Range, embed, sliders

Draw = Callable[..., Figure]
Parts = list[tuple[float, float, float]]  # weight, mean and standard deviation


def distributions(
    draw: Draw, *, show: str = "integrand", apart: float = 0.0, **start: float
) -> None:
    """Display p and q, which can be dragged, their distances, and a panel below.

    Parameters
    ----------
    draw
        Takes all that follows.
    show
        ``"integrand"``: what each x adds to the Jensen-Shannon divergence; ``"best"``: the best
        discriminator; ``"measures"``: the distances by the mean of q.
    apart
        By how much p's two peaks lie off its mean; 0 for one peak.
    start
        ``mu`` and ``sigma`` of q = N(mu, sigma²), 2 and 1 unless given; ``p_mean`` and ``p_width``
        of p, 0 and 1. Means are from −4 to 8, widths from 0.5 to 2.

    Examples
    --------
    >>> from unittest import mock
    >>> from gencomp_utils.figures import live_theory
    >>> with mock.patch.dict("os.environ", GENCOMP_BUILD="1"):
    ...     distributions(live_theory.bells, show="measures", mu=5.0)
    <IPython.core.display.HTML object>
    """
    bells = {"mu": 2.0, "sigma": 1.0, "p_mean": 0.0, "p_width": 1.0} | start
    ranges = {name: ((-4, 8, 0.1), (0.5, 2, 0.05))[i % 2] for i, name in enumerate(bells)}
    fixed: dict[str, Any] = {"show": show, "apart": apart}
    _display("distributions", partial(draw, **fixed), bells, ranges, fixed)


def discriminator(draw: Draw, *, data: Parts, model: Parts, **answers: float) -> None:
    """Display a discriminator that is bent over two densities: its value, C(G), the shortfall.

    Parameters
    ----------
    draw
        Takes all that follows, with all nine answers.
    data, model
        Parts of two mixtures of Gaussians: weight, mean and standard deviation of each.
    answers
        D at x = −4 (``d0``) to 4 (``d8``), from 0.01 to 0.99; 0.5 where none is given.

    Examples
    --------
    >>> from unittest import mock
    >>> from gencomp_utils.figures import live_theory
    >>> with mock.patch.dict("os.environ", GENCOMP_BUILD="1"):
    ...     discriminator(live_theory.bent, data=[(1, 0, 1)], model=[(1, 1, 0.6)], d5=0.2)
    <IPython.core.display.HTML object>
    """
    bent = {f"d{i}": 0.5 for i in range(9)} | answers
    fixed = {"data": data, "model": model}
    ranges = dict.fromkeys(bent, (0.01, 0.99, 0.01))
    _display("discriminator", partial(draw, **fixed), bent, ranges, fixed)


def bound(
    draw: Draw, model: LinearGaussian, x: ArrayLike, *, mu: float = 0.0, sigma: float = 0.6
) -> None:
    """Display q = N(mu, sigma²), which can be dragged, log p(x), its bound, and the bound's terms.

    Parameters
    ----------
    draw
        Takes all that follows.
    model, x
        A model with a code of one dimension, and a data point, shape (x_dim,).
    mu, sigma
        Where q starts, mu from −1 to 3, sigma from 0.2 to 1.2.

    Examples
    --------
    >>> from unittest import mock
    >>> from gencomp_utils.figures import live_theory
    >>> model = LinearGaussian([[1.6], [1.2]], [0.0, 1.0], noise_std=1.0)
    >>> with mock.patch.dict("os.environ", GENCOMP_BUILD="1"):
    ...     bound(live_theory.gap, model, [2.75, 1.5])
    <IPython.core.display.HTML object>
    """
    point = finite("x", x)
    fixed = {
        "weights": model.weights[:, 0].tolist(),
        "offset": model.offset.tolist(),
        "noise": model.noise_std,
        "x": point.tolist(),
    }
    ranges = {"mu": (-1, 3, 0.05), "sigma": (0.2, 1.2, 0.01)}
    start = {"mu": mu, "sigma": sigma}
    _display("bound", partial(draw, model, point), start, ranges, fixed)


def collapse(draw: Draw, points: ArrayLike, *, beta: float = 1.0) -> None:
    """Display the codes of a linear VAE at its optimum for each weight β of the KL, till collapse.

    The VAE has a code of one dimension, and its decoder noise of standard deviation 1.

    Parameters
    ----------
    draw
        Takes ``codes``, the points' coordinates in the direction where they vary most, shape
        (n,), ``spread``, their variance there, and `beta`.
    points
        Data points, shape (n, x_dim).
    beta
        The weight at the start, from 0.1 to 8.

    Examples
    --------
    >>> from unittest import mock
    >>> from gencomp_utils.figures import live_theory
    >>> with mock.patch.dict("os.environ", GENCOMP_BUILD="1"):
    ...     collapse(live_theory.collapse, [[-2.0, 0.1], [0.0, -0.2], [2.0, 0.1]])
    <IPython.core.display.HTML object>
    """
    rows = finite("points", points)
    centred = rows - rows.mean(axis=0)
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    fixed: dict[str, Any] = {
        "codes": (centred @ directions[:, -1]).round(12).tolist(),
        "spread": float(variances[-1]),
    }
    rest = {"rest": float(variances[:-1].sum()), "dimensions": len(variances)}
    ranges = {"beta": (0.1, 8, 0.1)}
    _display("collapse", partial(draw, **fixed), {"beta": beta}, ranges, fixed | rest, "bound")


def stamps(draw: Draw, *, window: int = 3, stride: int = 2, padding: int = 1) -> None:
    """Display a transposed convolution of 4 by 4 pixels: a pixel's stamp, and how many lie where.

    `draw` takes all that follows: `window` is 2 to 6, `stride` 1 to 3, `padding` 0 to 2.

    Examples
    --------
    >>> from unittest import mock
    >>> from gencomp_utils.figures import live_theory
    >>> with mock.patch.dict("os.environ", GENCOMP_BUILD="1"):
    ...     stamps(live_theory.stamps, window=4)
    <IPython.core.display.HTML object>
    """
    start = {"window": window, "stride": stride, "padding": padding}
    ranges = {"window": (2, 6, 1), "stride": (1, 3, 1), "padding": (0, 2, 1)}
    embed("stamps", draw(**start), start, ("stamps",))
    sliders(draw, start, **ranges)


def _display(
    figure: str,
    draw: Draw,
    start: Mapping[str, float],
    ranges: Mapping[str, Range],
    fixed: Mapping[str, Any],
    script: str = "",
) -> None:
    """Display a figure whose script is the one named, or has its own name."""
    embed(figure, draw(**start), {**start, **fixed}, ("exact", "theory", script or figure))
    sliders(draw, start, **ranges)
