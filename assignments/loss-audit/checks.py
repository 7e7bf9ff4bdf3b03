"""Checks of loss-audit. They run in the grader's process; a submission sees programs alone.

A program is a sum of blocks, each with a coefficient. What a block holds of R, of the KL and of a
constant stands here, and isn't sent; the coefficients are split, so that no one of them, and no
ratio of two, is an answer.
"""

import math

from gencomp_course.assignment import Assignment
from gencomp_course.judging import close, number

# Beside the submission: programs as people write them. Nothing here knows which of them are right.
DRIVER = """
import torch
import torch.nn.functional as F


def bce(reduction):
    def term(logits, x, mean, log_var):
        return F.binary_cross_entropy_with_logits(logits, x, reduction=reduction)
    return term


def rows(logits, x, mean, log_var):
    return bce("none")(logits, x, mean, log_var).sum(dim=1).mean()


def softly(logits, x, mean, log_var):
    return (F.softplus(-logits) + (1 - x) * logits).sum() / len(x)


def squares(logits, x, mean, log_var):
    return (torch.sigmoid(logits) - x).square().sum(dim=1).mean()


def twice(logits, x, mean, log_var):
    return rows(torch.sigmoid(logits), x, mean, log_var)


def code(term, over):
    def block(logits, x, mean, log_var):
        each = term(mean, log_var)
        return each.sum(dim=1).mean() if over == "sum" else each.mean()
    return block


def keras(mean, log_var):
    return 1 + log_var - mean.square() - log_var.exp()


def deviation(mean, log_var):
    return (mean.square() + (2 * log_var).exp() - 1 - 2 * log_var) / 2


def without(mean, log_var):
    return (mean.square() + log_var.exp() - 1) / 2


def centred(mean, log_var):
    return mean.square() / 2


def wide(mean, log_var):
    return (mean.square() + log_var.exp()) / 8 - 0.5 - (log_var - 1.386294361) / 2


def backward(mean, log_var):
    return ((1 + mean.square()) / log_var.exp() - 1 + log_var) / 2


def floor(mean, log_var):
    return (-keras(mean, log_var) / 2).mean(dim=0).clamp(min=0.75).expand(len(mean), -1)


def nothing(logits, x, mean, log_var):
    return torch.ones((), dtype=logits.dtype)


BLOCKS = [
    rows, bce("mean"), softly, squares, twice,
    code(keras, "sum"), code(keras, "mean"),
    code(deviation, "sum"), code(without, "sum"), code(centred, "sum"),
    code(wide, "sum"), code(backward, "sum"), code(floor, "sum"),
    nothing,
]


def call(function, recipe, pixels, latent):
    def loss_fn(logits, x, mean, log_var):
        parts = [weight * BLOCKS[i](logits, x, mean, log_var) for i, weight in recipe]
        return torch.stack(parts).sum()

    if (pixels, latent) == (784, 20):
        return function(loss_fn)
    return function(loss_fn, pixels, latent)
"""
ROWS, MEAN, SOFTLY, SQUARES, TWICE, SUM_KL, MEAN_KL = range(7)
DEVIATION, WITHOUT, CENTRED, WIDE, BACKWARD, FLOOR, CONSTANT = range(7, 14)
WHOLE = (ROWS, MEAN, SOFTLY, SUM_KL, MEAN_KL, CONSTANT)

assignment = Assignment(
    slug="loss-audit",
    title="The loss audit",
    functions={"implied_beta": "implied_beta(loss_fn, pixels=784, latent=20) -> float"},
    cpu_s={"implied_beta": 30},
    drivers={"implied_beta": DRIVER},
)


def expected(recipe, pixels, latent):
    """The weight of the KL that a program implies; NaN for one that isn't of the form."""
    a = b = 0.0
    for block, weight in recipe:
        if block not in WHOLE:
            return math.nan
        a += weight * {ROWS: 1, SOFTLY: 1, MEAN: 1 / pixels}.get(block, 0)
        b += weight * {SUM_KL: -2, MEAN_KL: -2 / latent}.get(block, 0)
    return b / a


def program(rng, *blocks, scale=True):
    """Split each coefficient in three, add a constant that cancels, and mix the parts."""
    factor = float(math.exp(rng.uniform(-2, 2))) if scale else 1.0
    recipe = []
    for block, weight in blocks:
        first, second = (float(weight) * factor * rng.uniform(-0.6, 0.9) for _ in "ab")
        recipe += [[block, first], [block, second]]
        recipe.append([block, float(weight) * factor - first - second])
    recipe += [[CONSTANT, part] for part in (recipe[0][1], -recipe[0][1])]
    return [recipe[i] for i in rng.permutation(len(recipe))]


def both_sizes(rng, *programs):
    """Each program at the book's size and at a small one, in any order."""
    cases = []
    for recipe in programs:
        small = int(rng.integers(50, 120)), int(rng.integers(3, 8))
        cases += [[recipe, 784, 20], [recipe, *small]]
    return [cases[i] for i in rng.permutation(len(cases))]


def right(results, cases):
    for result, case in zip(results, cases, strict=True):
        beta, truth = number(result), expected(*case)
        if math.isnan(truth) != math.isnan(beta):
            return False
        if not (math.isnan(truth) or close(beta, truth, rel=0.01, absolute=1e-3)):
            return False
    return True


@assignment.check(
    "implied_beta",
    16,
    "sums and means",
    "A mean over pixels, a sum over the code: which of the two terms has shrunk?",
)
def sums_and_means(rng):
    cases = both_sizes(
        rng,
        program(rng, (ROWS, 1), (SUM_KL, -0.5), scale=False),
        program(rng, (MEAN, 1), (SUM_KL, -0.5), scale=False),
        program(rng, (MEAN, 1), (MEAN_KL, -0.5), scale=False),
        program(rng, (SOFTLY, 1), (MEAN_KL, -0.5), scale=False),
    )
    return right((yield cases), cases)


@assignment.check(
    "implied_beta",
    12,
    "factors and signs",
    "A lost factor, a turned sign, a missing term: is there still a number to be found?",
)
def factors_and_signs(rng):
    cases = both_sizes(
        rng,
        program(rng, (ROWS, 1), (SUM_KL, -1), scale=False),
        program(rng, (SOFTLY, 1), (SUM_KL, 0.5), scale=False),
        program(rng, (ROWS, -1), (SUM_KL, 0.5 * rng.uniform(1.2, 4)), scale=False),
        program(rng, (ROWS, 1), scale=False),
    )
    return right((yield cases), cases)


@assignment.check(
    "implied_beta",
    12,
    "another scale, and a constant",
    "Take a program that you understand, times 3, plus 100: does your answer stay as it was?",
)
def scale_and_constant(rng):
    cases = both_sizes(
        rng,
        program(rng, (ROWS, 1), (SUM_KL, -rng.uniform(1, 5)), (CONSTANT, 50.0)),
        program(rng, (MEAN, 1), (MEAN_KL, -rng.uniform(0.1, 0.4)), (CONSTANT, -3.0)),
        program(rng, (SOFTLY, 1), (SUM_KL, -rng.uniform(0.1, 0.4)), (CONSTANT, -20.0)),
    )
    return right((yield cases), cases)


@assignment.check(
    "implied_beta",
    12,
    "the KL is another",
    "How does a program show that its second term isn't the KL, at no matter which weight?",
)
def another_kl(rng):
    shapes = DEVIATION, WITHOUT, CENTRED, FLOOR, WIDE, BACKWARD
    programs = [program(rng, (ROWS, 1), (block, rng.uniform(0.8, 2))) for block in shapes]
    programs.append(program(rng, (ROWS, 1), (SUM_KL, -rng.uniform(0.4, 1))))
    cases = both_sizes(rng, *programs)
    return right((yield cases), cases)


@assignment.check(
    "implied_beta",
    8,
    "the reconstruction is another",
    "Do you know of the first term that it is the cross-entropy, or do you take it for granted?",
)
def another_reconstruction(rng):
    cases = both_sizes(
        rng,
        program(rng, (SQUARES, 1), (SUM_KL, -rng.uniform(0.1, 1))),
        program(rng, (TWICE, 1), (SUM_KL, -rng.uniform(0.1, 1))),
        program(rng, (SOFTLY, 1), (SUM_KL, -rng.uniform(1.1, 3))),
    )
    return right((yield cases), cases)
