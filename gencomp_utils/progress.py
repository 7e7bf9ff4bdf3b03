"""How far a loop has come, where somebody watches."""

import os
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def building() -> bool:
    """Whether the book is being built: no reader is there to watch, or to move a slider."""
    return bool(os.environ.get("GENCOMP_BUILD"))


def progress(steps: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:
    """Go through steps with a progress bar and the time left; without one in the built book.

    Parameters
    ----------
    steps
        What is gone through, and handed on unchanged.
    label
        What stands before the bar.
    total
        How many steps there are, where `steps` has no length.

    Examples
    --------
    >>> sum(progress(range(4), "adding"))
    6
    """
    if building():
        return steps
    from tqdm.auto import tqdm  # a bar in a notebook is a widget, which a built page can't show

    bar: Iterable[T] = tqdm(steps, desc=label, total=total)
    return bar
