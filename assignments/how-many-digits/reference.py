"""Reference of how-many-digits: never released, never beside a submission."""

from collections import Counter


def effective_support(ids):
    counts = Counter(getattr(ids, "tolist", lambda: ids)()).values()
    n, pairs = sum(counts), sum(c * (c - 1) for c in counts)
    return n * (n - 1) / pairs if pairs else float("inf")
