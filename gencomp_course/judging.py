"""How results are compared with what is expected: in the grader's process, and only there."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


class Wrong(Exception):
    """A result that can't be right, whatever is expected; says why, in words for a student."""


def number(result: Any) -> float:
    """Read a result as one real number, infinite or NaN too; a Wrong if it is anything else.

    Examples
    --------
    >>> number(np.array(2.5))
    2.5
    >>> number([2.5])
    Traceback (most recent call last):
    gencomp_course.judging.Wrong: it gave back a list where one number is asked for
    """
    if type(result) is np.ndarray and result.shape == () and result.dtype.kind in "fiu":
        result = result.item()
    if type(result) not in (int, float):
        raise Wrong(f"it gave back {_kind(result)} where one number is asked for")
    return float(result)


def numbers(result: Any, count: int) -> np.ndarray:
    """Read a result as `count` finite numbers in a row; a Wrong if it is anything else.

    Examples
    --------
    >>> numbers([1, 2.5], 2)
    array([1. , 2.5])
    """
    if type(result) is list:
        result = np.array([number(entry) for entry in result], float)
    if type(result) is not np.ndarray or result.dtype.kind not in "fiu":
        raise Wrong(f"it gave back {_kind(result)} where {count} numbers are asked for")
    if result.shape != (count,):
        raise Wrong(f"it gave back numbers of shape {result.shape}, not ({count},)")
    if not np.isfinite(result).all():
        raise Wrong("not all of the numbers are finite")
    return result.astype(float)


def pair(result: Any) -> tuple[float, float]:
    """Read a result as two numbers; a Wrong if it is anything else.

    Examples
    --------
    >>> pair([1, 2])
    (1.0, 2.0)
    """
    low, high = numbers(result, 2)
    return float(low), float(high)


def close(value: float, expected: float, *, rel: float = 0.0, absolute: float = 0.0) -> bool:
    """Whether two finite numbers differ by no more than a part of the expected one, or by so much.

    Nothing is close to NaN, nor NaN to anything; the tolerances are alternatives.

    Examples
    --------
    >>> close(1.01, 1.0, rel=0.02), close(math.nan, math.nan, rel=1), close(math.inf, math.inf)
    (True, False, False)
    """
    if not (math.isfinite(value) and math.isfinite(expected)):
        return False
    return abs(value - expected) <= max(rel * abs(expected), absolute)


def all_close(
    values: np.ndarray, expected: Sequence[float] | np.ndarray, *, rel: float = 0.0,
    absolute: float = 0.0,
) -> bool:  # fmt: skip
    """Whether each number is close to the one expected in its place.

    Examples
    --------
    >>> all_close(np.array([1.0, 2.0]), [1.0, 2.1], rel=0.01)
    False
    """
    pairs = zip(values, expected, strict=True)
    return all(close(float(a), float(b), rel=rel, absolute=absolute) for a, b in pairs)


def _kind(result: Any) -> str:
    if result is None:
        return "nothing (None)"
    names = {bool: "True or False", str: "a text", list: "a list", np.ndarray: "an array"}
    return names.get(type(result), "a number")
