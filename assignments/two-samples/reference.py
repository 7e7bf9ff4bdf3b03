"""Reference of two-samples: never released, never beside a submission."""

import numpy as np


def jsd_counts(a, b):
    p, q = (np.asarray(counts, float) / np.sum(counts) for counts in (a, b))
    middle = (p + q) / 2

    def from_middle(shares):
        some = shares > 0
        return shares[some] @ np.log(shares[some] / middle[some])

    return float((from_middle(p) + from_middle(q)) / 2)


def jsd_floor(bins, n, m):
    return (bins - 1) / 8 * (1 / n + 1 / m)
