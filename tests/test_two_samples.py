"""Two samples against hand values, closed forms and the libraries that have the same metric."""

import math

import numpy as np
import pytest
import torch
from prdc import compute_prdc
from sklearn.neighbors import KernelDensity
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.kid import poly_mmd

from gencomp_utils import data, runs
from gencomp_utils.metrics import samples, two_samples
from gencomp_utils.models import DCGANConfig, base


def gaussian(count, mean=0.0, features=4, seed=0):
    noise = torch.randn(count, features, generator=torch.Generator().manual_seed(seed))
    return mean + noise


def clusters(labels, seed=0):
    """Tight clusters of features, one a class, far from each other."""
    return 10.0 * torch.eye(10)[labels] + 0.3 * gaussian(len(labels), features=10, seed=seed)


FIRST, SECOND = gaussian(400, features=8), gaussian(400, mean=0.3, features=8, seed=1)


# Against libraries


def test_the_kernel_distance_is_that_of_torchmetrics():
    blocks = zip(FIRST.double().split(100), SECOND.double().split(100), strict=True)
    theirs = torch.stack([poly_mmd(x, y, degree=3, gamma=None, coef=1.0) for x, y in blocks])
    mean, error = two_samples.kernel_distance(FIRST, SECOND, block=100)
    assert mean == pytest.approx(theirs.mean().item(), rel=1e-9)
    assert error == pytest.approx(theirs.std().item() / 2, rel=1e-9)


def test_the_fréchet_distance_is_that_of_torchmetrics():
    sets = FIRST.double(), SECOND.double()
    moments = [part for x in sets for part in (x.mean(dim=0), torch.cov(x.T))]
    ours = samples.frechet_distance(FIRST, SECOND)
    assert ours == pytest.approx(_compute_fid(*moments).item(), rel=1e-6)


@pytest.mark.parametrize("neighbours", [1, 3, 5])
def test_shares_are_those_of_prdc(neighbours):
    theirs = compute_prdc(FIRST.double().numpy(), SECOND.double().numpy(), neighbours)
    ours = (
        *samples.precision_recall(FIRST, SECOND, neighbours),
        *two_samples.density_coverage(FIRST, SECOND, neighbours),
    )
    names = ("precision", "recall", "density", "coverage")
    assert ours == pytest.approx([theirs[name] for name in names], rel=1e-12)


@pytest.mark.parametrize("width", [0.05, 0.2, 1.0])
def test_the_window_is_that_of_scikit_learn(width):
    centres, points = images(40), images(30, seed=1)
    unit = [some.flatten(1).double().numpy() / 255 for some in (centres, points)]
    theirs = KernelDensity(bandwidth=width).fit(unit[0]).score_samples(unit[1])
    ours = two_samples.parzen_log_density(centres, points, width).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


# Kernel distance


def test_the_kernel_distance_of_gaussians_is_the_closed_form_at_any_number_of_rows():
    # Of N(0, 1) and N(1, 1): (1 + 3) + (1 + 3 + 3 · 2² + 4²) − 2 (1 + 3 · 1 · 2)
    first, second = gaussian(20_000, features=1), gaussian(20_000, mean=1.0, features=1, seed=1)
    for block in (10, 100, 1000):
        mean, error = two_samples.kernel_distance(first, second, block)
        assert mean == pytest.approx(22, abs=3 * error)
        assert error < 1


def test_the_kernel_distance_has_no_bias_where_the_fréchet_distance_has():
    few = [gaussian(10_000, features=8, seed=seed) for seed in (0, 1)]
    mean, error = two_samples.kernel_distance(*few, block=10)
    assert mean == pytest.approx(0, abs=3 * error)
    assert two_samples.kernel_distance(FIRST, FIRST, block=100)[0] < 0  # it may be
    assert samples.frechet_distance(few[0][:10], few[1][:10]) > 1


def test_its_standard_error_is_the_spread_of_its_estimates():
    first, second = gaussian(40_000), gaussian(40_000, mean=0.1, seed=1)
    estimates, errors = zip(
        *(
            two_samples.kernel_distance(*pair, block=40)
            for pair in zip(first.split(400), second.split(400), strict=True)
        ),
        strict=True,
    )
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(estimates), rel=0.25)


@pytest.mark.parametrize("block", [1, 4])
def test_one_block_is_refused(block):
    with pytest.raises(ValueError, match=f"block is {block}, but must be from 2 up to 3"):
        two_samples.kernel_distance(gaussian(7), gaussian(9), block)


# Density and coverage


def test_a_missing_class_costs_coverage_and_not_density():
    labels = torch.arange(1000) % 10
    real = clusters(labels)
    whole = two_samples.density_coverage(real, clusters(labels, seed=1))
    density, coverage = two_samples.density_coverage(real, clusters(labels[labels != 7], seed=1))
    assert density == pytest.approx(whole[0], abs=0.05)
    assert density == pytest.approx(1, abs=0.1)
    assert coverage == pytest.approx(whole[1] - 0.1, abs=0.03)


def test_an_outlier_s_wide_ball_raises_precision_more_than_density():
    real = torch.cat([gaussian(500), torch.full((1, 4), 40.0)])
    fake = gaussian(500, mean=10.0, seed=1)
    precision, _ = samples.precision_recall(real, fake)
    density, coverage = two_samples.density_coverage(real, fake)
    assert precision == pytest.approx(1)
    assert density == pytest.approx(1 / 5, abs=0.01)
    assert coverage == pytest.approx(1 / 501)


def test_an_outlier_among_the_fakes_raises_recall_and_not_coverage():
    real, fake = gaussian(500), gaussian(500, mean=20.0, seed=1)
    fake[:1] = -40.0
    assert samples.precision_recall(real, fake)[1] == 1
    assert two_samples.density_coverage(real, fake) == (0, 0)


def test_fakes_in_the_middle_have_more_density_than_real_points():
    real, fake = gaussian(1000, features=20), gaussian(1000, features=20, seed=1)
    assert two_samples.density_coverage(real, fake)[0] == pytest.approx(1, abs=0.1)
    assert two_samples.density_coverage(real, 0.3 * fake)[0] > 1.5


def test_blocks_do_not_change_density_and_coverage(monkeypatch):
    whole = two_samples.density_coverage(FIRST, SECOND)
    monkeypatch.setattr(two_samples, "_BLOCK", 7)
    assert two_samples.density_coverage(FIRST, SECOND) == whole


@pytest.mark.parametrize("neighbours", [0, 5])
def test_too_many_neighbours_are_refused(neighbours):
    with pytest.raises(ValueError, match=f"neighbours is {neighbours}, but must be from 1 up to 4"):
        two_samples.density_coverage(gaussian(5), gaussian(9), neighbours)


def test_features_that_do_not_fit_are_refused():
    for metric in (two_samples.kernel_distance, two_samples.density_coverage):
        with pytest.raises(ValueError, match="features must have shapes"):
            metric(torch.zeros(5, 3), torch.zeros(5, 4))


# A trained discriminator


def images(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=generator)


def greys(count, chance, seed):
    """Images of one grey, light with a chance, else dark."""
    light = torch.rand(count, generator=torch.Generator().manual_seed(seed)) < chance
    return torch.where(light, 200, 50).byte()[:, None, None].expand(-1, 28, 28)


def test_a_discriminator_bounds_a_known_divergence():
    # Both kinds are equally likely in the mixture: JSD is log 2 less the entropy of (0.8, 0.2).
    known = math.log(2) + 0.8 * math.log(0.8) + 0.2 * math.log(0.2)
    value, error = two_samples.two_sample_bound(greys(500, 0.8, 0), greys(500, 0.2, 1), seed=0)
    assert known - 2 * error < value < known + 2 * error
    assert 0 < error < 0.05


def test_what_never_looks_alike_reaches_log_2():
    value, error = two_samples.two_sample_bound(images(200), images(200, seed=1) // 2, seed=0)
    assert math.log(2) - 0.01 < value <= math.log(2)
    assert error < 0.01


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_found_between_samples_of_one_distribution(seed):
    value, error = two_samples.two_sample_bound(images(200, 2 * seed), images(200, 99), seed)
    assert value - 1.645 * error < 0


def test_the_seed_alone_decides():
    pair = images(40), images(40, seed=1)
    before = torch.random.get_rng_state()
    again = [two_samples.two_sample_bound(*pair, seed) for seed in (0, 0, 1)]
    assert again[0] == again[1] != again[2]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_bound_is_that_of_equation_6():
    logit = torch.nn.Linear(1, 1).eval()
    torch.nn.init.constant_(logit.weight, 1.0)
    torch.nn.init.zeros_(logit.bias)
    real, fake = torch.tensor([[0.0], [2.0]]), torch.tensor([[-1.0], [-3.0]])
    with torch.no_grad():
        value, error = two_samples._bound(logit, real, fake)
        nothing = two_samples._bound(logit, 0 * real, 0 * fake)
    logs = [[-math.log(1 + math.exp(-x)) for x in part] for part in ((0, 2), (1, 3))]
    assert value == pytest.approx(math.log(2) + sum(map(sum, logs)) / 4)
    variances = [np.var(part, ddof=1) / 2 for part in logs]
    assert error == pytest.approx(math.sqrt(sum(variances)) / 2)
    assert nothing == pytest.approx((0, 0), abs=1e-7)


def test_the_parts_are_disjoint_and_whole():
    some = torch.arange(43, dtype=torch.uint8)[:, None, None].expand(-1, 28, 28)
    parts = two_samples._parted(some, base.stream(0, "split"))
    assert [len(part) for part in parts] == [21, 10, 12]
    found = torch.cat(parts)[:, 0, 0, 0].sort().values
    assert torch.equal(found, base.as_signed(some)[:, 0, 0, 0])


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="real and fake have 7 and 9 images"):
        two_samples.two_sample_bound(images(7), images(9), seed=0)


def test_samples_of_a_dcgan_are_told_from_real_images(mnist):
    real = torch.tensor(data.load_mnist().test_images)
    real = real[torch.randperm(len(real), generator=base.stream(0, "order"))]
    z = torch.randn(1000, 100, generator=base.stream(0, "noise"))
    value, error = two_samples.two_sample_bound(
        real[:1000], runs.recorded(DCGANConfig()).sample(z), seed=0
    )
    assert value - 1.645 * error > 0
    same, error = two_samples.two_sample_bound(real[:400], real[1000:1400], seed=0)
    assert same - 1.645 * error < 0


# Window


def test_a_window_has_a_width_and_samples():
    with pytest.raises(ValueError, match="width is 0, but must be a finite number above 0"):
        two_samples.parzen_log_density(images(3), images(3), 0)
    with pytest.raises(ValueError, match="samples has no images"):
        two_samples.parzen_log_density(images(0), images(3), 0.2)


def test_averages_beat_the_images_themselves_in_a_window():
    """What Theis et al. warn of: in many dimensions the best centre is the mean."""
    mean = images(500).double().mean(dim=0, keepdim=True).byte()
    others = images(50, seed=1)
    blurred = two_samples.parzen_log_density(mean, others, 0.3).mean()
    assert blurred > two_samples.parzen_log_density(images(500), others, 0.3).mean()
