"""The report's claims as rows: what was said, what would make it true, and what runs say of it."""

from gencomp_utils.claims.core import CLAIMS, Claim, Finding, claim
from gencomp_utils.claims.each import LOGGED, PIXELS, PRINTED, excess, log_of

from gencomp_utils.claims.both import passes  # isort: skip, since rows are listed in order
