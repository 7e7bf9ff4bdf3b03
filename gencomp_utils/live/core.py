"""How a figure that runs in the page gets there: on the site, and in a kernel's output."""

import html
import json
from collections import Counter
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

from IPython.display import HTML, display
from matplotlib.figure import Figure

from gencomp_utils.notebook import figure_html
from gencomp_utils.progress import building

WEB = resources.files("gencomp_utils") / "web" / "live"
Range = tuple[float, float, float]  # least, greatest, step
_figures: Counter[str] = Counter()  # how many there are of each


def embed(
    figure: str,
    poster: Figure,
    settings: Mapping[str, Any],
    scripts: tuple[str, ...],
    models: Mapping[str, Callable[[], str]] | None = None,
) -> None:
    """Display a figure that runs in the page.

    Parameters
    ----------
    figure
        Its name, under which a script registers it.
    poster
        What is seen in print and without JavaScript, with its alternative text.
    settings
        Values of its controls at the start.
    scripts
        Files of ``gencomp_utils/web/live`` that it needs, in order.
    models
        Networks that it loads when they are wanted, each with what gives its script. The site has
        them as files; a kernel's output holds all that it needs, because it may lie in a frame that
        can load nothing.

    Examples
    --------
    >>> from gencomp_utils import figures
    >>> poster = figures.described(figures.new()[0], "Two empty axes.")
    >>> embed("bound", poster, {"mu": 0.5}, ("exact", "bound"))
    <IPython.core.display.HTML object>
    """
    models = models or {}
    _figures[figure] += 1
    name = f"live-{figure}-{_figures[figure]}"
    page = (
        f'<div class="gencomp-live" id="{name}" data-figure="{figure}" '
        f'data-scripts="{" ".join(scripts)}" data-models="{" ".join(models)}" '
        f'data-settings="{html.escape(json.dumps(dict(settings)))}">'
        f"{figure_html(poster, colours=64)}</div>"
    )
    if not building():
        texts = [_text(f"{script}.js") for script in ("load", "frame", *scripts)]
        texts += [script() for script in models.values()]
        texts += [f'gencomp.start(document.getElementById("{name}"));']
        page = f"<style>{_text('live.css')}</style>{page}"
        page += "".join(f"<script>{text}</script>" for text in texts)
    display(HTML(page))


def sliders(draw: Callable[..., Figure], start: Mapping[str, float], **ranges: Range) -> None:
    """Offer sliders that redraw a figure, where a kernel runs; nothing in the built book.

    Each argument of `draw`, which returns a figure, is given with its least value, its greatest
    value and step; `start` has the first value of each.

    Examples
    --------
    >>> from unittest import mock
    >>> with mock.patch.dict("os.environ", GENCOMP_BUILD="1"):
    ...     sliders(lambda mu: None, {"mu": 1}, mu=(0, 4, 0.1))
    """
    if building():
        return
    import ipywidgets  # loaded here, because it fills the page with widget state when imported

    def redraw(**values: float) -> None:
        alt = ", ".join(f"{name} = {value:g}" for name, value in values.items())
        display(HTML(figure_html(draw(**values), alt)))

    controls = {
        name: ipywidgets.FloatSlider(
            min=low, max=high, step=step, value=start[name], description=name,
            continuous_update=False,
        )
        for name, (low, high, step) in ranges.items()
    }  # fmt: skip
    ipywidgets.interact(redraw, **controls)


def _text(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8").replace("</", "<\\/")
