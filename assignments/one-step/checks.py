"""Checks of one-step. They run in the grader's process; a submission sees networks alone.

The harness builds two networks, calls the function once a round, and notes what it did to them. It
runs beside the submission with the student's function, and here, later, with the reference's.
"""

import functools
import itertools

import numpy as np

from gencomp_course.assignment import Assignment
from gencomp_course.judging import Wrong, close, number

from . import reference

HARNESS = '''
import sys

import torch
from torch import nn

read, plain = torch._C.TensorBase.detach, torch._C.TensorBase.numpy


def copied(tensor):
    return plain(read(tensor)).copy()


def network(widths, normed, end):
    """Layers of these widths, normalised in the middle or not; no bias where it has no effect."""
    layers = []
    for i, (n, m) in enumerate(zip(widths, widths[1:])):
        last, norm = i == len(widths) - 2, normed and i == len(widths) // 2 - 1
        layers.append(nn.Linear(n, m, bias=not norm, dtype=torch.float64))
        if norm:
            layers.append(nn.BatchNorm1d(m, dtype=torch.float64))
        layers += [nn.LeakyReLU(0.2)] if not last else [nn.Tanh()] if end else []
    return nn.Sequential(*layers)


def fill(network, values):
    """Set weights, in order, from one row of numbers."""
    with torch.no_grad():
        for weight in network.parameters():
            some, values = values[: weight.numel()], values[weight.numel() :]
            weight.copy_(torch.from_numpy(some.copy()).reshape(weight.shape))


def leave(network, values):
    """Leave gradients of an earlier step, or none."""
    for weight in network.parameters():
        weight.grad = None
        if len(values):
            some, values = values[: weight.numel()], values[weight.numel() :]
            weight.grad = torch.from_numpy(some.copy()).reshape(weight.shape)


def weights(network):
    return np_row([copied(weight) for weight in network.parameters()])


def np_row(parts):
    import numpy
    return numpy.concatenate([part.ravel() for part in parts]) if parts else numpy.zeros(0)


def flags(network):
    trained = [bool(weight.requires_grad) for weight in network.parameters()]
    return [trained, [bool(layer.training) for layer in network.modules()]]


def gradients(network):
    found = [weight.grad for weight in network.parameters()]
    return np_row([copied(grad) for grad in found if grad is not None]), len([
        grad for grad in found if grad is not None
    ])


def play(function, mine, settings, start, opponent, leftover, real, z):
    """Call a player's function once a round; say what became of both networks after each.

    `settings`: widths of D and of G, whether they are normalised, optimiser and its rate, how G
    stands (0 in training, 1 not in training, 2 with its first weights frozen).
    """
    d_widths, g_widths, normed, kind, rate, stance = settings
    D, G = network(d_widths, normed, False), network(g_widths, normed, True)
    me, other = (D, G) if mine == "d" else (G, D)
    fill(me, start)
    maker = torch.optim.SGD if kind == "sgd" else torch.optim.Adam
    optimizers = {"d": maker(D.parameters(), lr=rate), "g": maker(G.parameters(), lr=rate)}
    if stance == 1:
        G.eval()
    if stance == 2:
        G[0].weight.requires_grad_(False)
    theirs = getattr(sys.modules.get("submission"), "g_step" if mine == "d" else "d_step", None)
    told = []
    for turn in range(len(z)):
        fill(other, opponent[turn])
        for player, left in ((D, leftover[0]), (G, leftover[1])):
            if turn == 0 or player is other:
                leave(player, left)
        before = [flags(G), weights(other), gradients(G)]
        noise = torch.from_numpy(z[turn].copy())
        if mine == "d":
            loss = function(D, G, optimizers["d"], torch.from_numpy(real[turn].copy()), noise)
        else:
            loss = function(D, G, optimizers["g"], noise)
        kept = flags(G) == before[0] or mine == "g"
        grads, count = gradients(G)
        told.append([loss, weights(me), weights(other), grads, count, kept])
        if theirs and len(z) > 1:  # the other player moves; what it leaves behind is kept
            here = weights(me)
            try:
                if mine == "d":
                    theirs(D, G, optimizers["g"], noise)
                else:
                    theirs(D, G, optimizers["d"], torch.from_numpy(real[turn].copy()), noise)
            except Exception:
                pass
            fill(me, here)
    return told
'''


def driver(mine):
    return f"{HARNESS}\ndef call(function, *given):\n    return play(function, {mine!r}, *given)\n"


assignment = Assignment(
    slug="one-step",
    title="One step, audited",
    functions={
        "d_step": "d_step(D, G, opt_D, real, z) -> loss",
        "g_step": "g_step(D, G, opt_G, z) -> loss",
    },
    cpu_s={"d_step": 10, "g_step": 10},
    drivers={"d_step": driver("d"), "g_step": driver("g")},
)


@functools.cache
def harness():
    space = {}
    exec(compile(HARNESS, "harness", "exec"), space)
    return space["play"]


def count(widths, normed):
    """How many weights such a network has."""
    total = 0
    for i, (n, m) in enumerate(itertools.pairwise(widths)):
        norm = normed and i == len(widths) // 2 - 1
        total += n * m + (2 * m if norm else m)
    return total


def row(rng, widths, normed, sure=0.0):
    """Weights of a network, in order; a last layer whose outputs are large, if that is asked."""
    parts = []
    for i, (n, m) in enumerate(itertools.pairwise(widths)):
        factor = max(1.0, abs(sure) / 2) if i == len(widths) - 2 else 1.0
        parts.append(factor * rng.normal(0, 1.2 / np.sqrt(n), n * m))
        if normed and i == len(widths) // 2 - 1:
            parts += [rng.uniform(0.6, 1.4, m), rng.normal(0, 0.3, m)]
        else:
            parts.append(factor * rng.normal(0, 0.3, m))
    if sure:
        parts[-1] = np.full(1, sure)
    return np.concatenate(parts)


def game(rng, mine, *, kind="sgd", rounds=1, normed=False, stance=0, stale=False, sure=0.0):
    """Arguments of the harness: two small networks, minibatches, and the opponent by round.

    `sure`: how large D's logits are about, with their sign; 0 for ordinary ones.
    """
    inner, noise, data = (int(n) for n in rng.integers([5, 3, 3], [9, 6, 6]))
    d_widths, g_widths = [data, inner, inner + 1, 1], [noise, inner + 2, inner, data]
    batch = int(rng.integers(5, 12))
    rows = {
        "d": lambda: row(rng, d_widths, normed, sure),
        "g": lambda: row(rng, g_widths, normed),
    }
    other = "g" if mine == "d" else "d"
    left = [
        rng.normal(0, 1, count(widths, normed)) if stale else np.zeros(0)
        for widths in (d_widths, g_widths)
    ]
    rate = {"sgd": 0.2, "adam": 0.01}[kind] / max(1.0, abs(sure) / 10)
    return [
        [d_widths, g_widths, normed, kind, float(rate), stance],
        rows[mine](),
        np.stack([rows[other]() for _ in range(rounds)]),
        left,
        rng.normal(0.5, 0.5, (rounds, batch, data)),
        rng.normal(0, 1, (rounds, batch, noise)),
    ]


def array(value, shape, what):
    """Read an array of the harness's; a Wrong if it is anything else."""
    if type(value) is not np.ndarray or value.dtype != float or value.shape != shape:
        raise Wrong(f"{what} aren't what they were made as")
    return value


def same(value, expected, what):
    value = array(value, expected.shape, what)
    gap = np.abs(value - expected) <= 1e-6 + 1e-6 * np.abs(expected)
    return bool(np.isfinite(value).all() and gap.all())


def right(results, cases, mine):
    """Whether in each round the loss and both networks are as after the reference's step."""
    step = {"d": reference.d_step, "g": reference.g_step}[mine]
    for told, case in zip(results, cases, strict=True):
        expected = harness()(step, mine, *case)
        if type(told) is not list or len(told) != len(expected):
            raise Wrong("it was not called once a round")
        for turn, (theirs, ours) in enumerate(zip(told, expected, strict=True)):
            loss, mover, other, grads, counted, kept = theirs
            if not close(number(loss), float(ours[0]), rel=1e-6, absolute=1e-9):
                raise Wrong("the loss that it gave back isn't that before the step")
            if not same(mover, ours[1], "the weights of the player that moves"):
                raise Wrong("the weights after the step aren't what they should be")
            if not same(other, case[2][turn], "the other player's weights"):
                raise Wrong("the other player's weights have changed")
            if mine == "d" and not (
                kept is True and counted == ours[4] and same(grads, ours[3], "G's gradients")
            ):
                raise Wrong("G isn't left as it was")
    return True


@assignment.check(
    "d_step", 7, "one step of D", "Two means, one sum, one step: is it D's optimiser that steps?"
)
def d_once(rng):
    cases = [game(rng, "d", kind=kind) for kind in ("sgd", "sgd", "adam")]
    return right((yield cases), cases, "d")


@assignment.check(
    "d_step", 6, "gradients left over by D", "What do the gradients hold when your function begins?"
)
def d_stale(rng):
    cases = [game(rng, "d", kind=kind, stale=True) for kind in ("sgd", "adam")]
    return right((yield cases), cases, "d")


@assignment.check(
    "d_step",
    6,
    "G is left alone",
    "Compare all that G has before and after, not its weights alone.",
)
def d_leaves(rng):
    cases = [game(rng, "d", stance=stance, stale=stale) for stance, stale in
             ((0, False), (0, True), (1, False), (2, False), (2, True))]  # fmt: skip
    return right((yield cases), cases, "d")


@assignment.check(
    "d_step", 4, "D and G with batch normalisation", "Which images share a mean and a variance?"
)
def d_normed(rng):
    cases = [game(rng, "d", kind=kind, normed=True) for kind in ("sgd", "adam")]
    return right((yield cases), cases, "d")


@assignment.check(
    "d_step",
    3,
    "D is very sure",
    "Logits of thousands, right and wrong: is the loss still a number?",
)
def d_sure(rng):
    cases = [game(rng, "d", sure=sure) for sure in (-300.0, 2000.0, -4000.0)]
    return right((yield cases), cases, "d")


@assignment.check("d_step", 4, "six rounds of D", "What does one round leave behind for the next?")
def d_rounds(rng):
    cases = [game(rng, "d", kind=kind, rounds=6, stale=True) for kind in ("sgd", "adam")]
    return right((yield cases), cases, "d")


@assignment.check(
    "g_step", 9, "one step of G", "Whose weights move, and what does G want D to say?"
)
def g_once(rng):
    cases = [game(rng, "g", kind=kind) for kind in ("sgd", "sgd", "adam")]
    return right((yield cases), cases, "g")


@assignment.check(
    "g_step", 8, "gradients left over by G", "What has the step of D left in G, if it was careless?"
)
def g_stale(rng):
    cases = [game(rng, "g", kind=kind, stale=True) for kind in ("sgd", "adam")]
    return right((yield cases), cases, "g")


@assignment.check(
    "g_step", 5, "G and D with batch normalisation", "Do both networks stay in training mode?"
)
def g_normed(rng):
    cases = [game(rng, "g", kind=kind, normed=True) for kind in ("sgd", "adam")]
    return right((yield cases), cases, "g")


@assignment.check(
    "g_step",
    4,
    "D rejects without a doubt",
    "Logits of thousands: does a gradient still get through?",
)
def g_sure(rng):
    cases = [game(rng, "g", sure=sure) for sure in (-300.0, -4000.0)]
    return right((yield cases), cases, "g")


@assignment.check("g_step", 4, "six rounds of G", "What does one round leave behind for the next?")
def g_rounds(rng):
    cases = [game(rng, "g", kind=kind, rounds=6, stale=True) for kind in ("sgd", "adam")]
    return right((yield cases), cases, "g")
