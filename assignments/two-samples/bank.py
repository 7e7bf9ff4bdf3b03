"""Right and wrong answers to two-samples, each wrong one named by why it must lose."""

from pathlib import Path

from gencomp_course.attacks import function_source, mutant

HERE = Path(__file__).parent / "reference.py"
VALUES = {"jsd_counts": "0.1", "jsd_floor": "0.01"}
JSD = function_source(HERE, "jsd_counts")
FLOOR = function_source(HERE, "jsd_floor")

RIGHT = {
    "jsd_counts": {
        "the reference": JSD,
        "by scipy's rel_entr": """
from scipy.special import rel_entr
import numpy as np
def jsd_counts(a, b):
    p, q = np.array(a) / np.sum(a), np.array(b) / np.sum(b)
    m = 0.5 * (p + q)
    return 0.5 * (rel_entr(p, m).sum() + rel_entr(q, m).sum())
""",
        "a loop without numpy": """
import math
def jsd_counts(a, b):
    n, m = sum(int(x) for x in a), sum(int(x) for x in b)
    total = 0.0
    for x, y in zip(a, b):
        p, q = int(x) / n, int(y) / m
        mid = (p + q) / 2
        if p: total += p * math.log(p / mid) / 2
        if q: total += q * math.log(q / mid) / 2
    return total
""",
        "entropy of the mixture less the mean entropy": """
import numpy as np
def entropy(p):
    p = p[p > 0]
    return -(p * np.log(p)).sum()
def jsd_counts(a, b):
    p, q = (np.asarray(c, dtype=float) for c in (a, b))
    p, q = p / p.sum(), q / q.sum()
    return entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2
""",
        "scipy's distance squared": """
from scipy.spatial.distance import jensenshannon
import numpy as np
def jsd_counts(a, b):
    d = jensenshannon(np.asarray(a, float), np.asarray(b, float))
    return 0.0 if np.isnan(d) else d ** 2
""",
        "in torch, a tensor comes back": """
import torch
def jsd_counts(a, b):
    p, q = (torch.as_tensor([float(x) for x in c], dtype=torch.float64) for c in (a, b))
    p, q = p / p.sum(), q / q.sum()
    m = (p + q) / 2
    return (torch.xlogy(p, p) + torch.xlogy(q, q) - 2 * torch.xlogy(m, m)).sum() / 2
""",
    },
    "jsd_floor": {
        "the reference": FLOOR,
        "one fraction": "def jsd_floor(bins, n, m):\n    return (bins - 1) * (n + m) / (8 * n * m)\n",
        "the mean of chi squared": """
from scipy.stats import chi2
def jsd_floor(bins, n, m):
    return float(chi2(bins - 1).mean() / 8 * (1 / n + 1 / m))
""",
        "8,000 pairs at once": """
import numpy as np
from scipy.special import rel_entr
def jsd_floor(bins, n, m):
    rng = np.random.default_rng(1)
    p = np.full(bins, 1 / bins)
    total = 0.0
    for _ in range(8):
        a = rng.multinomial(n, p, 1000) / n
        b = rng.multinomial(m, p, 1000) / m
        c = (a + b) / 2
        total += (rel_entr(a, c) + rel_entr(b, c)).sum(1).mean() / 2
    return total / 8
""",
        "2,500 pairs, one after the other": """
import numpy as np
def jsd_counts(a, b):
    p, q = a / a.sum(), b / b.sum()
    m = (p + q) / 2
    s, t = p > 0, q > 0
    return (p[s] @ np.log(p[s] / m[s]) + q[t] @ np.log(q[t] / m[t])) / 2
def jsd_floor(bins, n, m):
    rng = np.random.default_rng()
    p = np.ones(bins) / bins
    return np.mean([jsd_counts(rng.multinomial(n, p), rng.multinomial(m, p)) for _ in range(2500)])
""",
    },
}


def jsd(name, check, old, new):
    return name, check, mutant(JSD, old, new)


ONE, SIZES = "samples of one size", "samples of different sizes"
IN_ONE, IN_BOTH = "bins empty in one sample", "bins empty in both samples"
EQUAL, UNEQUAL, MANY = (
    "two samples of one size",
    "two samples of different sizes",
    "many bins",
)
PLAIN = """
import numpy as np
def jsd_counts(a, b):
    a, b = np.asarray(a, float), np.asarray(b, float)
    PREPARE
    m = (p + q) / 2
    return RESULT
"""


def plain(name, check, prepare, result):
    return name, check, PLAIN.replace("PREPARE", prepare).replace("RESULT", result)


WRONG = {
    "jsd_counts": [
        jsd("in bits", ONE, "/ 2)", "/ 2 / np.log(2))"),
        jsd("the half is forgotten", ONE, "return float((from_middle(p) + from_middle(q)) / 2)",
            "return float(from_middle(p) + from_middle(q))"),
        jsd("only one of the two terms", ONE, "from_middle(p) + from_middle(q)",
            "from_middle(p) + from_middle(p)"),
        jsd("the mixture isn't halved", ONE, "middle = (p + q) / 2", "middle = p + q"),
        jsd("the square root, a distance", ONE, "from_middle(q)) / 2)", "from_middle(q)) / 2) ** 0.5"),
        jsd("the logarithm upside down", ONE, "shares[some] / middle[some]",
            "middle[some] / shares[some]"),
        jsd("base ten", ONE, "np.log(", "np.log10("),
        jsd("rounded to three digits", ONE, "return float((from_middle(p) + from_middle(q)) / 2)",
            "return round(float((from_middle(p) + from_middle(q)) / 2), 3)"),
        jsd("in float16", SIZES, "np.asarray(counts, float)", "np.asarray(counts, np.float16)"),
        plain("KL instead of JSD", ONE, "p, q = a / a.sum(), b / b.sum()",
              "float((p * np.log(p / q)).sum())"),
        plain("Jeffreys' divergence", ONE, "p, q = a / a.sum(), b / b.sum()",
              "float(((p - q) * np.log(p / q)).sum() / 2)"),
        plain("total variation", ONE, "p, q = a / a.sum(), b / b.sum()",
              "float(np.abs(p - q).sum() / 2)"),
        plain("its mean over bins", ONE, "p, q = a / a.sum(), b / b.sum()",
              "float((p * np.log(p / m) + q * np.log(q / m)).mean() / 2)"),
        plain("counts are taken for probabilities", ONE, "p, q = a, b",
              "float((p * np.log(p / m) + q * np.log(q / m)).sum() / 2)"),
        plain("both are divided by the first total", SIZES, "p, q = a / a.sum(), b / a.sum()",
              "float((p * np.log(p / m) + q * np.log(q / m)).sum() / 2)"),
        plain("both are divided by the common total", SIZES,
              "p, q = 2 * a / (a.sum() + b.sum()), 2 * b / (a.sum() + b.sum())",
              "float((p * np.log(p / m) + q * np.log(q / m)).sum() / 2)"),
        plain("the mixture weighted by sizes", SIZES, "p, q = a / a.sum(), b / b.sum()",
              "float((p * np.log(p / ((a + b) / (a + b).sum()))"
              " + q * np.log(q / ((a + b) / (a + b).sum()))).sum() / 2)"),
        plain("0 log 0 is NaN", IN_ONE, "p, q = a / a.sum(), b / b.sum()",
              "float((p * np.log(p / m) + q * np.log(q / m)).sum() / 2)"),
        plain("NaN is turned to zero at the end", IN_ONE, "p, q = a / a.sum(), b / b.sum()",
              "float(np.nan_to_num((p * np.log(p / m) + q * np.log(q / m)).sum()) / 2)"),
        plain("one is added to each bin", ONE, "a, b = a + 1, b + 1; p, q = a / a.sum(), b / b.sum()",
              "float((p * np.log(p / m) + q * np.log(q / m)).sum() / 2)"),
        plain("a small number is added", IN_ONE,
              "a, b = a + 1e-4, b + 1e-4; p, q = a / a.sum(), b / b.sum()",
              "float((p * np.log(p / m) + q * np.log(q / m)).sum() / 2)"),
        plain("only bins that both have", IN_ONE,
              "k = (a > 0) & (b > 0); p, q = (a / a.sum())[k], (b / b.sum())[k]",
              "float((p * np.log(p / m) + q * np.log(q / m)).sum() / 2)"),
        plain("only bins that both have, renormalised", IN_ONE,
              "k = (a > 0) & (b > 0); a, b = a[k], b[k]; p, q = a / a.sum(), b / b.sum()",
              "float((p * np.log(p / m) + q * np.log(q / m)).sum() / 2)"),
        plain("an array of terms", ONE, "p, q = a / a.sum(), b / b.sum()",
              "(p * np.log(p / m) + q * np.log(q / m)) / 2"),
        plain("an array of one number", ONE, "p, q = a / a.sum(), b / b.sum()",
              "np.array([(p * np.log(p / m) + q * np.log(q / m)).sum() / 2])"),
        plain("a pair", ONE, "p, q = a / a.sum(), b / b.sum()",
              "(float((p * np.log(p / m) + q * np.log(q / m)).sum() / 2), 0.0)"),
        ("the visible examples are hard-coded", ONE, """
def jsd_counts(a, b):
    table = {((1, 1), (1, 1)): 0.0, ((5, 0), (0, 3)): 0.6931471805599453,
             ((3, 1), (1, 3)): 0.13081203594113697}
    return table.get((tuple(a), tuple(b)), 0.13)
"""),
        ("counts overflow in 32 bits", "large counts",
         mutant(JSD, "np.asarray(counts, float) / np.sum(counts)",
                "np.asarray(counts).astype(np.int32) / np.sum(np.asarray(counts).astype(np.int32))")),
        ("fails where a bin is empty in both", IN_BOTH, """
import math
def jsd_counts(a, b):
    n, m = sum(int(x) for x in a), sum(int(x) for x in b)
    total = 0.0
    for x, y in zip(a, b):
        p, q = int(x) / n, int(y) / m
        total += (p * math.log(2 * p / (p + q)) if p else 0) / 2
        total += q * (math.log(2 / (p + q)) + (math.log(q) if q else 0)) / 2
    return total
"""),
        ("lists only", SIZES, """
import math
def jsd_counts(a, b):
    p = [x / sum(a) for x in a] if a else []
    q = [x / sum(b) for x in b] if b else []
    total = 0
    for x, y in zip(p, q):
        if x: total += x * math.log(2 * x / (x + y)) / 2
        if y: total += y * math.log(2 * y / (x + y)) / 2
    return total
"""),
    ],
    "jsd_floor": [
        ("bins for bins less one", EQUAL, mutant(FLOOR, "(bins - 1)", "bins")),
        ("a quarter for an eighth", EQUAL, mutant(FLOOR, "/ 8", "/ 4")),
        ("a half for an eighth", EQUAL, mutant(FLOOR, "/ 8", "/ 2")),
        ("in bits", EQUAL, mutant(FLOOR, "/ 8", "/ 8 / np.log(2)")),
        ("only the first sample", UNEQUAL, mutant(FLOOR, "(1 / n + 1 / m)", "(2 / n)")),
        ("only the second sample", UNEQUAL, mutant(FLOOR, "(1 / n + 1 / m)", "(2 / m)")),
        ("the total in place of each", EQUAL, mutant(FLOOR, "(1 / n + 1 / m)", "(1 / (n + m))")),
        ("the mean size", UNEQUAL, mutant(FLOOR, "(1 / n + 1 / m)", "(4 / (n + m))")),
        ("the geometric mean size", UNEQUAL, mutant(FLOOR, "(1 / n + 1 / m)", "(2 / (n * m) ** 0.5)")),
        ("the smaller sample alone", UNEQUAL,
         mutant(FLOOR, "(1 / n + 1 / m)", "(2 / min(n, m))")),
        ("squares of the sizes", EQUAL, mutant(FLOOR, "(1 / n + 1 / m)", "(1 / n**2 + 1 / m**2)")),
        ("square roots of the sizes", EQUAL,
         mutant(FLOOR, "(1 / n + 1 / m)", "(1 / n**0.5 + 1 / m**0.5)")),
        ("doesn't grow with the bins", MANY, mutant(FLOOR, "(bins - 1)", "8")),
        ("grows with the logarithm of bins", MANY, mutant(FLOOR, "(bins - 1)", "2 * np.log(bins)")),
        ("bins plus one", EQUAL, mutant(FLOOR, "(bins - 1)", "(bins + 1)")),
        ("always zero", EQUAL, "def jsd_floor(bins, n, m):\n    return 0.0\n"),
        ("log 2, whatever the bins", EQUAL, "import math\ndef jsd_floor(*a):\n    return math.log(2)\n"),
        ("whole division", EQUAL, mutant(FLOOR, "(1 / n + 1 / m)", "(1 // n + 1 // m)")),
        ("one pair in place of a mean", EQUAL, """
import numpy as np
from scipy.special import rel_entr
def jsd_floor(bins, n, m):
    rng = np.random.default_rng(0)
    p = np.full(bins, 1 / bins)
    a, b = rng.multinomial(n, p) / n, rng.multinomial(m, p) / m
    return float((rel_entr(a, (a + b) / 2) + rel_entr(b, (a + b) / 2)).sum() / 2)
"""),
        ("simulates one sample against the truth", EQUAL, """
import numpy as np
from scipy.special import rel_entr
def jsd_floor(bins, n, m):
    rng = np.random.default_rng(0)
    p = np.full(bins, 1 / bins)
    a = rng.multinomial(n, p, 2000) / n
    c = (a + p) / 2
    return float((rel_entr(a, c) + rel_entr(p, c)).sum(1).mean() / 2)
"""),
        ("simulates two samples of the first size", UNEQUAL, """
import numpy as np
from scipy.special import rel_entr
def jsd_floor(bins, n, m):
    rng = np.random.default_rng(0)
    p = np.full(bins, 1 / bins)
    a, b = rng.multinomial(n, p, 2000) / n, rng.multinomial(n, p, 2000) / n
    c = (a + b) / 2
    return float((rel_entr(a, c) + rel_entr(b, c)).sum(1).mean() / 2)
"""),
        ("the median of pairs", EQUAL, """
import numpy as np
from scipy.special import rel_entr
def jsd_floor(bins, n, m):
    rng = np.random.default_rng(0)
    p = np.full(bins, 1 / bins)
    a, b = rng.multinomial(n, p, 4000) / n, rng.multinomial(m, p, 4000) / m
    c = (a + b) / 2
    return float(np.median((rel_entr(a, c) + rel_entr(b, c)).sum(1) / 2))
"""),
        ("the largest of pairs", EQUAL, """
import numpy as np
from scipy.special import rel_entr
def jsd_floor(bins, n, m):
    rng = np.random.default_rng(0)
    p = np.full(bins, 1 / bins)
    a, b = rng.multinomial(n, p, 500) / n, rng.multinomial(m, p, 500) / m
    c = (a + b) / 2
    return float(((rel_entr(a, c) + rel_entr(b, c)).sum(1) / 2).max())
"""),
        ("the visible examples are hard-coded", EQUAL, """
def jsd_floor(bins, n, m):
    return {(2, 100, 100): 0.0025, (11, 500, 500): 0.005, (11, 400, 800): 0.0047}.get((bins, n, m), 0.005)
"""),
    ],
}  # fmt: skip
