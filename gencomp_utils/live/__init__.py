"""Figures that run the models in the page: one line in a cell, a poster where nothing runs."""

