"""Right and wrong answers to water-level, each wrong one named by why it must lose."""

from pathlib import Path

from gencomp_course.attacks import function_source, mutant

HERE = Path(__file__).parent / "reference.py"
VALUES = {"loss": "1.0", "rates": "[0.5] * len(a[0])", "beta_for": "1.0"}
LOSS = function_source(HERE, "loss")
RATES = function_source(HERE, "rates")
BETA = function_source(HERE, "beta_for")

RIGHT = {
    "loss": {
        "the reference": LOSS,
        "plain Python": """
import math
def loss(w, u, log_var, lam, beta, s2):
    v = math.exp(log_var)
    rec = (lam * (1 - w * u) * (1 - w * u) + w * w * v) / s2 / 2
    kl = 0.5 * (lam * u * u + v - 1 - log_var)
    return rec + beta * kl
""",
        "a tensor": """
import torch
def loss(w, u, log_var, lam, beta, s2):
    w, u, log_var = (torch.tensor(x, dtype=torch.float64) for x in (w, u, log_var))
    v = torch.exp(log_var)
    rec = ((1 - w * u) ** 2 * lam + w**2 * v) / (2 * s2)
    return rec + beta / 2 * (u**2 * lam + v - 1 - log_var)
""",
        "the square multiplied out": """
import numpy as np
def loss(w, u, log_var, lam, beta, s2):
    a = u * u * lam + np.exp(log_var)
    twice = (lam - 2 * w * u * lam + w * w * a) / s2 + beta * (a - 1 - log_var)
    return np.float64(twice) / 2
""",
        "Gauss-Hermite means in place of the closed form": """
import numpy as np
from numpy.polynomial.hermite_e import hermegauss
def loss(w, u, log_var, lam, beta, s2):
    nodes, weights = hermegauss(8)
    weights = weights / weights.sum()
    y, e = (nodes * lam**0.5)[:, None], nodes[None, :]
    z = u * y + np.exp(log_var / 2) * e
    both = weights[:, None] * weights[None, :]
    rec = (both * (y - w * z) ** 2).sum() / (2 * s2)
    kl = (both * (z**2 - e**2)).sum() / 2 - log_var / 2
    return rec + beta * kl
""",
    },
    "rates": {
        "the reference": RATES,
        "a loop": """
import math
def rates(lam, beta, s2):
    found = []
    for value in lam:
        found.append(0.5 * math.log(value / (beta * s2)) if value > beta * s2 else 0.0)
    return found
""",
        "a tensor": """
import torch
def rates(lam, beta, s2):
    lam = torch.as_tensor(lam, dtype=torch.float32)
    return torch.relu(torch.log(lam) - torch.log(torch.tensor(beta * s2))) / 2
""",
        "the optimum put into the KL": """
import numpy as np
def rates(lam, beta, s2):
    lam = np.array(lam, dtype=float)
    a = np.maximum(lam, beta * s2)
    w = np.sqrt(a - beta * s2)
    u, v = w / a, beta * s2 / a
    return (u**2 * lam + v - 1 - np.log(v)) / 2
""",
        "descent from a start, by scipy": """
import numpy as np
from scipy.optimize import minimize
def loss(p, lam, beta, s2):
    w, u, log_var = p
    v = np.exp(log_var)
    return ((1 - w*u)**2 * lam + w**2 * v) / (2*s2) + beta / 2 * (u*u*lam + v - 1 - log_var)
def rates(lam, beta, s2):
    out = []
    for value in lam:
        best = minimize(loss, [1, 0.5, -0.5], args=(value, beta, s2), tol=1e-10)
        w, u, log_var = best.x
        out.append((u*u*value + np.exp(log_var) - 1 - log_var) / 2)
    return np.array(out)
""",
        "a search over w alone": """
import numpy as np
from scipy.optimize import minimize_scalar
def rates(lam, beta, s2):
    out = []
    for value in lam:
        def left(w):
            a = w * w + beta * s2
            return value / a + np.log(a)
        w = minimize_scalar(left, bounds=(0, 2 * value**0.5 + 1), method="bounded",
                            options={"xatol": 1e-8}).x
        if left(0.0) <= left(w):
            w = 0.0
        a = w * w + beta * s2
        u, v = w / a, beta * s2 / a
        out.append(0.5 * (u * u * value + v - 1 - np.log(v)))
    return out
""",
    },
    "beta_for": {
        "the reference": BETA,
        "the largest dead one is the level": """
def beta_for(lam, active, s2):
    levels = sorted([float(x) for x in lam], reverse=True) + [0.0]
    level = levels[active]
    return level / s2 if level > 0 else levels[active - 1] / (2 * s2)
""",
        "the middle of two": """
import numpy as np
def beta_for(lam, active, s2):
    levels = np.sort(np.r_[0.0, lam, 2 * np.max(lam)])
    i = len(lam) - active
    return (levels[i] + levels[i + 1]) / 2 / s2
""",
        "by bisection": """
import numpy as np
def beta_for(lam, active, s2):
    low, high = 0.0, 2 * max(lam) / s2
    while True:
        beta = (low + high) / 2
        alive = int(np.sum(np.asarray(lam) > beta * s2))
        if alive == active:
            return beta
        low, high = (beta, high) if alive > active else (low, beta)
""",
        "just below the smallest alive": """
import torch
def beta_for(lam, active, s2):
    lam = torch.as_tensor(lam, dtype=torch.float64)
    if active == 0:
        return 1000 * lam.max() / s2
    return torch.topk(lam, active).values[-1] * (1 - 1e-6) / s2
""",
    },
}
ALL, ALONE, NARROW = "all terms", "a coordinate that is left alone", "narrow and wide codes"
LIGHT, ZERO = (
    "light and heavy KL, small and large noise",
    "a coordinate without variance",
)
ALIVE, DEAD, NONE, CLOSE = (
    "all alive",
    "some dead",
    "all dead, and a list",
    "close to the level",
)
SOME, ENDS, CROWD, UNITS = (
    "some of them",
    "none, and all",
    "crowded, and equal ones",
    "large and small units",
)


def lost(name, check, old, new):
    return name, check, mutant(LOSS, old, new)


def rate(name, check, body):
    start = "import numpy as np\ndef rates(lam, beta, s2):\n    lam = np.asarray(lam, float)\n"
    return name, check, f"{start}    {body}\n"


def weight(name, check, body):
    start = """
import numpy as np
def beta_for(lam, active, s2):
    down = np.sort(np.asarray(lam, float))[::-1]
    padded = np.r_[2 * down[0], down, down[-1] / 2]
"""
    return name, check, f"{start}    {body}\n"


WRONG = {
    "loss": [
        lost("the log-variance is read as a log-deviation", ALL,
             "np.exp(log_var)", "np.exp(2 * log_var)"),
        lost("the log-variance is read as a variance", ALL, "np.exp(log_var)", "log_var"),
        lost("the exponential of half of it", ALL, "np.exp(log_var)", "np.exp(log_var / 2)"),
        lost("the KL isn't halved", ALL, " - log_var) / 2", " - log_var)"),
        lost("the reconstruction isn't halved", ALL, "(2 * s2)", "s2"),
        lost("the noise variance is read as a deviation", ALL, "(2 * s2)", "(2 * s2**2)"),
        lost("the noise is left out", ALL, "/ (2 * s2)", "/ 2"),
        lost("beta is left out", ALL, "beta * (u**2", "(u**2"),
        lost("beta weighs the reconstruction", ALL,
             "return float(reconstruction + beta *", "return float(beta * reconstruction +"),
        lost("beta weighs both", ALL, "return float(reconstruction + beta *",
             "return float(beta * reconstruction + beta *"),
        lost("the logarithm has the wrong sign", ALL, "1 - log_var)", "1 + log_var)"),
        lost("the one is forgotten", ALONE, "variance - 1 - log_var", "variance - log_var"),
        lost("without its logarithm", NARROW, "- 1 - log_var)", "- 1)"),
        lost("the logarithm is cut at -10", NARROW, "1 - log_var)", "1 - max(log_var, -10))"),
        lost("the noise of the code isn't decoded", ALL, " + w**2 * variance)", ")"),
        lost("the noise of the code is decoded by w", ALL, "w**2 * variance", "w * variance"),
        lost("the encoder's mean has no data in it", ALL, "u**2 * lam", "u**2"),
        lost("the mean isn't squared", ALL, "u**2 * lam", "u * lam"),
        lost("the error isn't squared", ALL, "(1 - w * u) ** 2 * lam", "abs(1 - w * u) * lam"),
        lost("the difference in place of the product", ALL, "(1 - w * u)", "(w - u)"),
        lost("lam is read as a deviation", ALL, "** 2 * lam +", "** 2 * lam**2 +"),
        lost("minus the loss", ALL, "return float(", "return -float("),
        lost("the reconstruction alone", ALL,
             "reconstruction + beta * (u**2 * lam + variance - 1 - log_var) / 2", "reconstruction"),
        lost("both terms, apart", ALL,
             "float(reconstruction + beta * (u**2 * lam + variance - 1 - log_var) / 2)",
             "(reconstruction, beta * (u**2 * lam + variance - 1 - log_var) / 2)"),
        lost("an error of one part in a thousand", ALL, "return float(", "return 1.001 * float("),
        lost("divides by the data's variance", ZERO, "return float(", "return lam / lam * float("),
        ("one draw in place of the mean", ALL, """
import numpy as np
def loss(w, u, log_var, lam, beta, s2):
    rng = np.random.default_rng(0)
    y = rng.normal(0, lam**0.5, 1000)
    z = u * y + np.exp(log_var / 2) * rng.normal(size=1000)
    kl = (u**2 * lam + np.exp(log_var) - 1 - log_var) / 2
    return float(((y - w * z) ** 2).mean() / (2 * s2) + beta * kl)
"""),
        ("in half precision", LIGHT, """
import numpy as np
def loss(w, u, log_var, lam, beta, s2):
    w, u, log_var, lam, beta, s2 = np.array([w, u, log_var, lam, beta, s2], np.float16)
    v = np.exp(log_var)
    return float(((1 - w*u)**2 * lam + w*w*v) / (2 * s2) + beta * (u*u*lam + v - 1 - log_var) / 2)
"""),
        ("the visible examples are hard-coded", ALL, """
def loss(w, u, log_var, lam, beta, s2):
    table = {(0, 0, 0): 2.0, (1, 0.5, -1): 1.375819, (2, 0.5, 0): 3.5}
    return table.get((w, u, log_var), 2.0)
"""),
    ],
    "rates": [
        rate("beta is left out", ALIVE, "return np.log(np.maximum(lam / s2, 1)) / 2"),
        rate("the noise is left out", ALIVE, "return np.log(np.maximum(lam / beta, 1)) / 2"),
        rate("the noise variance is squared", ALIVE,
             "return np.log(np.maximum(lam / (beta * s2**2), 1)) / 2"),
        rate("divided by beta for multiplied", ALIVE,
             "return np.log(np.maximum(lam * beta / s2, 1)) / 2"),
        rate("not halved", ALIVE, "return np.log(np.maximum(lam / (beta * s2), 1))"),
        rate("in bits", ALIVE, "return np.log2(np.maximum(lam / (beta * s2), 1)) / 2"),
        rate("common logarithms", ALIVE, "return np.log10(np.maximum(lam / (beta * s2), 1)) / 2"),
        rate("below zero where dead", DEAD, "return np.log(lam / (beta * s2)) / 2"),
        rate("its size, whatever its sign", DEAD, "return abs(np.log(lam / (beta * s2))) / 2"),
        rate("the channel's formula, 1 + lam over the level", ALIVE,
             "return np.log(1 + lam / (beta * s2)) / 2"),
        rate("what stands out, added to one", DEAD,
             "return np.log(1 + np.maximum(lam - beta * s2, 0)) / 2"),
        rate("weighted by beta", ALIVE,
             "return beta * np.log(np.maximum(lam / (beta * s2), 1)) / 2"),
        rate("largest first", DEAD,
             "return np.sort(np.log(np.maximum(lam / (beta * s2), 1)) / 2)[::-1]"),
        rate("smallest first", DEAD,
             "return np.sort(np.log(np.maximum(lam / (beta * s2), 1)) / 2)"),
        rate("the dead are left out", DEAD,
             "return (np.log(np.maximum(lam / (beta * s2), 1)) / 2)[lam > beta * s2]"),
        rate("their sum", ALIVE, "return float(np.log(np.maximum(lam / (beta * s2), 1)).sum() / 2)"),
        rate("the dead are NaN", DEAD,
             "return np.where(lam > beta * s2, np.log(lam / (beta * s2)) / 2, np.nan)"),
        rate("a column", ALIVE, "return (np.log(np.maximum(lam / (beta * s2), 1)) / 2)[:, None]"),
        rate("alive or dead", ALIVE, "return (lam > beta * s2).astype(float)"),
        rate("the error in place of the rate", ALIVE, "return np.minimum(lam, beta * s2)"),
        rate("the KL of the mean alone", ALIVE,
             "a = np.maximum(lam, beta * s2); return (1 - beta * s2 / a) / 2"),
        rate("small ones are set to zero", CLOSE,
             "r = np.log(np.maximum(lam / (beta * s2), 1)) / 2; return np.where(r < 0.05, 0, r)"),
        rate("a smooth level", CLOSE, "return np.log1p((lam / (beta * s2))**8) / 16"),
        ("arrays only", NONE, """
import numpy as np
def rates(lam, beta, s2):
    return np.log(np.maximum(lam / (beta * s2), 1)) / 2 if lam.ndim else None
"""),
        ("one level for all, by their mean", DEAD, """
import numpy as np
def rates(lam, beta, s2):
    r = np.log(np.asarray(lam) / (beta * s2)) / 2
    return r if r.mean() > 0 else 0 * r
"""),
        ("descent that starts at the saddle", ALIVE, """
import numpy as np
from scipy.optimize import minimize
def rates(lam, beta, s2):
    def loss(p, value):
        w, u, log_var = p
        v = np.exp(log_var)
        return ((1 - w*u)**2 * value + w**2 * v) / (2*s2) + beta/2 * (u*u*value + v - 1 - log_var)
    out = []
    for value in lam:
        w, u, log_var = minimize(loss, [0, 0, 0], args=(value,)).x
        out.append((u*u*value + np.exp(log_var) - 1 - log_var) / 2)
    return out
"""),
        ("descent that is stopped early", ALIVE, """
import numpy as np
def rates(lam, beta, s2):
    lam = np.asarray(lam, float)
    w, u, t = np.ones_like(lam), 0.1 + 0 * lam, 0 * lam
    for _ in range(5):
        v = np.exp(t)
        dw = (-(1 - w*u) * u * lam + w * v) / s2
        du = -(1 - w*u) * w * lam / s2 + beta * u * lam
        dt = w*w*v / (2*s2) + beta * (v - 1) / 2
        w, u, t = w - 0.01 * dw, u - 0.01 * du, t - 0.01 * dt
    return (u*u*lam + np.exp(t) - 1 - t) / 2
"""),
        ("the visible examples are hard-coded", ALIVE, """
def rates(lam, beta, s2):
    return [0.693147, 0.0, 0.346574][:len(lam)] + [0.0] * max(0, len(lam) - 3)
"""),
    ],
    "beta_for": [
        weight("one too many", SOME, "return float(np.sqrt(padded[min(active + 1, len(down))]"
               " * padded[min(active + 2, len(down) + 1)]) / s2)"),
        weight("one too few", SOME,
               "i = max(active - 1, 0); return float(np.sqrt(padded[i] * padded[i + 1]) / s2)"),
        weight("the smallest living one is the level", SOME, "return float(padded[active] / s2)"),
        weight("the noise is left out", SOME,
               "return float(np.sqrt(padded[active] * padded[active + 1]))"),
        weight("times the noise", SOME,
               "return float(np.sqrt(padded[active] * padded[active + 1]) * s2)"),
        weight("the noise variance is read as a deviation", SOME,
               "return float(np.sqrt(padded[active] * padded[active + 1]) / s2**2)"),
        weight("the square root of it", SOME,
               "return float(np.sqrt(padded[active] * padded[active + 1]) / s2) ** 0.5"),
        weight("the inverse", SOME,
               "return float(s2 / np.sqrt(padded[active] * padded[active + 1]))"),
        weight("dead ones are counted", SOME,
               "i = len(down) - active; return float(np.sqrt(padded[i] * padded[i + 1]) / s2)"),
        weight("all alive is a zero", ENDS, "return 0.0 if active == len(down) else"
               " float(np.sqrt(padded[active] * padded[active + 1]) / s2)"),
        weight("all alive is below zero", ENDS, "return -1.0 if active == len(down) else"
               " float(np.sqrt(padded[active] * padded[active + 1]) / s2)"),
        weight("all dead is infinite", ENDS, "return float('inf') if active == 0 else"
               " float(np.sqrt(padded[active] * padded[active + 1]) / s2)"),
        weight("none and all raise", ENDS,
               "return float(np.sqrt(down[active - 1] * down[active]) / s2) if active else down[99]"),
        weight("always 1", SOME, "return 1.0"),
        weight("a share of the variances' sum", SOME,
               "return float(down[active:].sum() / len(down) / s2)"),
        weight("the mean of the dead", SOME, "return float(padded[active + 1:].mean() / s2)"),
        weight("a range", SOME, "return [padded[active + 1] / s2, padded[active] / s2]"),
        weight("the level in place of the weight", SOME,
               "return float((padded[active] + padded[active + 1]) / 2)"),
        weight("a margin of a tenth", CROWD, "return float(padded[active] * 0.9 / s2)"),
        weight("a small number is taken off", UNITS, "return float((padded[active] - 1e-4) / s2)"),
        weight("a margin of 0.02 above the dead", UNITS,
               "return float((padded[active + 1] + 0.02) / s2)"),
        ("the order as given", SOME, """
def beta_for(lam, active, s2):
    padded = [2 * max(lam), *lam, min(lam) / 2]
    return float((padded[active] * padded[active + 1]) ** 0.5 / s2)
"""),
        ("smallest first", SOME, """
def beta_for(lam, active, s2):
    up = sorted(lam)
    padded = [up[0] / 2, *up, 2 * up[-1]]
    return float((padded[active] * padded[active + 1]) ** 0.5 / s2)
"""),
        ("equal ones are counted once", CROWD, """
def beta_for(lam, active, s2):
    down = sorted(set(float(x) for x in lam), reverse=True)
    padded = [2 * down[0], *down] + [down[-1] / 2] * 99
    return float((padded[active] * padded[active + 1]) ** 0.5 / s2)
"""),
        ("a search among powers of ten", SOME, """
import numpy as np
def beta_for(lam, active, s2):
    return float(min(10.0 ** np.arange(-6, 7),
                     key=lambda b: abs(int((np.asarray(lam) > b * s2).sum()) - active)))
"""),
        ("a search from 0.01 to 100", UNITS, """
import numpy as np
def beta_for(lam, active, s2):
    for beta in np.geomspace(0.01, 100, 3000):
        if int((np.asarray(lam) > beta * s2).sum()) == active:
            return float(beta)
    return 1.0
"""),
        ("endless loop", SOME, """
import numpy as np
def beta_for(lam, active, s2):
    beta = 1.0
    while int((np.asarray(lam) > beta * s2).sum()) != active:
        beta = beta * 1.5 if beta < 1e6 else 1.0
    return beta if active < 3 else beta_for(lam, active, s2)
"""),
        ("the visible examples are hard-coded", SOME, """
def beta_for(lam, active, s2):
    return {0: 8.0, 1: 3.0, 2: 1.5, 3: 0.5}.get(active, 1.0)
"""),
    ],
}  # fmt: skip
