"""The picture on the book's first page."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from gencomp_utils.figures.shared import described, image_rows


def made_by(rows: Mapping[str, np.ndarray]) -> Figure:
    """Draw a row of digits for each model that made them."""
    return described(
        image_rows(rows),
        f"{len(rows)} rows of handwritten digits, made by {', '.join(rows)}. The first row is "
        "blurred, the second crisper, the last has the sharp strokes of a pen, and each has a few "
        "that are no digit.",
    )
