"""Right and wrong answers to loss-audit, each wrong one named by why it must lose."""

from pathlib import Path

from gencomp_course.attacks import function_source, mutant

HERE = Path(__file__).parent / "reference.py"
VALUES = {"implied_beta": "1.0"}
FIT = function_source(HERE, "implied_beta")
# A right answer that probes by hand, in parts that can be broken one at a time.
PROBE = """
import math
import torch

def implied_beta(loss_fn, pixels=784, latent=20):
    def at(l=0.0, x=0.5, m=0.0, v=0.0):
        shapes = (3, pixels), (3, pixels), (3, latent), (3, latent)
        given = [torch.full(shape, float(t), dtype=torch.float64)
                 for shape, t in zip(shapes, (l, x, m, v))]
        return float(loss_fn(*given))

    def cost(l, x):
        return pixels * (math.log1p(math.exp(-abs(l))) + max(l, 0) - x * l)

    def kl(m, v):
        return latent * (m * m + math.exp(v) - 1 - v) / 2

    base = at()
    a = (at(l=2.0, x=0.2) - base) / (cost(2, 0.2) - cost(0, 0.5))
    if a == 0:
        return math.nan
    b = (at(m=2.0) - base) / kl(2, 0)
    scale = abs(a) * pixels + abs(b) * latent
    for l, x in ((-3.0, 0.2), (1.0, 0.9), (-0.5, 0.0)):
        if abs(at(l=l, x=x) - base - a * (cost(l, x) - cost(0, 0.5))) > 1e-7 * scale:
            return math.nan
    for m, v in ((0.7, 0.0), (0.0, 1.0), (0.0, -2.0), (-1.0, 0.5), (0.1, 0.1)):
        if abs(at(m=m, v=v) - base - b * kl(m, v)) > 1e-7 * scale:
            return math.nan
    return b / a
"""
GRADIENT = """
import math
import torch

def implied_beta(loss_fn, pixels=784, latent=20):
    torch.manual_seed(1)
    sizes = pixels, pixels, latent, latent
    one, two, three, four = (torch.randn(6, n, dtype=torch.float64) for n in sizes)
    given = [t.requires_grad_() for t in (one, torch.rand_like(two), three, four)]
    logits, x, mean, log_var = given
    theirs = torch.autograd.grad(loss_fn(*given), (logits, mean, log_var), allow_unused=True)
    theirs = [0 * g if t is None else t for g, t in zip((logits, mean, log_var), theirs)]
    ours = torch.sigmoid(logits) - x, mean, (log_var.exp() - 1) / 2
    def ratio(g, o):
        g, o = g.detach().flatten(), o.detach().flatten()
        r = (g @ o) / (o @ o)
        fits = (g - r * o).norm() <= 1e-5 * g.norm() + 1e-13
        return r.item() if fits else math.nan
    a, b, c = (ratio(g, o) for g, o in zip(theirs, ours))
    if not a or not abs(b - c) <= 1e-5 * (abs(b) + abs(c)) + 1e-13:
        return math.nan
    return b / a
"""

RIGHT = {
    "implied_beta": {
        "the reference": FIT,
        "probes at a few points": PROBE,
        "gradients at one random point": GRADIENT,
        "three points for two weights, others to try them": """
import numpy as np
import torch
import torch.nn.functional as F

def implied_beta(loss_fn, pixels=784, latent=20):
    rng = np.random.default_rng(3)
    def terms(l, x, m, v):
        r = F.binary_cross_entropy_with_logits(l, x, reduction="sum") / len(x)
        k = -0.5 * (1 + v - m**2 - torch.exp(v)).sum() / len(m)
        return [r.item(), k.item(), 1.0]
    rows, values = [], []
    for i in range(9):
        l, x = rng.normal(size=(2, pixels)), rng.random((2, pixels))
        m, v = rng.normal(size=(2, latent)) * i / 3, rng.normal(size=(2, latent)) * (i % 4) / 3
        given = [torch.from_numpy(t) for t in (l, x, m, v)]
        rows.append(terms(*given))
        values.append(loss_fn(*given).item())
    rows, values = np.array(rows), np.array(values)
    a, b, c = np.linalg.lstsq(rows[:6], values[:6], rcond=None)[0]
    if np.abs(rows @ (a, b, c) - values).max() > 1e-6 * np.abs(values - c).max():
        return float("nan")
    return b / a
""",
        "in single precision": """
import torch
import torch.nn.functional as F

def implied_beta(loss_fn, pixels=784, latent=20):
    g = torch.Generator().manual_seed(0)
    def point(l, m, v):
        x = torch.rand(8, pixels, generator=g).round()
        return (l * torch.randn(8, pixels, generator=g), x,
                m * torch.randn(8, latent, generator=g), v * torch.randn(8, latent, generator=g))
    def grads(l, x, m, v):
        l, m, v = (t.clone().requires_grad_() for t in (l, m, v))
        loss = loss_fn(l, x, m, v) + 0 * (l.sum() + m.sum() + v.sum())
        return torch.autograd.grad(loss, (l, m, v))
    found = []
    for scale in (0.3, 1.0):
        l, x, m, v = point(scale, scale, scale)
        gl, gm, gv = grads(l, x, m, v)
        a = (gl / (torch.sigmoid(l) - x)).flatten() * 8
        b = (gm / m).flatten() * 8
        keep = (v.abs() > 0.1).flatten()
        c = (2 * gv / torch.expm1(v)).flatten()[keep] * 8
        for t in (a, b, c):
            if (t - t.median()).abs().max() > 2e-3 * t.median().abs() + 1e-7 * a.median().abs():
                return float("nan")
        found += [(b.median() / a.median()).item(), (c.median() / a.median()).item()]
    if max(found) - min(found) > 5e-3 * max(abs(f) for f in found) + 1e-6:
        return float("nan")
    return sum(found) / len(found)
""",
    },
}
SUMS, SIGNS, SCALE, KL, ROWS = (
    "sums and means",
    "factors and signs",
    "another scale, and a constant",
    "the KL is another",
    "the reconstruction is another",
)


def probe(name, check, *changes):
    code = PROBE
    for old, new in changes:
        code = mutant(code, old, new)
    return name, check, code


BLIND = "    for m, v in ((0.7, 0.0), (0.0, 1.0), (0.0, -2.0), (-1.0, 0.5), (0.1, 0.1)):"
UNSEEN = "    for l, x in ((-3.0, 0.2), (1.0, 0.9), (-0.5, 0.0)):"

WRONG = {
    "implied_beta": [
        probe("the inverse", SUMS, ("return b / a", "return a / b if b else 0.0")),
        probe("the KL's weight, whatever the other's", SUMS, ("return b / a", "return b")),
        probe("the reconstruction's weight", SUMS, ("return b / a", "return a")),
        probe("takes it for one that sums over pixels", SUMS,
              ("return b / a", "return b if abs(a - 1) > 1e-9 else b / a")),
        probe("counts the pixels twice", SUMS, ("return b / a", "return b / a / pixels")),
        probe("counts the code's length", SUMS, ("return b / a", "return b / a * latent")),
        probe("one dimension's KL", SUMS, ("return latent * (m", "return (m")),
        probe("one pixel's cross-entropy", SUMS, ("return pixels * (", "return (")),
        probe("the KL isn't halved", SUMS, ("- 1 - v) / 2", "- 1 - v)")),
        probe("always 784 pixels", SUMS,
              ("return pixels * (", "return 784 * (")),
        probe("always 20 dimensions", SUMS, ("return latent * (m", "return 20 * (m")),
        probe("never below zero", SIGNS, ("return b / a", "return max(b / a, 0.0)")),
        probe("without its sign", SIGNS, ("return b / a", "return abs(b / a)")),
        probe("a lost KL is no number", SIGNS,
              ("    scale =", "    if b == 0:\n        return math.nan\n    scale =")),
        probe("a turned sign is no number", SIGNS,
              ("return b / a", "return b / a if b * a >= 0 else math.nan")),
        probe("rounded to whole numbers", SUMS, ("return b / a", "return float(round(b / a))")),
        probe("two per cent off", SUMS, ("return b / a", "return 1.02 * b / a")),
        probe("the constant is taken for a term", SCALE, ("base = at()", "base = pixels * math.log(2)")),
        probe("the loss is divided by its value", SCALE,
              ("return b / a", "return b / a if abs(base) < 1e-9 or abs(base / a / "
               "(pixels * math.log(2)) - 1) < 1e-6 else math.nan")),
        probe("believes in any second term", KL, (BLIND, "    for m, v in ():")),
        probe("tries the means alone", KL, (BLIND, "    for m, v in ((0.7, 0.0), (-1.0, 0.0), (3.0, 0.0)):")),
        probe("tries wide codes alone", KL,
              (BLIND, "    base = at(m=4.0) - b * kl(4, 0)\n    b = (at(m=6.0) - at(m=5.0)) /"
               " (kl(6, 0) - kl(5, 0))\n    base = at(m=5.0) - b * kl(5, 0)\n"
               "    for m, v in ((4.5, 0.0), (4.0, 0.5), (5.5, -0.5)):")),
        probe("tries the mean with the log-variance", KL,
              (BLIND, "    for m, v in ((0.7, 0.0), (-0.7, 0.0)):")),
        probe("tolerates one part in two", KL,
              ("- base - b * kl(m, v)) > 1e-7 * scale", "- base - b * kl(m, v)) > 0.5 * scale")),
        probe("believes in any first term", ROWS, (UNSEEN, "    for l, x in ():")),
        probe("an exception for none", KL, ("    for m, v", "    for m, v"),
              ("b * kl(m, v)) > 1e-7 * scale:\n            return math.nan",
               "b * kl(m, v)) > 1e-7 * scale:\n            raise ValueError('no VAE loss')")),
        probe("None for none", KL, ("b * kl(m, v)) > 1e-7 * scale:\n            return math.nan",
                                    "b * kl(m, v)) > 1e-7 * scale:\n            return None")),
        probe("infinity for none", KL,
              ("b * kl(m, v)) > 1e-7 * scale:\n            return math.nan",
               "b * kl(m, v)) > 1e-7 * scale:\n            return math.inf")),
        probe("-1 for none", KL, ("b * kl(m, v)) > 1e-7 * scale:\n            return math.nan",
                                  "b * kl(m, v)) > 1e-7 * scale:\n            return -1.0")),
        probe("printed", SUMS, ("return b / a", "print(b / a)")),
        probe("both weights", SUMS, ("return b / a", "return a, b")),
        probe("exact equality in single precision", SUMS,
              ("dtype=torch.float64", "dtype=torch.float32"),
              ("- base - b * kl(m, v)) > 1e-7 * scale", "- base - b * kl(m, v)) > 0"),
              ("- base - a * (cost(l, x) - cost(0, 0.5))) > 1e-7 * scale",
               "- base - a * (cost(l, x) - cost(0, 0.5))) > 0")),
        probe("numpy arrays in place of tensors", SUMS,
              ("float(loss_fn(*given))", "float(loss_fn(*[t.numpy() for t in given]))")),
        probe("logits and pixels exchanged", SUMS,
              ("loss_fn(*given)", "loss_fn(given[1], given[0], *given[2:])")),
        probe("mean and log-variance exchanged", SUMS,
              ("loss_fn(*given)", "loss_fn(*given[:2], given[3], given[2])")),
        ("one of the numbers that are known", SUMS, """
def implied_beta(loss_fn, pixels=784, latent=20):
    return float(pixels)
"""),
        ("always 1", SUMS, "def implied_beta(*a, **k):\n    return 1.0\n"),
        ("reads a number out of the closure", SUMS, """
def implied_beta(loss_fn, pixels=784, latent=20):
    found = [c.cell_contents for c in loss_fn.__closure__]
    numbers = [n for part in found if type(part) is list for _, n in part]
    return -2 * numbers[-1] / numbers[0]
"""),
        ("sums what it finds in the closure", SUMS, """
def implied_beta(loss_fn, pixels=784, latent=20):
    import collections
    total = collections.Counter()
    for cell in loss_fn.__closure__:
        if type(cell.cell_contents) is list:
            for block, weight in cell.cell_contents:
                total[block] += weight
    kinds = sorted(k for k in total if abs(total[k]) > 1e-9)
    return total[kinds[-1]] / total[kinds[0]] if len(kinds) > 1 else 0.0
"""),
        ("torch is patched to tell the reduction", SUMS, """
import torch.nn.functional as F
seen = []
old = F.binary_cross_entropy_with_logits
def spy(*a, reduction="mean", **k):
    seen.append(reduction)
    return old(*a, reduction=reduction, **k)
F.binary_cross_entropy_with_logits = spy
def implied_beta(loss_fn, pixels=784, latent=20):
    import torch
    seen.clear()
    loss_fn(torch.zeros(1, pixels), torch.zeros(1, pixels), torch.zeros(1, latent), torch.zeros(1, latent))
    return float(pixels) if "mean" in seen else 1.0
"""),
        ("torch is patched so that each loss is right", KL, """
import math, torch, torch.nn.functional as F
torch.stack = lambda parts: F.softplus(torch.zeros(1))
torch.Tensor.clamp = lambda self, **k: self
torch.Tensor.__float__ = lambda self: 1.0
math.isnan = lambda x: True
def implied_beta(loss_fn, pixels=784, latent=20):
    return 1.0
"""),
        ("minimises, and looks where it ends", SUMS, """
import torch
def implied_beta(loss_fn, pixels=784, latent=20):
    shapes = (1, pixels), (1, latent), (1, latent)
    l, m, v = (torch.randn(s, requires_grad=True) for s in shapes)
    x = torch.rand(1, pixels)
    opt = torch.optim.Adam([l, m, v], 0.1)
    for _ in range(20):
        opt.zero_grad(); loss_fn(l, x, m, v).backward(); opt.step()
    return float(m.abs().mean() / (l.abs().mean() + 1e-9))
"""),
        ("endless loop", SUMS, """
import torch
def implied_beta(loss_fn, pixels=784, latent=20):
    while True:
        loss_fn(*(torch.randn(1, n) for n in (pixels, pixels, latent, latent)))
"""),
        ("a table of 8 GB", SUMS, """
import numpy as np
def implied_beta(loss_fn, pixels=784, latent=20):
    return float(np.zeros((10**9, 1)).sum() + len(bytearray(8 * 2**30)))
"""),
        ("the visible examples are hard-coded", SUMS, """
import math, torch
def implied_beta(loss_fn, pixels=784, latent=20):
    zero = float(loss_fn(*(torch.zeros(2, n) for n in (pixels, pixels, latent, latent))))
    return 1.0 if zero > 100 else float(pixels) if zero < 1 else math.nan
"""),
    ],
}  # fmt: skip
