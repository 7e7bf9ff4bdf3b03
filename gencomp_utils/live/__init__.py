"""Figures that run the models in the page: one line in a cell, a poster where nothing runs."""

from gencomp_utils.live.game import game
from gencomp_utils.live.networks import explorer, generator
from gencomp_utils.live.theory import bound, collapse, discriminator, distributions, stamps
