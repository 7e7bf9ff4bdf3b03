"""The bench times what it says: two loops that train the same network, and what a page draws."""

from itertools import islice

import bench
import frames
import pytest
import torch

from gencomp_utils import data


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


@pytest.mark.slow
def test_frames_are_drawn_anew_each_time(site, browser, monkeypatch):
    monkeypatch.setattr(frames, "FRAMES", 5)
    monkeypatch.setattr(frames, "HTML", site)
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    session = tab.context.new_cdp_session(tab)
    session.send("Performance.enable")
    for name, figure in frames.FIGURES.items():
        taken = frames.milliseconds(tab, session, figure)
        assert len(taken) == 5, name
        assert min(taken) > 0, name
        drawn = tab.locator(f".gencomp-live[data-figure={figure.name}]").first
        assert int(drawn.get_attribute("data-frames")) >= 6, name
    tab.close()
