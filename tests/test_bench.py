"""The bench times what it says: two loops that train the same network from the same start."""

import importlib.util
from itertools import islice

import pytest
import torch
from conftest import ROOT

from gencomp_utils import data

spec = importlib.util.spec_from_file_location("bench", ROOT / "tools" / "bench.py")
bench = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bench)


@pytest.mark.slow
@pytest.mark.parametrize("name", bench.PAIRS)
def test_both_loops_begin_with_the_same_losses(name, mnist):
    _, ours, plain = bench.PAIRS[name](data.load_mnist().train_images)
    first, other = next(ours), next(plain)
    first = first[0] if "VAE" in name else first  # the KL is a part of the loss
    assert first.tolist() == pytest.approx(other, rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["VAE 784-400-20", "convolutional VAE"])
def test_both_loops_learn_at_the_same_rate(name, mnist):
    _, ours, plain = bench.PAIRS[name](data.load_mnist().train_images)
    losses = torch.stack([loss for loss, _ in islice(ours, 150)])
    others = torch.tensor(list(islice(plain, 150)))
    assert losses[-20:].mean().item() == pytest.approx(others[-20:].mean().item(), rel=0.08)
