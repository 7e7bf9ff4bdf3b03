"""Right and wrong answers to three-seeds, each wrong one named by why it must lose."""

from pathlib import Path

from gencomp_course.attacks import function_source, mutant

HERE = Path(__file__).parent / "reference.py"
VALUES = {"interval": "(-1.0, 1.0)", "false_claims": "0.17"}
INTERVAL = function_source(HERE, "interval")
CLAIMS = function_source(HERE, "false_claims")

RIGHT = {
    "interval": {
        "the reference": INTERVAL,
        "scipy's t.interval": """
from scipy import stats
import numpy as np
def interval(values, level=0.95):
    values = np.array(values)
    error = stats.sem(values)
    if error == 0:
        return values.mean(), values.mean()
    return stats.t.interval(level, len(values) - 1, values.mean(), error)
""",
        "statistics and a quantile": """
import statistics
from math import sqrt
from scipy.stats import t
def interval(values, level=0.95):
    values = [float(v) for v in values]
    n = len(values)
    mean = statistics.fmean(values)
    half = t(n - 1).isf((1 - level) / 2) * statistics.stdev(values) / sqrt(n)
    return [mean - half, mean + half]
""",
        "torch, an array comes back": """
import numpy as np, torch
from scipy.special import stdtrit
def interval(values, level=0.95):
    v = torch.tensor(np.asarray(values), dtype=torch.float64)
    q = stdtrit(len(v) - 1, 0.5 + level / 2)
    return v.mean() + torch.tensor([-1.0, 1.0], dtype=torch.float64) * q * v.std() / len(v) ** 0.5
""",
    },
    "false_claims": {
        "the reference": CLAIMS,
        "one trial after the other": """
import numpy as np
from scipy import stats
def false_claims(start, stop, trials, seed):
    rng = np.random.default_rng(seed)
    quantiles = {n: stats.t.ppf(0.975, n - 1) for n in range(start, stop + 1)}
    claims = 0
    for _ in range(trials):
        values = list(rng.normal(size=start))
        while True:
            n = len(values)
            mean = sum(values) / n
            spread = (sum((v - mean) ** 2 for v in values) / (n - 1)) ** 0.5
            if abs(mean) > quantiles[n] * spread / n**0.5:
                claims += 1
                break
            if n == stop:
                break
            values.append(rng.normal())
    return claims / trials
""",
        "running sums": """
import numpy as np
from scipy.stats import t
def false_claims(start, stop, trials, seed):
    x = np.random.default_rng(seed).normal(size=(trials, stop))
    n = np.arange(1, stop + 1)
    mean = x.cumsum(1) / n
    with np.errstate(all="ignore"):
        variance = ((x**2).cumsum(1) - n * mean**2) / (n - 1)
        out = np.abs(mean) > t.ppf(0.975, n - 1) * np.sqrt(variance / n)
    return np.mean(out[:, start - 1 : stop].any(axis=1))
""",
        "by the p-values of a t test": """
import numpy as np
from scipy import stats
def false_claims(start, stop, trials, seed):
    x = np.random.RandomState(seed).randn(stop, trials)
    p = [stats.ttest_1samp(x[:n], 0).pvalue for n in range(start, stop + 1)]
    return float((np.min(p, axis=0) < 0.05).mean())
""",
        "in torch": """
import torch
from scipy import stats
def false_claims(start, stop, trials, seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(trials, stop, generator=g, dtype=torch.float64)
    claimed = torch.zeros(trials, dtype=torch.bool)
    for n in range(start, stop + 1):
        t = x[:, :n].mean(1) / (x[:, :n].std(1) / n**0.5)
        claimed = claimed | (t.abs() > stats.t.ppf(0.975, n - 1))
    return claimed.double().mean()
""",
    },
}


def width(name, check, *changes):
    code = INTERVAL
    for old, new in changes:
        code = mutant(code, old, new)
    return name, check, code


def share(name, check, *changes):
    code = CLAIMS
    for old, new in changes:
        code = mutant(code, old, new)
    return name, check, code


THREE, OTHERS, LEVELS = "three values", "other numbers of values", "other levels"
FAR = "far from zero, and without spread"
ONE, FROM_THREE = "one look, and many", "from three seeds on"
FROM_OTHERS, SEED = "from other numbers on", "trials and seed"
QUANTILE = "stats.t.ppf((1 + level) / 2, n - 1)"
LOOKS = "range(start, stop + 1)"

WRONG = {
    "interval": [
        width("1.96 for every n", THREE, (QUANTILE, "1.96")),
        width("a normal quantile", THREE, (QUANTILE, "stats.norm.ppf((1 + level) / 2)")),
        width("n degrees of freedom", THREE, ("n - 1)", "n)")),
        width("n - 2 degrees of freedom", OTHERS, ("n - 1)", "max(n - 2, 1))")),
        width("one-sided", THREE, ("(1 + level) / 2", "level")),
        width("the level is ignored", LEVELS, ("(1 + level) / 2", "0.975")),
        width("level for 1 - level", THREE, ("(1 + level) / 2", "1 - (1 - level)")),
        width("half the level", LEVELS, ("(1 + level) / 2", "0.5 + level / 4 + 0.2375")),
        width("ddof is 0", THREE, ("values.std(ddof=1)", "values.std()")),
        width("the deviation of a value, not of the mean", THREE, (" / np.sqrt(n)", "")),
        width("divided by n", THREE, ("/ np.sqrt(n)", "/ n")),
        width("divided by the root of n - 1", THREE, ("/ np.sqrt(n)", "/ np.sqrt(n - 1)")),
        width("the variance", THREE, ("values.std(ddof=1)", "values.var(ddof=1)")),
        width("about the median", THREE, ("values.mean() - half", "np.median(values) - half"),
              ("values.mean() + half", "np.median(values) + half")),
        width("about zero", THREE, ("values.mean() - half", "-half"), ("values.mean() + half", "half")),
        width("high before low", THREE, ("float(values.mean() - half), float(values.mean() + half)",
                                         "float(values.mean() + half), float(values.mean() - half)")),
        width("mean and half width", THREE, ("float(values.mean() - half), float(values.mean() + half)",
                                             "float(values.mean()), float(half)")),
        width("the width alone", THREE, ("float(values.mean() - half), float(values.mean() + half)",
                                         "float(2 * half)")),
        width("least and greatest value", THREE,
              ("float(values.mean() - half), float(values.mean() + half)",
               "float(values.min()), float(values.max())")),
        width("whole numbers", THREE, ("np.asarray(values, float)", "np.asarray(values).astype(int)")),
        width("single precision", FAR, ("np.asarray(values, float)", "np.asarray(values, np.float32)"),
              ("values.mean() - half", "values.sum(dtype=np.float16) / n - half")),
        width("rounded", THREE, ("float(values.mean() - half), float(values.mean() + half)",
                                 "round(float(values.mean() - half), 2), round(float(values.mean() + half), 2)")),
        ("a table for three values", OTHERS, """
import numpy as np
def interval(values, level=0.95):
    v = np.asarray(values)
    h = 4.302652729911275 * v.std(ddof=1) / 3**0.5
    return v.mean() - h, v.mean() + h
"""),
        ("NaN without spread", FAR, """
import numpy as np
from scipy import stats
def interval(values, level=0.95):
    v = np.asarray(values, float)
    z = (v - v.mean()) / np.ptp(v)
    h = stats.t.ppf((1 + level) / 2, len(v) - 1) * z.std(ddof=1) * np.ptp(v) / len(v) ** 0.5
    return v.mean() - h, v.mean() + h
"""),
        ("the visible examples are hard-coded", THREE, """
def interval(values, level=0.95):
    return {(1, 2, 3): (-0.484138, 4.484138), (0, 1): (-5.853102, 6.853102)}.get(tuple(values), (0.0, 1.0))
"""),
    ],
    "false_claims": [
        share("1.96 in place of t", ONE, ("stats.t.ppf(0.975, n - 1)", "1.96")),
        share("one-sided", ONE, ("stats.t.ppf(0.975, n - 1)", "stats.t.ppf(0.95, n - 1)")),
        share("only claims above zero", ONE, ("abs(some.mean(axis=1))", "some.mean(axis=1)")),
        share("only the last look counts", ONE, ("claimed |= ", "claimed = ")),
        share("only the first look counts", ONE, (LOOKS, "range(start, start + 1)")),
        share("all looks must claim", ONE, ("np.zeros(trials, bool)", "np.ones(trials, bool)"),
              ("claimed |=", "claimed &=")),
        share("the share of looks", ONE,
              ("claimed = np.zeros(trials, bool)", "claimed = np.zeros(trials)"),
              ("claimed |= ", "claimed += "), ("claimed.mean()", "claimed.mean() / (stop - start + 1)")),
        share("claims are added up", ONE, ("np.zeros(trials, bool)", "np.zeros(trials)"),
              ("claimed |= ", "claimed += ")),
        share("independent values at each look", ONE,
              ("draws = np.random.default_rng(seed).standard_normal((trials, stop))",
               "rng = np.random.default_rng(seed)"),
              ("some = draws[:, :n]", "some = rng.standard_normal((trials, n))")),
        share("the last look is left out", ONE, (LOOKS, "range(start, stop)")),
        share("the first look is left out", ONE, (LOOKS, "range(start + 1, stop + 1)")),
        share("looks from two values on", FROM_THREE, (LOOKS, "range(2, stop + 1)")),
        share("as many further looks as stop says", ONE, (LOOKS, "range(start, start + stop + 1)"),
              ("(trials, stop)", "(trials, start + stop)")),
        share("ddof is 0", ONE, ("ddof=1", "ddof=0")),
        share("n degrees of freedom", ONE, ("n - 1)", "n)")),
        share("the spread of a value, not of the mean", ONE, (" / np.sqrt(n)", "")),
        share("the level is 0.99", ONE, ("0.975", "0.995")),
        share("the true claims", ONE, ("claimed.mean()", "1 - claimed.mean()")),
        share("in percent", ONE, ("claimed.mean()", "100 * claimed.mean()")),
        share("a count", ONE, ("claimed.mean()", "claimed.sum()")),
        share("a share for each look", ONE, ("return float(claimed.mean())", "return [float(claimed.mean())]")),
        share("values with a mean of one half", ONE, ("((trials, stop))", "((trials, stop)) + 0.5")),
        share("uniform values that are positive", ONE,
              ("standard_normal((trials, stop))", "random((trials, stop))")),
        share("the seed is ignored", SEED, ("default_rng(seed)", "default_rng(0)")),
        share("another time, other trials", SEED, ("default_rng(seed)", "default_rng()")),
        share("always 20,000 trials", SEED, ("draws = ", "trials = 20_000; draws = ")),
        share("twenty trials", SEED, ("draws = ", "trials = 20; draws = ")),
        ("errors taken for independent", ONE, """
def false_claims(start, stop, trials, seed):
    return 1 - 0.95 ** (stop - start + 1)
"""),
        ("always five percent", ONE, "def false_claims(*a):\n    return 0.05\n"),
        ("the visible examples are hard-coded", FROM_THREE, """
def false_claims(start, stop, trials, seed):
    return {(3, 3): 0.05, (3, 10): 0.166, (3, 20): 0.231}.get((start, stop), 0.166)
"""),
    ],
}  # fmt: skip
