"""The ledger: each equation checked numerically, and wrong forms of it rejected by the same check.

A row is its check under a decorator that names all else. The parts hold the rows in the order of
the book; the tests and the appendix page run them all.
"""

from gencomp_utils.ledger import adversarial, autoencoding, distance, training
from gencomp_utils.ledger.core import REJECTION, Case, Row, RowResult, verify, worst
from gencomp_utils.ledger.page import ledger_markdown

__all__ = ["LEDGER", "REJECTION", "Case", "Row", "RowResult", "ledger_markdown", "verify", "worst"]

LEDGER: tuple[Row, ...] = tuple(
    entry
    for part in (distance, adversarial, training, autoencoding)
    for entry in vars(part).values()
    if isinstance(entry, Row)
)
