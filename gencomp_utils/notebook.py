"""What the cells of a chapter show: sentences with numbers, figures, sources, frame players."""

import ast
import base64
import hashlib
import html
import inspect
import io
import json
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from string import Template
from typing import Any

from IPython.display import HTML, Markdown, display
from matplotlib.figure import Figure
from PIL import Image

from gencomp_utils.data import Digits
from gencomp_utils.progress import building

# Matplotlib draws at this many pixels an inch; browsers show 96, so that text stays sharp.
_CSS_PIXELS_PER_INCH = 96


def say(text: str, **values: object) -> None:
    """Display a Markdown sentence with values of the run in it.

    Parameters
    ----------
    text : str
        Markdown with the fields of ``str.format``; a literal brace is doubled.
    **values
        What the fields stand for.

    Examples
    --------
    >>> say("The bound is **{bound:.1f}** nats.", bound=147.216)
    <IPython.core.display.Markdown object>
    """
    display(Markdown(text.format(**values)))


def say_verdict(
    name: str, verdict: str, *, claim: str, threshold: str, measured: str, trainings: str
) -> None:
    """Display what became of a claim, as a small table.

    Parameters
    ----------
    name : str
        What the claim is called.
    verdict : str
        Such as ``"holds"``.
    claim, threshold, measured, trainings : str
        What is claimed, by which number it holds, what was measured (with its 95 % interval), and
        on how many trainings.

    Examples
    --------
    >>> say_verdict(
    ...     "Heads",
    ...     "undecided",
    ...     claim="heads come up more often",
    ...     threshold="share above 0.5",
    ...     measured="0.60 (0.26 to 0.94)",
    ...     trainings="10 throws",
    ... )
    <IPython.core.display.Markdown object>
    """
    say(
        "| {name} | **{verdict}** |\n|---|---|\n| claim | {claim} |\n| threshold | {threshold} |\n"
        "| measured, with its 95 % interval | {measured} |\n| trainings | {trainings} |\n",
        name=name,
        verdict=verdict,
        claim=claim,
        threshold=threshold,
        measured=measured,
        trainings=trainings,
    )


def describe_data(digits: Digits) -> None:
    """Display what the images of this page are: MNIST and its files, or a notice that they aren't.

    Parameters
    ----------
    digits : gencomp_utils.data.Digits

    Examples
    --------
    >>> from gencomp_utils.data import load_stand_in
    >>> describe_data(load_stand_in())
    <IPython.core.display.Markdown object>
    """
    counts = (
        f"{len(digits.train_images):,} training and {len(digits.test_images):,} test images "
        f"of 28 × 28 pixels"
    )
    if digits.is_mnist:
        files = "\n".join(f"| `{name}` | `{sha256}` |" for name, sha256 in digits.sha256.items())
        text = (
            f"{digits.name}: {counts}, from these files.\n\n| file | SHA-256 |\n|---|---|\n{files}"
        )
    else:
        text = (
            f"> **Careful.** MNIST could not be had where this page was run. Cells that need "
            f"images use a stand-in, {digits.name}: {counts}. Their numbers and pictures are not "
            f"MNIST's. Recorded runs still show what was measured on MNIST."
        )
    display(Markdown(text))


def source(*objects: Callable[..., Any]) -> None:
    """Display the source of functions or classes as it runs, docstrings left out.

    Parameters
    ----------
    *objects
        Functions or classes of the package.

    Examples
    --------
    >>> source(say)
    <IPython.core.display.Markdown object>
    """
    for thing in objects:
        module = Path(inspect.getsourcefile(thing) or "").name
        code = _without_docstrings(textwrap.dedent(inspect.getsource(thing)))
        display(Markdown(f"```python\n# gencomp_utils/{module}\n{code}\n```"))


def show(fig: Figure, *, alt: str, caption: str) -> None:
    """Display a figure with its alternative text, and its caption below.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
    alt : str
        What is to be seen, for a reader who can't see it.
    caption : str
        Markdown that can be read alone, such as ``**Figure 2.** The bound by epoch.``

    Raises
    ------
    ValueError
        If `alt` or `caption` is empty.

    Examples
    --------
    >>> from gencomp_utils import figures
    >>> fig, ax = figures.new()
    >>> show(fig, alt="Two empty axes.", caption="**Figure 1.** Nothing yet.")
    <IPython.core.display.HTML object>
    <IPython.core.display.Markdown object>
    """
    _require_text(alt=alt, caption=caption)
    display(HTML(_FIGURE.substitute(image=_image(fig, alt, colours=256))))
    display(Markdown(caption))


def player(
    draw: Callable[[Any], Figure],
    values: Sequence[Any],
    *,
    label: str,
    alt: str | Callable[[Any], str],
    caption: str,
    text: Callable[[Any], str] = str,
    start: int = 0,
) -> None:
    """Display pre-rendered frames with a slider and a play button; needs no kernel.

    Parameters
    ----------
    draw : callable
        Takes one of `values` and returns its figure; all of one size.
    values : sequence
        What the slider runs through, 1 to 60 of them.
    label : str
        What the slider changes, such as ``"Epoch"``.
    alt : str or callable
        Alternative text of each frame, or a function of the value that gives it.
    caption : str
        Markdown that can be read alone.
    text : callable
        A value as the reader sees it beside the slider.
    start : int
        Index of the frame shown first.

    Raises
    ------
    ValueError
        If there are too few or too many values, `start` is not the index of one, or a text is
        empty.

    Examples
    --------
    >>> from gencomp_utils import figures
    >>> def draw(mean):
    ...     fig, ax = figures.new()
    ...     ax.axvline(mean)
    ...     return fig
    >>> player(draw, [0, 1], label="Mean", alt="A line.", caption="**Figure 1.** A line moves.")
    <IPython.core.display.HTML object>
    <IPython.core.display.Markdown object>
    """
    if not 1 <= len(values) <= 60:
        raise ValueError(f"values has {len(values)} entries, but a player takes 1 to 60")
    if not 0 <= start < len(values):
        raise ValueError(f"start is {start}, but must be an index of the {len(values)} values")
    alts = [alt(value) if callable(alt) else alt for value in values]
    _require_text(
        label=label, caption=caption, **{f"alt of frame {i}": a for i, a in enumerate(alts)}
    )
    frames = [_png(draw(value), colours=64) for value in values]
    data = json.dumps(
        {
            "frames": [base64.b64encode(png).decode() for png, _ in frames],
            "alts": alts,
            "texts": [text(value) for value in values],
        }
    ).replace("</", "<\\/")
    display(
        HTML(
            _PLAYER.substitute(
                id="player-" + hashlib.sha256(data.encode()).hexdigest()[:12],
                image=_img(*frames[start], alts[start]),
                label=html.escape(label),
                last=len(values) - 1,
                start=start,
                start_text=html.escape(text(values[start])),
                data=data,
            )
        )
    )
    display(Markdown(caption))


def live(draw: Callable[..., Figure], **sliders: tuple[float, float, float, float]) -> None:
    """Offer sliders that redraw a figure, where a kernel runs; a line of text in the built book.

    Parameters
    ----------
    draw : callable
        Takes the sliders' values by name and returns a figure.
    **sliders
        For each argument of `draw`: least value, greatest value, step, start.

    Examples
    --------
    >>> import os; os.environ["GENCOMP_BUILD"] = "1"
    >>> live(lambda mu: None, mu=(0, 4, 0.1, 1))
    <IPython.core.display.Markdown object>
    """
    if building():
        names = ", ".join(f"`{name}`" for name in sliders)
        display(
            Markdown(
                f"*Where a kernel runs (Colab, Binder, your own machine), this cell has sliders: "
                f"{names}.*"
            )
        )
        return
    import ipywidgets  # loaded here, because it fills the page with widget state when imported

    def redraw(**values: float) -> None:
        alt = ", ".join(f"{name} = {value:g}" for name, value in values.items())
        display(HTML(_FIGURE.substitute(image=_image(draw(**values), alt, colours=256))))

    controls = {
        name: ipywidgets.FloatSlider(
            min=low, max=high, step=step, value=start, description=name, continuous_update=False
        )
        for name, (low, high, step, start) in sliders.items()
    }
    ipywidgets.interact(redraw, **controls)


def _require_text(**texts: str) -> None:
    for name, text in texts.items():
        if not text.strip():
            raise ValueError(f"{name.replace('_', ' ')} is empty, but a reader needs it in words")


def _png(fig: Figure, colours: int) -> tuple[bytes, int]:
    """Draw a figure as a PNG of few colours; also the width it is to have on a page."""
    drawn = io.BytesIO()
    fig.savefig(drawn, format="png")
    small = io.BytesIO()
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(colours, dither=Image.Dither.NONE).save(
            small, format="png", optimize=True
        )
    return small.getvalue(), round(fig.get_figwidth() * _CSS_PIXELS_PER_INCH)


def _img(png: bytes, width: int, alt: str) -> str:
    return (
        f'<img src="data:image/png;base64,{base64.b64encode(png).decode()}" '
        f'alt="{html.escape(alt)}" width="{width}" style="max-width: 100%; height: auto">'
    )


def _image(fig: Figure, alt: str, colours: int) -> str:
    return _img(*_png(fig, colours), alt)


def _without_docstrings(code: str) -> str:
    lines = code.rstrip().splitlines()
    tree = ast.parse(code)
    for node in reversed(list(ast.walk(tree))):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or ast.get_docstring(node) is None:
            continue
        first, last = node.body[0].lineno, node.body[0].end_lineno
        assert last is not None
        # The blank line after a docstring goes with it.
        if last < len(lines) and not lines[last].strip():
            last += 1
        del lines[first - 1 : last]
    return "\n".join(lines)


_FIGURE = Template('<div class="gencomp-figure">$image</div>')

# Nothing from outside: Colab shows outputs in a frame of their own, and a page may be offline.
_PLAYER = Template("""\
<div class="gencomp-figure gencomp-player" id="$id">
$image
<div style="display: flex; flex-wrap: wrap; gap: 0.25rem 0.75rem; align-items: center;
  max-width: 40rem; padding: 0.25rem 0">
<button type="button" style="min-width: 4.5rem; min-height: 2rem">Play</button>
<label for="$id-range">$label</label>
<input id="$id-range" type="range" min="0" max="$last" step="1" value="$start"
  aria-valuetext="$start_text" style="flex: 1; min-width: 6rem; min-height: 2rem">
<output for="$id-range" style="min-width: 3.5rem">$start_text</output>
</div>
<script>
(() => {
  const data = $data;
  const root = document.getElementById("$id");
  const image = root.querySelector("img");
  const button = root.querySelector("button");
  const range = root.querySelector("input");
  const output = root.querySelector("output");
  let timer = null;
  const show = () => {
    const i = Number(range.value);
    image.src = "data:image/png;base64," + data.frames[i];
    image.alt = data.alts[i];
    output.textContent = data.texts[i];
    range.setAttribute("aria-valuetext", data.texts[i]);
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  };
  const step = () => {
    if (range.value === range.max) return stop();
    range.value = Number(range.value) + 1;
    show();
  };
  button.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (range.value === range.max) range.value = 0;
    show();
    button.textContent = "Pause";
    timer = setInterval(step, 300);
  });
  range.addEventListener("input", () => {
    stop();
    show();
  });
  // JupyterLab would take the arrow keys for its cells.
  root.addEventListener("keydown", (event) => event.stopPropagation());
})();
</script>
</div>""")
