"""Reads what a student hands in: the code cells of a notebook, and the words."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_BYTES = 100_000_000


class Unreadable(ValueError):
    """A file that is no notebook and no Python; says why, in words for the student."""


@dataclass(frozen=True)
class Submission:
    """Sources of a submission's code cells and Markdown cells."""

    code: list[str]
    words: list[str]


def read(path: Path) -> Submission:
    """Read a notebook, or a ``.py`` file as one cell; an Unreadable if it is neither.

    Nothing is asked of cell ids, tags or outputs, which editors lose and students change.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Unreadable("the file has more than 100 MB")
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise Unreadable(f"the file can't be opened: {error.strerror}") from error
    if path.suffix.lower() == ".py":
        return Submission([text], [])
    if path.suffix.lower() != ".ipynb":
        raise Unreadable(f"the file is a {path.suffix or 'file without suffix'}, not a notebook")
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable("the file isn't a whole notebook") from error
    return Submission(*(_sources(notebook, kind) for kind in ("code", "markdown")))


def _sources(notebook: Any, kind: str) -> list[str]:
    """Give the sources of a notebook's cells of a kind, whatever version it is of."""
    if type(notebook) is not dict:
        raise Unreadable("the file isn't a notebook")
    sheets = notebook.get("worksheets")
    holders = sheets if type(sheets) is list else [notebook]
    found = []
    for holder in holders:
        cells = holder.get("cells") if type(holder) is dict else None
        for cell in cells if type(cells) is list else []:
            if type(cell) is dict and cell.get("cell_type") == kind:
                source = cell.get("source", cell.get("input", ""))
                parts = source if type(source) is list else [source]
                found.append("".join(part for part in parts if type(part) is str))
    return found
