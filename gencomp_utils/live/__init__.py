"""Figures that run the models in the page: one line in a cell, a poster where nothing runs."""

import importlib
from typing import TYPE_CHECKING, Any

from gencomp_utils.live.theory import bound, collapse, discriminator, distributions, stamps

if TYPE_CHECKING:
    from gencomp_utils.live.networks import explorer, generator
    from gencomp_utils.live.play import game

# Those that need PyTorch, which a chapter of theory needn't load.
_LATER = {"game": "play", "explorer": "networks", "generator": "networks"}
__all__ = ["bound", "collapse", "discriminator", "distributions", "stamps", *_LATER]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
