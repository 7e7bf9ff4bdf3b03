"""The only format in which values cross the border: plain data, told apart by exact types.

Nothing of a student's is pickled, compared or asked to convert itself: a value is either of one of
the types below or refused, so that a class of the student's own has no say in its marking.
"""

import base64
import json
import math
from typing import Any

import numpy as np

LONGEST_TEXT = 100
MOST_BYTES = 8_000_000
DEEPEST = 6
_DTYPES = ("<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "|i1", "<u8", "<u4", "<u2", "|u1", "|b1")
_LARGEST_WHOLE = 2**63
_SCALARS = (
    *(np.float64, np.float32, np.float16, np.bool_),
    *(np.int64, np.int32, np.int16, np.int8, np.uint64, np.uint32, np.uint16, np.uint8),
)


class NotPlain(ValueError):
    """A value that isn't plain data; says what it is, in words for a student."""


def encode(value: Any, depth: int = 0) -> Any:
    """Write a value as what JSON knows; a NotPlain if it is of any other type.

    Arrays and tensors are written with their type, shape and bytes.

    Examples
    --------
    >>> encode((1, 2.5, "different"))
    [1, 2.5, 'different']
    >>> class Anything(float):
    ...     pass
    >>> encode(Anything(1))
    Traceback (most recent call last):
    gencomp_course.plain.NotPlain: a value of type Anything
    """
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value
    if kind is int:
        if not -_LARGEST_WHOLE <= value < _LARGEST_WHOLE:
            raise NotPlain("a whole number of more than 18 digits")
        return value
    if kind is str:
        if len(value) > LONGEST_TEXT:
            raise NotPlain(f"a text of more than {LONGEST_TEXT} characters")
        return value
    if kind in _SCALARS:
        return value.item()
    if kind is np.ndarray:
        return {"array": _encode_array(value)}
    if kind.__name__ == "Tensor" and kind.__module__ == "torch":
        return {"tensor": _encode_array(value.detach().cpu().numpy())}
    if kind is list or kind is tuple:
        if depth == DEEPEST:
            raise NotPlain("lists within lists within lists")
        return [encode(entry, depth + 1) for entry in value]
    raise NotPlain(f"a value of type {kind.__name__[:40]}")


def _encode_array(array: Any) -> list[Any]:
    plain = np.ascontiguousarray(array)
    dtype = plain.dtype.newbyteorder("<").str
    if dtype not in _DTYPES:
        raise NotPlain(f"an array of {str(plain.dtype)[:40]}")
    if plain.nbytes > MOST_BYTES:
        raise NotPlain("an array of more than 8 MB")
    data = plain.astype(dtype, copy=False).tobytes()
    return [dtype, list(array.shape), base64.b64encode(data).decode()]


def decode(value: Any, tensor: Any = None) -> Any:
    """Read what `encode` wrote, or refuse it with a NotPlain, whoever wrote it.

    Parameters
    ----------
    value
        What came out of JSON.
    tensor
        Makes a tensor of an array (``torch.from_numpy``); without it tensors become arrays.

    Examples
    --------
    >>> decode(encode([np.eye(2), 1]))
    [array([[1., 0.],
           [0., 1.]]), 1]
    """
    if value is None or type(value) in (bool, int, float):
        return value
    if type(value) is str and len(value) <= LONGEST_TEXT:
        return value
    if type(value) is list:
        return [decode(entry, tensor) for entry in value]
    if type(value) is dict and len(value) == 1:
        ((kind, content),) = value.items()
        if kind in ("array", "tensor"):
            array = _decode_array(content)
            return tensor(array) if kind == "tensor" and tensor else array
    raise NotPlain("something that isn't plain data")


def _decode_array(content: Any) -> np.ndarray:
    try:
        dtype, shape, text = content
        if dtype not in _DTYPES or not all(type(n) is int and n >= 0 for n in shape):
            raise NotPlain("an array of no known kind")
        data = base64.b64decode(text, validate=True)
        if len(data) != math.prod(shape) * np.dtype(dtype).itemsize:
            raise NotPlain("an array of another size than it says")
        return np.frombuffer(data, dtype).reshape(shape).copy()
    except (TypeError, ValueError, OverflowError) as error:
        raise NotPlain("an array that can't be read") from error


def loads(text: bytes) -> Any:
    """Read JSON that a stranger may have written; a NotPlain for whatever is wrong with it.

    Examples
    --------
    >>> loads(b"[" * 100_000)
    Traceback (most recent call last):
    gencomp_course.plain.NotPlain: something that can't be read
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError, MemoryError) as error:
        raise NotPlain("something that can't be read") from error
