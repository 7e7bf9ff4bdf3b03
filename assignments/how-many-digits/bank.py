"""Right and wrong answers to how-many-digits, each wrong one named by why it must lose."""

from pathlib import Path

from gencomp_course.attacks import function_source, mutant

VALUES = {"effective_support": "12.5"}
SUPPORT = function_source(Path(__file__).parent / "reference.py", "effective_support")
SIMPLE = """
from collections import Counter
import math, numpy as np
def effective_support(ids):
    counts = np.array(list(Counter(getattr(ids, "tolist", lambda: ids)()).values()), float)
    n, pairs = counts.sum(), (counts * (counts - 1)).sum()
    return RESULT
"""

RIGHT = {
    "effective_support": {
        "the reference": SUPPORT,
        "numpy's unique": """
import numpy as np
def effective_support(ids):
    _, c = np.unique(np.asarray(ids), return_counts=True)
    n, pairs = c.sum(), (c * (c - 1)).sum()
    return n * (n - 1) / pairs if pairs else np.inf
""",
        "divided without a warning": """
import numpy as np
def effective_support(ids):
    c = np.unique(ids, return_counts=True)[1].astype(float)
    with np.errstate(divide="ignore"):
        return np.float64(len(ids) * (len(ids) - 1)) / np.sum(c * (c - 1))
""",
        "a sorted list": """
from itertools import groupby
from math import inf
def effective_support(ids):
    n = len(ids)
    alike = sum(k * (k - 1) for k in (len(list(g)) for _, g in groupby(sorted(ids))))
    return inf if alike == 0 else n * (n - 1) / alike
""",
        "pairs counted as samples come": """
def effective_support(ids):
    seen, alike, n = {}, 0, 0
    for i in ids:
        key = str(i)
        alike += seen.get(key, 0)
        seen[key] = seen.get(key, 0) + 1
        n += 1
    return n * (n - 1) / 2 / alike if alike else float("inf")
""",
        "pandas' way by a dictionary": """
import numpy as np
def effective_support(ids):
    table = {}
    for i in np.asarray(ids).tolist():
        table.setdefault(i, []).append(1)
    counts = [sum(v) for v in table.values()]
    share = sum(c * (c - 1) for c in counts) / (sum(counts) * (sum(counts) - 1))
    return 1 / share if share > 0 else np.inf
""",
    },
}


def simple(name, check, result):
    return name, check, SIMPLE.replace("RESULT", result)


FEW, KIND, NONE = "few samples", "ids of any kind", "no two alike"
ALL, EQUAL, RARE = "all alike", "equally frequent", "frequent and rare, many samples"

WRONG = {
    "effective_support": [
        simple("each sample is paired with itself", FEW, "n * n / (counts**2).sum()"),
        simple("n squared above, pairs below", FEW, "n * n / pairs if pairs else math.inf"),
        simple("squares of counts below", FEW, "n * (n - 1) / (counts**2).sum()"),
        simple("the probability in place of the number", FEW, "pairs / (n * (n - 1))"),
        simple("half as much", FEW, "n * (n - 1) / 2 / pairs if pairs else math.inf"),
        simple("twice as much", FEW, "n * (n - 1) / (pairs / 2) if pairs else math.inf"),
        simple("the number of different ids", FEW, "float(len(counts))"),
        simple("the number of samples", FEW, "n"),
        simple("the number of ids seen twice", FEW, "float((counts > 1).sum())"),
        simple("the exponential of the entropy", FEW,
               "float(np.exp(-(counts / n * np.log(counts / n)).sum()))"),
        simple("Chao's estimate", FEW,
               "len(counts) + (counts == 1).sum() ** 2 / (2 * max((counts == 2).sum(), 1))"),
        simple("the greatest share", FEW, "n / counts.max()"),
        simple("the birthday rule n squared over two", FEW, "n**2 / 2"),
        simple("colliding ids, not colliding pairs", FEW,
               "n * (n - 1) / 2 / (counts > 1).sum() if pairs else math.inf"),
        simple("samples that collide, not pairs", FEW,
               "n * (n - 1) / counts[counts > 1].sum() if pairs else math.inf"),
        simple("rounded to a whole number", FEW, "float(round(n * (n - 1) / pairs)) if pairs else math.inf"),
        simple("whole division", FEW, "n * (n - 1) // pairs if pairs else math.inf"),
        simple("no more than the different ids", FEW,
               "min(n * (n - 1) / pairs, len(counts)) if pairs else math.inf"),
        simple("one is added below", FEW, "n * (n - 1) / (pairs + 1)"),
        simple("its square root", FEW, "(n * (n - 1) / pairs) ** 0.5 if pairs else math.inf"),
        simple("n less one squared", FEW, "(n - 1) ** 2 / pairs if pairs else math.inf"),
        simple("an array", FEW, "np.array([n * (n - 1) / pairs]) if pairs else math.inf"),
        simple("NaN without a collision", NONE, "n * (n - 1) / pairs if pairs else math.nan"),
        simple("None without a collision", NONE, "n * (n - 1) / pairs if pairs else None"),
        simple("zero without a collision", NONE, "n * (n - 1) / pairs if pairs else 0.0"),
        simple("the number of samples without a collision", NONE, "n * (n - 1) / pairs if pairs else n"),
        simple("all pairs without a collision", NONE,
               "n * (n - 1) / pairs if pairs else n * (n - 1) / 2"),
        simple("minus infinity without a collision", NONE, "n * (n - 1) / pairs if pairs else -math.inf"),
        ("division by zero", NONE, mutant(SUPPORT, ' if pairs else float("inf")', "")),
        ("ids taken for indices", KIND, """
import numpy as np
def effective_support(ids):
    c = np.bincount(np.asarray(ids))
    pairs = (c * (c - 1)).sum()
    return len(ids) * (len(ids) - 1) / pairs if pairs else np.inf
"""),
        ("ids taken for small numbers", KIND, """
import numpy as np
def effective_support(ids):
    c = np.unique(np.asarray(ids).astype(np.int8), return_counts=True)[1]
    pairs = (c * (c - 1)).sum()
    return len(ids) * (len(ids) - 1) / pairs if pairs else np.inf
"""),
        ("ids taken for 32 bits", KIND, """
import numpy as np
def effective_support(ids):
    c = np.unique(np.asarray(ids).astype(np.int32), return_counts=True)[1]
    pairs = (c * (c - 1)).sum()
    return len(ids) * (len(ids) - 1) / pairs if pairs else np.inf
"""),
        ("only neighbours are compared", FEW, """
import math
def effective_support(ids):
    alike = sum(a == b for a, b in zip(ids[:-1], ids[1:]))
    return (len(ids) - 1) / alike if alike else math.inf
"""),
        ("some random pairs", FEW, """
import numpy as np
def effective_support(ids):
    rng, ids = np.random.default_rng(0), np.asarray(ids)
    i, j = rng.integers(len(ids), size=(2, 5000))
    alike = (ids[i] == ids[j])[i != j].mean()
    return 1 / alike if alike else np.inf
"""),
        ("the first thousand samples only", RARE,
         mutant(SUPPORT, "lambda: ids)())", "lambda: ids)()[:1000])")),
        ("counts overflow", RARE, """
import numpy as np
def effective_support(ids):
    c = np.unique(np.asarray(ids), return_counts=True)[1].astype(np.int16)
    pairs = (c * (c - 1)).sum(dtype=np.int16)
    return len(ids) * (len(ids) - 1) / pairs if pairs else np.inf
"""),
        ("counts from one on", FEW, mutant(SUPPORT, "c * (c - 1)", "(c + 1) * c")),
        ("every pair twice", FEW, mutant(SUPPORT, "c * (c - 1)", "2 * c * (c - 1)")),
        ("the visible examples are hard-coded", FEW, """
def effective_support(ids):
    return {("a", "a", "b", "c"): 6.0, (1, 1, 1): 1.0}.get(tuple(ids), float("inf"))
"""),
    ],
}  # fmt: skip
