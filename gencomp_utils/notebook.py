"""What the cells of a chapter show: sentences, tables, figures, sources, frame players."""

import ast
import base64
import hashlib
import html
import inspect
import io
import json
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from IPython.display import HTML, Markdown, display
from matplotlib.figure import Figure
from PIL import Image

from gencomp_utils import REPOSITORY
from gencomp_utils.data import Digits

# Matplotlib draws at this many pixels an inch; browsers show 96, so that text stays sharp.
_CSS_PIXELS_PER_INCH = 96
_players: Counter[str] = Counter()  # how many there are of each
_MINUS = re.compile(r"(?<![\w)\]])-(?=[\d.])")
_NUMBER = re.compile(r"\W*([\d.,]+(e[+-]\d+)?|inf|nan)?%?( ± [\d.,]+%?)?( \(.*\).*)?\W*")

Rows = Mapping[Any, Iterable[object]] | Iterable[Sequence[object]]


def say(text: str, **values: object) -> None:
    """Display a Markdown sentence: finished, or with the fields of ``str.format`` for `values`.

    Examples
    --------
    >>> say(f"The bound is **{147.216:.1f}** nats.")
    <IPython.core.display.Markdown object>
    """
    parts = (text.format(**values) if values else text).split("`")
    parts[::2] = [_MINUS.sub("−", part) for part in parts[::2]]  # code is left as it is
    display(Markdown("`".join(parts)))


def table(
    rows: Rows,
    columns: Sequence[str],
    form: str | Sequence[str] = "",
    *,
    note: str = "",
) -> None:
    """Display a table, its columns of numbers set to the right.

    A ValueError if there isn't a cell and a format for each column.

    Parameters
    ----------
    rows
        The cells of each row, the key of a mapping first: text, which is left alone, or anything
        that can be formatted.
    columns
        A head for each column, the first one included.
    form
        A format for each column, or one for all but the first.
    note
        Markdown that goes below.

    Examples
    --------
    >>> table({"coin": (0.5, "–"), "die": (1 / 6, 1.79)}, ("", "chance", "nats"), ".2f")
    <IPython.core.display.Markdown object>
    """
    text = _table(rows, columns, form)
    say(f"{text}\n\n{note}" if note else text)


def describe_data(digits: Digits) -> None:
    """Display which images this page shows: MNIST, or a notice that they aren't.

    Examples
    --------
    >>> from gencomp_utils.data import load_stand_in
    >>> describe_data(load_stand_in())
    <IPython.core.display.Markdown object>
    """
    train, test = len(digits.train_images), len(digits.test_images)
    counts = f"{train:,} training and {test:,} test images of 28 × 28 pixels"
    if digits.is_mnist:
        say(f"{digits.name}: {counts}.")
    else:
        say(
            f"> **Careful.** MNIST could not be had where this page was run. Cells that need "
            f"images use a stand-in, {digits.name}: {counts}. Their numbers and pictures are not "
            f"MNIST's. Recorded runs still show what was measured on MNIST."
        )


def source(*objects: Callable[..., Any]) -> None:
    """Display the source of the package's objects without docstrings, and links to their lines.

    Examples
    --------
    >>> source(say)
    <IPython.core.display.Markdown object>
    <IPython.core.display.Markdown object>
    """
    links = []
    for thing in map(inspect.unwrap, objects):
        file = Path(inspect.getfile(thing)).relative_to(Path(__file__).parent.parent)
        lines, first = inspect.getsourcelines(thing)
        code = _without_docstrings(textwrap.dedent("".join(lines)))
        say(f"```python\n# {file.as_posix()}, line {first}\n{code}\n```")
        address = f"{REPOSITORY}/blob/main/{file.as_posix()}#L{first}"
        links.append(f"[`{thing.__qualname__}`]({address})")
    say(f"On GitHub: {', '.join(links)}.")


def show(fig: Figure, *, alt: str = "") -> None:
    """Display a figure with its alternative text, which says what is to be seen.

    A chapter's own figure brings its text (:func:`~gencomp_utils.figures.shared.described`); of
    another, `alt` is it; a ValueError without either. The caption stands in the Markdown cell that
    follows.

    Examples
    --------
    >>> from gencomp_utils import figures
    >>> fig, ax = figures.new()
    >>> show(fig, alt="Two empty axes.")
    <IPython.core.display.HTML object>
    """
    display(HTML(figure_html(fig, alt)))


def figure_html(fig: Figure, alt: str = "", colours: int = 256) -> str:
    """Give a figure as HTML: a PNG of few colours within the page, with its alternative text.

    Examples
    --------
    >>> from gencomp_utils import figures
    >>> fig = figures.described(figures.new()[0], "Two empty axes.")
    >>> 'alt="Two empty axes."' in figure_html(fig)
    True
    """
    alt = alt or str(fig.get_label())
    _require_text(alt=alt)
    return f'<div class="gencomp-figure">{_img(*_png(fig, colours), alt)}</div>'


def diagram(name: str) -> None:
    """Display one of the package's diagrams: boxes and arrows, with a title and a description.

    It is an SVG within the page, in the text's own colour, so that it reads on light and on dark.
    The caption stands in the Markdown cell that follows. A ValueError if there is none so called.

    Examples
    --------
    >>> diagram("game")
    <IPython.core.display.HTML object>
    """
    folder = resources.files("gencomp_utils").joinpath("diagrams")
    known = sorted(file.name.removesuffix(".svg") for file in folder.iterdir())
    if name not in known:
        raise ValueError(f"name is {name!r}, but the diagrams are {', '.join(known)}")
    svg = folder.joinpath(f"{name}.svg").read_text(encoding="utf-8")
    # As wide as makes its letters as large as the page's.
    display(HTML(f'<div class="gencomp-diagram" style="max-width: 480px">{svg}</div>'))


def player(
    draw: Callable[[Any], Figure],
    values: Sequence[Any],
    *,
    label: str,
    alt: str | Callable[[Any], str] = "",
    text: Callable[[Any], str] = str,
    start: int = 0,
) -> None:
    """Display pre-rendered frames with a slider and a play button; needs no kernel.

    Parameters
    ----------
    draw
        Takes one of `values` and returns its figure; all of one size.
    values
        What the slider runs through, 1 to 60 of them.
    label
        What the slider changes, such as ``"Epoch"``.
    alt
        As for :func:`show`; it may be a function of the value.
    text
        A value as the reader sees it beside the slider.
    start
        Index of the frame shown first.

    Raises
    ------
    ValueError
        If there are too few or too many values, `start` isn't an index, or a text is empty.

    Examples
    --------
    >>> from gencomp_utils import figures
    >>> def draw(mean):
    ...     fig, ax = figures.new()
    ...     ax.axvline(mean)
    ...     return figures.described(fig, f"A line at {mean}.")
    >>> player(draw, [0, 1], label="Mean")
    <IPython.core.display.HTML object>
    """
    if not 1 <= len(values) <= 60:
        raise ValueError(f"values has {len(values)} entries, but a player takes 1 to 60")
    if not 0 <= start < len(values):
        raise ValueError(f"start is {start}, but must be an index of the {len(values)} values")
    figures = [draw(value) for value in values]
    told = [alt(value) if callable(alt) else alt for value in values]
    alts = [given or str(fig.get_label()) for given, fig in zip(told, figures, strict=True)]
    _require_text(label=label, **{f"alt of frame {i}": a for i, a in enumerate(alts)})
    frames = [_png(fig, colours=64) for fig in figures]
    texts = [text(value) for value in values]
    data = json.dumps({"frames": [png for png, _ in frames], "alts": alts, "texts": texts})
    data = data.replace("</", "<\\/")
    digest = hashlib.sha256(data.encode()).hexdigest()[:12]
    _players[digest] += 1
    # Nothing from outside: Colab shows outputs in a frame of their own, and a page may be offline.
    page = resources.files("gencomp_utils").joinpath("player.html").read_text(encoding="utf-8")
    filled = Template(page).substitute(
        id=f"player-{digest}_{_players[digest]}",
        image=_img(*frames[start], alts[start]),
        label=html.escape(label),
        last=len(values) - 1,
        start=start,
        start_text=html.escape(texts[start]),
        data=data,
    )
    display(HTML(filled.rstrip()))


def _require_text(**texts: str) -> None:
    for name, text in texts.items():
        if not text.strip():
            raise ValueError(f"{name.replace('_', ' ')} is empty, but a reader needs it in words")


def _table(rows: Rows, columns: Sequence[str], form: str | Sequence[str]) -> str:
    forms = ["", *[form] * (len(columns) - 1)] if isinstance(form, str) else form
    listed = [(key, *row) for key, row in rows.items()] if isinstance(rows, Mapping) else [*rows]
    for row in listed:
        if not len(row) == len(forms) == len(columns):
            raise ValueError(
                f"{len(columns)} columns take as many cells and formats, but there are "
                f"{len(forms)} formats, and {len(row)} cells in the row {row}"
            )
    body = [[*map(_text, row, forms)] for row in listed]
    rules = [
        "---:" if all(_NUMBER.fullmatch(row[i]) for row in body) else "---"
        for i in range(len(columns))
    ]
    return "\n".join([_line(map(_text, columns, forms)), f"|{'|'.join(rules)}|", *map(_line, body)])


def _text(cell: object, form: str) -> str:
    return format(cell, "" if isinstance(cell, str) else form).replace("|", r"\|")


def _line(cells: Iterable[str]) -> str:
    return "|" + "".join(f" {text} |" if text else " |" for text in cells)


def _png(fig: Figure, colours: int) -> tuple[str, int]:
    """Draw a figure as a PNG of few colours, in base 64; also its width on a page."""
    drawn = io.BytesIO()
    fig.savefig(drawn, format="png")
    small = io.BytesIO()
    with Image.open(drawn) as image:
        few = image.convert("RGB").quantize(colours, dither=Image.Dither.NONE)
        few.save(small, format="png", optimize=True)
    png = base64.b64encode(small.getvalue()).decode()
    return png, round(fig.get_figwidth() * _CSS_PIXELS_PER_INCH)


def _img(png: str, width: int, alt: str) -> str:
    return (
        f'<img src="data:image/png;base64,{png}" alt="{html.escape(alt)}" width="{width}" '
        f'style="max-width: 100%; height: auto">'
    )


def _without_docstrings(code: str) -> str:
    lines = code.rstrip().split("\n")
    dropped: set[int] = set()
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if ast.get_docstring(node) is None:
            continue
        doc, *rest = node.body
        start, end = doc.lineno - 1, doc.end_lineno or doc.lineno
        if not rest:  # a body can't be empty
            lines[start] = lines[start].encode()[: doc.col_offset].decode() + "..."
            dropped.update(range(start + 1, end))
        elif rest[0].lineno > end:
            # The blank line after a docstring goes with it.
            dropped.update(range(start, end if lines[end].strip() else end + 1))
    return "\n".join(line for i, line in enumerate(lines) if i not in dropped)
