"""Right and wrong answers to d-says-half, each wrong one named by why it must lose."""

from pathlib import Path

from gencomp_course.attacks import function_source, mutant

HERE = Path(__file__).parent / "reference.py"
VALUES = {"jsd_bound": "(0.1, 0.01)", "verdict": "'undecided'", "counterexample": "[0.5] * 20000"}
BOUND = function_source(HERE, "jsd_bound")
VERDICT = BOUND + "\n\n" + function_source(HERE, "verdict")
COUNTER = function_source(HERE, "counterexample")

RIGHT = {
    "jsd_bound": {
        "the reference": BOUND,
        "by scipy's log_expit": """
import numpy as np
from scipy.special import log_expit
def jsd_bound(r, f):
    a, b = log_expit(np.asarray(r, float)), log_expit(-np.asarray(f, float))
    bound = 0.5 * (a.mean() + b.mean()) + np.log(2)
    return bound, 0.5 * np.sqrt(a.var(ddof=1) / a.size + b.var(ddof=1) / b.size)
""",
        "by torch, two tensors": """
import torch
from torch.nn.functional import logsigmoid
def jsd_bound(real_logits, fake_logits):
    r = logsigmoid(torch.as_tensor(real_logits).double())
    f = logsigmoid(-torch.as_tensor(fake_logits).double())
    bound = (r.mean() + f.mean() + torch.log(torch.tensor(4.0, dtype=torch.float64))) / 2
    return bound, (r.var() / len(r) + f.var() / len(f)).sqrt() / 2
""",
        "plain Python": """
import math, statistics
def log_sigmoid(x):
    return -math.log1p(math.exp(-x)) if x > 0 else x - math.log1p(math.exp(x))
def jsd_bound(r, f):
    a = [log_sigmoid(float(x)) for x in r]
    b = [log_sigmoid(-float(x)) for x in f]
    bound = (statistics.fmean(a) + statistics.fmean(b) + math.log(4)) / 2
    error = math.sqrt(statistics.variance(a) / len(a) + statistics.variance(b) / len(b)) / 2
    return [bound, error]
""",
        "by the binary cross-entropy": """
import numpy as np
def bce(logits, target):
    return np.maximum(logits, 0) - logits * target + np.log1p(np.exp(-np.abs(logits)))
def jsd_bound(real, fake):
    a, b = bce(np.asarray(real, float), 1), bce(np.asarray(fake, float), 0)
    bound = np.log(2) - (a.mean() + b.mean()) / 2
    return np.array([bound, np.hypot(a.std(ddof=1) / len(a)**0.5, b.std(ddof=1) / len(b)**0.5) / 2])
""",
    },
    "verdict": {
        "the reference": VERDICT,
        "in one expression": BOUND
        + """
def verdict(real, fake):
    b, e = jsd_bound(real, fake)
    return ("undecided", "different")[int(b > max(3 * e, 0))]
""",
        "by early returns": BOUND
        + """
def verdict(real, fake):
    bound, error = jsd_bound(real, fake)
    if bound <= 0:
        return "undecided"
    if error == 0:
        return "different"
    if bound / error > 3:
        return "different"
    return "undecided"
""",
        "all by itself": """
import numpy as np
def verdict(real, fake):
    a, b = -np.logaddexp(0, -real), -np.logaddexp(0, fake)
    bound = (np.mean(a) + np.mean(b)) / 2 + np.log(2)
    error = np.sqrt(np.var(a, ddof=1) / a.size + np.var(b, ddof=1) / b.size) / 2
    if bound > 3 * error and bound > 1e-12:
        return "different"
    else:
        return "undecided"
""",
    },
    "counterexample": {
        "the reference": COUNTER,
        "always the median": """
import numpy as np
def counterexample(n, seed):
    return np.random.default_rng(seed).normal(0, 0.01, n)
""",
        "two far peaks": """
import random
def counterexample(n, seed):
    source = random.Random(seed)
    return [source.choice((-1, 1)) * source.uniform(9, 10) for _ in range(n)]
""",
        "a wide one": """
import torch
def counterexample(n, seed):
    g = torch.Generator().manual_seed(seed)
    return 200 * torch.randn(n, generator=g)
""",
        "narrow stripes": """
import numpy as np
def counterexample(n, seed):
    rng = np.random.default_rng(seed)
    x = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    return x * np.abs(1 + 0.001 * rng.standard_normal(n))
""",
        "huge numbers of both signs": """
import numpy as np
def counterexample(n, seed):
    return 1e30 * np.random.default_rng(seed).standard_normal(n)
""",
    },
}


def bound(name, check, *changes):
    code = BOUND
    for old, new in changes:
        code = mutant(code, old, new)
    return name, check, code


def says(name, check, body):
    return (
        name,
        check,
        f"{BOUND}\ndef verdict(real, fake):\n    b, e = jsd_bound(real, fake)\n{body}\n",
    )


def draws(name, check, body):
    start = (
        "import numpy as np\ndef counterexample(n, seed):\n    rng = np.random.default_rng(seed)\n"
    )
    return name, check, f"{start}    {body}\n"


ONE, SIZES, CERTAIN = "samples of one size", "samples of different sizes", "certain, and wrong"
SINGLE, HALF, WORSE = "single precision", "always one half", "worse than one half"
CLEAR, THREE = "clear cases", "about three standard errors"
SPREAD = "worse than one half, and no spread"
BLIND, AGAIN = "blind, and far away", "again with other seeds"
NAIVE = """
import numpy as np
def jsd_bound(real, fake):
    sigmoid = lambda x: 1 / (1 + np.exp(-x))
    a, b = np.log(sigmoid(real) + EPS), np.log(1 - sigmoid(fake) + EPS)
    bound = (a.mean() + b.mean() + np.log(4)) / 2
    return bound, np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b)) / 2
"""

WRONG = {
    "jsd_bound": [
        ("log of a sigmoid that has become 0", CERTAIN, NAIVE.replace("EPS", "0")),
        ("a small number in the logarithm", CERTAIN, NAIVE.replace("EPS", "1e-12")),
        ("logits are clipped", CERTAIN,
         mutant(BOUND, "np.asarray(logits, float)", "np.clip(np.asarray(logits, float), -30, 30)")),
        ("V in place of the bound", ONE,
         mutant(BOUND, "(of_real.mean() + of_fake.mean() + np.log(4)) / 2",
                "of_real.mean() + of_fake.mean()")),
        bound("log 2 for log 4", ONE, ("np.log(4)", "np.log(2)")),
        bound("in bits", ONE, ("return float(bound)", "return float(bound / np.log(2))")),
        bound("twice the bound", HALF, ("np.log(4)) / 2", "np.log(4)) * 1.0"),
              ("np.sqrt(variance) / 2", "np.sqrt(variance)")),
        bound("the error isn't halved", ONE, ("np.sqrt(variance) / 2", "np.sqrt(variance)")),
        bound("the variance in place of the error", ONE, ("np.sqrt(variance) / 2", "variance / 4")),
        bound("the deviation in place of the error", ONE,
              ("/ len(real) + of_fake.var(ddof=1) / len(fake)", "+ of_fake.var(ddof=1)")),
        bound("ddof is 0", ONE, ("of_real.var(ddof=1)", "of_real.var()"),
              ("of_fake.var(ddof=1)", "of_fake.var()")),
        bound("only the error of the real", ONE, (" + of_fake.var(ddof=1) / len(fake)", "")),
        bound("one size for both", SIZES, ("/ len(fake)", "/ len(real)")),
        bound("errors are added", ONE,
              ("of_real.var(ddof=1) / len(real) + of_fake.var(ddof=1) / len(fake)",
               "(of_real.std(ddof=1) / len(real) ** 0.5 + of_fake.std(ddof=1) / len(fake) ** 0.5) ** 2")),
        bound("the means over all samples together", SIZES,
              ("(of_real.mean() + of_fake.mean() + np.log(4)) / 2",
               "np.concatenate([of_real, of_fake]).mean() + np.log(2)")),
        bound("real and fake exchanged", ONE, ("-np.logaddexp(0, -real), -np.logaddexp(0, fake)",
                                               "-np.logaddexp(0, real), -np.logaddexp(0, -fake)")),
        bound("log D of both", ONE, ("-np.logaddexp(0, fake)", "-np.logaddexp(0, -fake)")),
        bound("a bound below zero becomes zero", WORSE, ("float(bound)", "float(max(bound, 0))")),
        bound("its absolute value", WORSE, ("float(bound)", "float(abs(bound))")),
        bound("a median for a mean", ONE, ("of_real.mean()", "np.median(of_real)")),
        bound("in single precision and summed", CERTAIN,
              ("np.asarray(logits, float)", "np.asarray(logits, np.float16)")),
        bound("the bound alone", ONE,
              ("return float(bound), float(np.sqrt(variance) / 2)", "return float(bound)")),
        bound("error before bound", ONE,
              ("return float(bound), float(np.sqrt(variance) / 2)",
               "return float(np.sqrt(variance) / 2), float(bound)")),
        bound("a mapping", ONE,
              ("return float(bound), float(np.sqrt(variance) / 2)",
               'return {"bound": float(bound), "error": float(np.sqrt(variance) / 2)}')),
        ("the visible examples are hard-coded", ONE, """
def jsd_bound(real, fake):
    return (0.0, 0.0) if real[0] == 0 else (0.566, 0.0)
"""),
    ],
    "verdict": [
        says("equal, when nothing is found", CLEAR,
             '    return "different" if b > 3 * e and b > 0 else "equal"'),
        says("always different", CLEAR, '    return "different"'),
        says("never different", CLEAR, '    return "undecided"'),
        says("True or False", CLEAR, "    return bool(b > 3 * e and b > 0)"),
        says("in capitals", CLEAR,
             '    return "Different" if b > 3 * e and b > 0 else "Undecided"'),
        says("with a full stop", CLEAR,
             '    return "different." if b > 3 * e and b > 0 else "undecided."'),
        says("printed", CLEAR, '    print("different" if b > 3 * e and b > 0 else "undecided")'),
        says("two standard errors", THREE,
             '    return "different" if b > 2 * e and b > 0 else "undecided"'),
        says("1.96 standard errors", THREE,
             '    return "different" if b > 1.96 * e and b > 0 else "undecided"'),
        says("five standard errors", THREE,
             '    return "different" if b > 5 * e and b > 0 else "undecided"'),
        says("any bound above zero", THREE, '    return "different" if b > 0 else "undecided"'),
        says("the size of the bound, whatever its sign", SPREAD,
             '    return "different" if abs(b) > 3 * e and b != 0 else "undecided"'),
        says("a fixed threshold", THREE, '    return "different" if b > 0.1 else "undecided"'),
        says("divides by an error of zero", SPREAD,
             '    return "different" if float(b) / float(e) > 3 else "undecided"'),
        says("undecided without any spread", SPREAD,
             '    return "different" if e > 0 and b > 3 * e else "undecided"'),
        says("the two answers exchanged", CLEAR,
             '    return "undecided" if b > 3 * e and b > 0 else "different"'),
        ("judges by accuracy", THREE, """
import numpy as np
def verdict(real, fake):
    right = (np.mean(real > 0) + np.mean(fake < 0)) / 2
    return "different" if right > 0.6 else "undecided"
"""),
        ("judges by the mean logit", THREE, """
import numpy as np
def verdict(real, fake):
    return "different" if np.mean(real) - np.mean(fake) > 0.5 else "undecided"
"""),
        ("an error that isn't halved", THREE,
         mutant(BOUND, "np.sqrt(variance) / 2", "np.sqrt(variance)")
         + '\ndef verdict(r, f):\n    b, e = jsd_bound(r, f)\n'
         '    return "different" if b > 3 * e and b > 0 else "undecided"\n'),
        ("V compared with zero", CLEAR, """
import numpy as np
def verdict(real, fake):
    v = -np.logaddexp(0, -real).mean() - np.logaddexp(0, fake).mean()
    return "different" if v > 0 else "undecided"
"""),
    ],
    "counterexample": [
        draws("the data themselves", BLIND, "return rng.standard_normal(n)"),
        draws("shifted, so that D sees it", BLIND, "return rng.normal(3, 1, n)"),
        draws("slightly shifted", BLIND, "return rng.normal(0.5, 0.1, n)"),
        draws("a little too narrow", BLIND, "return rng.normal(0, 0.6, n)"),
        draws("a little too wide", BLIND, "return rng.normal(0, 2, n)"),
        draws("two peaks that are too near", BLIND, "return rng.choice([-1, 1], n) + rng.normal(0, 0.6, n)"),
        draws("two peaks of unequal weight", BLIND, "return rng.choice([-2.0, 2.0], n, p=[0.3, 0.7])"),
        draws("only positive", BLIND, "return np.abs(rng.normal(0, 0.1, n)) + 0.5"),
        draws("a uniform one", BLIND, "return rng.uniform(-1.7, 1.7, n)"),
        draws("a Cauchy one", BLIND, "return np.clip(rng.standard_cauchy(n), -50, 50)"),
        draws("infinite numbers", BLIND, "return np.where(rng.random(n) < 0.5, np.inf, -np.inf)"),
        draws("NaN", BLIND, "return np.full(n, np.nan)"),
        draws("one number too many", BLIND, "return rng.choice([-2.0, 2.0], n + 1)"),
        draws("a column", BLIND, "return rng.choice([-2.0, 2.0], (n, 1))"),
        draws("ten numbers only", BLIND, "return rng.choice([-2.0, 2.0], 10)"),
        draws("complex numbers", BLIND, "return rng.choice([-2.0, 2.0], n) + 0j"),
        ("the seed is ignored", AGAIN, """
import numpy as np
def counterexample(n, seed):
    return np.random.default_rng(0).choice([-2.0, 2.0], n)
"""),
        ("another time, other numbers", AGAIN, """
import numpy as np
def counterexample(n, seed):
    return np.random.default_rng().choice([-2.0, 2.0], n)
"""),
        ("always the same two numbers", AGAIN, """
import numpy as np
def counterexample(n, seed):
    return np.resize([-2.0, 2.0], n)
"""),
        draws("an exponential of mean zero", BLIND, "return rng.exponential(1, n) - 1"),
        draws("whole numbers of the data", BLIND, "return np.round(rng.standard_normal(n) * 2) / 2 + 0.4"),
    ],
}  # fmt: skip
