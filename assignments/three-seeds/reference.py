"""Reference of three-seeds: never released, never beside a submission."""

import numpy as np
from scipy import stats


def interval(values, level=0.95):
    values = np.asarray(values, float)
    n = len(values)
    half = stats.t.ppf((1 + level) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)
    return float(values.mean() - half), float(values.mean() + half)


def false_claims(start, stop, trials, seed):
    draws = np.random.default_rng(seed).standard_normal((trials, stop))
    claimed = np.zeros(trials, bool)
    for n in range(start, stop + 1):
        some = draws[:, :n]
        half = stats.t.ppf(0.975, n - 1) * some.std(axis=1, ddof=1) / np.sqrt(n)
        claimed |= abs(some.mean(axis=1)) > half
    return float(claimed.mean())
