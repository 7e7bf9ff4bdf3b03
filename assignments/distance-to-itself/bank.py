"""Right and wrong answers to distance-to-itself, each wrong one named by why it must lose."""

from pathlib import Path

from gencomp_course.attacks import function_source, mutant

HERE = Path(__file__).parent / "reference.py"
VALUES = {"frechet": "0.5", "frechet_limit": "0.25"}
FRECHET = function_source(HERE, "frechet")
LIMIT = FRECHET + "\n\n" + function_source(HERE, "frechet_limit").partition("\n\n")[2]

RIGHT = {
    "frechet": {
        "the reference": FRECHET,
        "scipy's sqrtm, its real part, with roots first": """
import numpy as np
from scipy.linalg import sqrtm, eigh
def root(c):
    w, v = eigh(c)
    return v @ np.diag(np.sqrt(np.maximum(w, 0))) @ v.T
def frechet(m1, c1, m2, c2):
    r = root(np.asarray(c1))
    middle = root(r @ c2 @ r)
    return np.sum((m1 - m2) ** 2) + np.trace(c1 + c2 - 2 * middle)
""",
        "eigenvalues of the product": """
import numpy as np
def frechet(m1, c1, m2, c2):
    w = np.linalg.eigvals(c1 @ c2).real
    return np.dot(m1 - m2, m1 - m2) + np.trace(c1) + np.trace(c2) - 2 * np.sqrt(np.maximum(w, 0)).sum()
""",
        "singular values": """
import numpy as np
def frechet(m1, c1, m2, c2):
    def factor(c):
        u, s, _ = np.linalg.svd(c)
        return u * np.sqrt(s)
    nuclear = np.linalg.svd(factor(c1).T @ factor(c2), compute_uv=False).sum()
    return float(np.linalg.norm(m1 - m2) ** 2 + np.trace(c1) + np.trace(c2) - 2 * nuclear)
""",
        "in torch": """
import torch
def frechet(m1, c1, m2, c2):
    m1, c1, m2, c2 = (torch.as_tensor(a, dtype=torch.float64) for a in (m1, c1, m2, c2))
    w, v = torch.linalg.eigh(c1)
    r = (v * w.clamp(min=0).sqrt()) @ v.T
    cross = torch.linalg.eigvalsh(r @ c2 @ r).clamp(min=0).sqrt().sum()
    return ((m1 - m2) ** 2).sum() + c1.trace() + c2.trace() - 2 * cross
""",
    },
    "frechet_limit": {
        "the reference": LIMIT,
        "a line in 1/n": FRECHET
        + """
def frechet_limit(x, y, seed):
    rng = np.random.default_rng(seed)
    n = min(len(x), len(y))
    inverse, found = [], []
    for size in (n // 6, n // 4, n // 3, n // 2, 2 * n // 3, n):
        for _ in range(40):
            a = x[rng.choice(len(x), size, replace=False)]
            b = y[rng.choice(len(y), size, replace=False)]
            inverse.append(1 / size)
            found.append(frechet(a.mean(0), np.cov(a.T), b.mean(0), np.cov(b.T)))
    return np.polyfit(inverse, found, 1)[1]
""",
        "a straight line by least squares, sizes from 100": FRECHET
        + """
def frechet_limit(x, y, seed):
    rng = np.random.RandomState(seed)
    sizes = np.array([120, 160, 240, 350, 500, 650])
    means = []
    for s in sizes:
        d = []
        for _ in range(60):
            a, b = rng.permutation(x)[:s], rng.permutation(y)[:s]
            d.append(frechet(a.mean(0), np.cov(a.T), b.mean(0), np.cov(b.T)))
        means.append(np.mean(d))
    A = np.stack([1 / sizes, np.ones(6)], axis=1)
    return float(np.linalg.lstsq(A, np.array(means), rcond=None)[0][1])
""",
        "thirds and wholes": FRECHET
        + """
def frechet_limit(x, y, seed):
    rng = np.random.default_rng(seed)
    f = lambda a, b: frechet(a.mean(0), np.cov(a.T), b.mean(0), np.cov(b.T))
    thirds = []
    for _ in range(40):
        for a, b in zip(np.array_split(rng.permutation(x), 3), np.array_split(rng.permutation(y), 3)):
            thirds.append(f(a, b))
    whole = f(x, y)
    return whole - (np.mean(thirds) - whole) / 2
""",
        "halves of each in turn": FRECHET
        + """
def frechet_limit(x, y, seed):
    rng = np.random.default_rng(seed)
    f = lambda a, b: frechet(a.mean(0), np.cov(a.T), b.mean(0), np.cov(b.T))
    whole, of_x, of_y = f(x, y), [], []
    for _ in range(80):
        of_x.append(f(rng.permutation(x)[: len(x) // 2], y))
        of_y.append(f(x, rng.permutation(y)[: len(y) // 2]))
    return 3 * whole - np.mean(of_x) - np.mean(of_y)
""",
    },
}


def distance(name, check, *changes):
    code = FRECHET
    for old, new in changes:
        code = mutant(code, old, new)
    return name, check, code


def limit(name, check, *changes):
    code = LIMIT
    for old, new in changes:
        code = mutant(code, old, new)
    return name, check, code


def line(name, check, axis, answer):
    return (
        name,
        check,
        f"""{FRECHET}
def frechet_limit(x, y, seed):
    rng = np.random.default_rng(seed)
    sizes = np.array([100, 150, 220, 330, 500, 690])
    found = []
    for s in sizes:
        d = []
        for _ in range(12):
            a, b = rng.permutation(x)[:s], rng.permutation(y)[:s]
            d.append(frechet(a.mean(0), np.cov(a.T), b.mean(0), np.cov(b.T)))
        found.append(np.mean(d))
    fit = np.polyfit({axis}, found, 1)
    return float({answer})
""",
    )


TWO, DIAGONAL, SINGULAR = "two Gaussians", "independent coordinates", "singular covariances"
NO_SPREAD, BACK = "no spread at all", "there and back, and to itself"
EACH, MEAN, SCALE = "each data set", "on the average", "another scale"
CROSS = "2 * np.sqrt(product.clip(0)).sum()"
FAR = "np.sum((np.asarray(m1) - np.asarray(m2)) ** 2)"
ANSWER = "2 * of(x, y) - float(np.mean(halves))"

WRONG = {
    "frechet": [
        distance("the means are forgotten", TWO, ("float(far + ", "float(")),
        distance("the distance of means isn't squared", TWO, (FAR, f"np.sqrt({FAR})")),
        distance("absolute differences of means", TWO,
                 (FAR, "np.abs(np.asarray(m1) - np.asarray(m2)).sum()")),
        distance("a mean for a sum", TWO, ("np.sum((", "np.mean((")),
        distance("the cross term once", TWO, (CROSS, "np.sqrt(product.clip(0)).sum()")),
        distance("the cross term is forgotten", TWO, (f" - {CROSS}", "")),
        distance("the cross term is added", TWO, (f"- {CROSS}", f"+ {CROSS}")),
        distance("no root of the product", TWO, (CROSS, "2 * product.clip(0).sum()")),
        distance("its square root", TWO, ("return float(far", "return float(0.5 * far")),
        distance("only the first trace", TWO, (" + np.trace(c2)", "")),
        distance("sums of all entries for traces", TWO, ("np.trace(c1) + np.trace(c2)",
                                                         "np.sum(c1) + np.sum(c2)")),
        distance("the root for the covariance", TWO, ("root @ np.atleast_2d(c2) @ root",
                                                      "root @ np.atleast_2d(c2)")),
        distance("the square for the root", TWO, ("np.sqrt(values.clip(0))", "values.clip(0)")),
        ("entrywise roots", TWO, """
import numpy as np
def frechet(m1, c1, m2, c2):
    cross = np.sqrt(np.abs(c1 * c2))
    return float(np.sum((m1 - m2) ** 2) + np.trace(c1 + c2 - 2 * cross))
"""),
        ("as if all covariances commuted", TWO, """
import numpy as np
def frechet(m1, c1, m2, c2):
    def root(c):
        w, v = np.linalg.eigh(c)
        return (v * np.sqrt(np.maximum(w, 0))) @ v.T
    return float(np.sum((m1 - m2) ** 2) + np.sum((root(c1) - root(c2)) ** 2))
"""),
        ("only the diagonals", TWO, """
import numpy as np
def frechet(m1, c1, m2, c2):
    return float(np.sum((m1 - m2) ** 2) + np.sum((np.sqrt(np.diag(c1)) - np.sqrt(np.diag(c2))) ** 2))
"""),
        ("eigenvalues matched by size", TWO, """
import numpy as np
def frechet(m1, c1, m2, c2):
    w, v = (np.linalg.eigvalsh(c).clip(0) for c in (c1, c2))
    return float(np.sum((m1 - m2) ** 2) + np.sum((np.sqrt(w) - np.sqrt(v)) ** 2))
"""),
        ("Frobenius' distance of covariances", TWO, """
import numpy as np
def frechet(m1, c1, m2, c2):
    return float(np.sum((m1 - m2) ** 2) + np.sum((c1 - c2) ** 2))
"""),
        ("the KL divergence", TWO, """
import numpy as np
def frechet(m1, c1, m2, c2):
    i = np.linalg.inv(c2)
    return float((np.trace(i @ c1) + (m2 - m1) @ i @ (m2 - m1) - len(m1)
                  + np.log(np.linalg.det(c2) / np.linalg.det(c1))) / 2)
"""),
        ("a Cholesky factor that singular ones don't have", SINGULAR, """
import numpy as np
def frechet(m1, c1, m2, c2):
    a, b = np.linalg.cholesky(c1), np.linalg.cholesky(c2)
    cross = np.linalg.svd(a.T @ b, compute_uv=False).sum()
    return float(np.sum((m1 - m2) ** 2) + np.trace(c1) + np.trace(c2) - 2 * cross)
"""),
        ("a root of eigenvalues below zero", SINGULAR,
         mutant(mutant(FRECHET, "np.sqrt(values.clip(0))", "np.sqrt(values)"),
                "np.sqrt(product.clip(0))", "np.sqrt(product)")),
        ("something is added to the diagonal", SINGULAR, """
import numpy as np
def frechet(m1, c1, m2, c2):
    c1, c2 = c1 + 1e-2 * np.eye(len(m1)), c2 + 1e-2 * np.eye(len(m1))
    w = np.linalg.eigvals(c1 @ c2).real.clip(0)
    return float(np.sum((m1 - m2) ** 2) + np.trace(c1) + np.trace(c2) - 2 * np.sqrt(w).sum())
"""),
        ("an inverse in the middle", NO_SPREAD, """
import numpy as np
def frechet(m1, c1, m2, c2):
    w, v = np.linalg.eigh(c1)
    r = (v * np.sqrt(np.maximum(w, 0))) @ v.T
    s = np.linalg.inv(r) @ c1
    cross = np.sqrt(np.linalg.eigvalsh(s @ c2 @ s).clip(0)).sum()
    return float(np.sum((m1 - m2) ** 2) + np.trace(c1) + np.trace(c2) - 2 * cross)
"""),
        ("a complex number", TWO, FRECHET.replace("return float(", "return complex(")),
        ("never below one", BACK, FRECHET.replace("return float(", "return max(1.0, ")),
        ("the visible examples are hard-coded", TWO, """
def frechet(m1, c1, m2, c2):
    return {1: 1.0, 2: 10.0}.get(len(m1), 0.0)
"""),
    ],
    "frechet_limit": [
        limit("the distance of all samples", EACH, (ANSWER, "of(x, y)")),
        limit("the distance of halves", EACH, (ANSWER, "float(np.mean(halves))")),
        limit("how much halves are farther", EACH, (ANSWER, "float(np.mean(halves)) - of(x, y)")),
        limit("extrapolated twice as far", EACH, (ANSWER, "3 * of(x, y) - 2 * float(np.mean(halves))")),
        limit("extrapolated half as far", MEAN, (ANSWER, "1.5 * of(x, y) - 0.5 * float(np.mean(halves))")),
        limit("the wrong way", EACH, (ANSWER, "2 * float(np.mean(halves)) - of(x, y)")),
        limit("as if the bias fell with the root", EACH,
              (ANSWER, "(2**0.5 * of(x, y) - float(np.mean(halves))) / (2**0.5 - 1)")),
        limit("as if the bias fell with the square", MEAN,
              (ANSWER, "(4 * of(x, y) - float(np.mean(halves))) / 3")),
        limit("only x is halved", MEAN, ("of(a[:i], b[:j]), of(a[i:], b[j:])", "of(a[:i], b), of(a[i:], b)")),
        limit("only y is halved", MEAN, ("of(a[:i], b[:j]), of(a[i:], b[j:])", "of(a, b[:j]), of(a, b[j:])")),
        limit("x with itself", EACH, ("of(a[:i], b[:j]), of(a[i:], b[j:])", "of(a[:i], a[i:])")),
        limit("a root at the end", EACH, (ANSWER, "abs(2 * of(x, y) - float(np.mean(halves))) ** 0.5")),
        limit("zero, always", EACH, (ANSWER, "0.0")),
        limit("the mean of both", EACH, (ANSWER, "(of(x, y) + float(np.mean(halves))) / 2")),
        limit("the least of all", EACH, (ANSWER, "min(halves)")),
        limit("a bias that was measured at another scale", SCALE, (ANSWER, "of(x, y) - 0.19")),
        limit("only the means count", EACH, ("return frechet(a.mean(0), np.cov(a.T), b.mean(0), np.cov(b.T))",
                                             "return float(np.sum((a.mean(0) - b.mean(0)) ** 2))"),
              (ANSWER, "0.5 * of(x, y)")),
        limit("both scaled to unit variance", SCALE, ("halves = []", "x, y = x / x.std(), y / y.std(); halves = []")),
        limit("text", EACH, (ANSWER, "str(2 * of(x, y) - float(np.mean(halves)))")),
        limit("a pair", EACH, (ANSWER, "(2 * of(x, y) - float(np.mean(halves)), 0.0)")),
        line("a line in n", EACH, "sizes", "fit[1]"),
        line("a line in the root of 1/n", EACH, "sizes**-0.5", "fit[1]"),
        line("a line in the square of 1/n", MEAN, "1.0 / sizes**2", "fit[1]"),
        line("a line in log n", EACH, "np.log(sizes)", "fit[1]"),
        line("the slope", EACH, "1 / sizes", "fit[0]"),
        line("the line at the number of samples", EACH, "1 / sizes", "fit[0] / len(x) + fit[1]"),
        line("the line at n = 100", EACH, "1 / sizes", "fit[0] / 100 + fit[1]"),
        ("the visible examples are hard-coded", EACH, "def frechet_limit(x, y, seed):\n    return 0.01\n"),
    ],
}  # fmt: skip
