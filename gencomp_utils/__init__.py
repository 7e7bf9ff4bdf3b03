"""Tested helpers under the notebooks of a book that compares VAEs and GANs on MNIST."""

__version__ = "0.1.0"
REPOSITORY = "https://github.com/-set-me-/gencomp-book"
