"""Metrics of samples against known answers: Gaussians, identical sets, lost classes, copies."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from gencomp_utils import data, runs
from gencomp_utils.metrics import samples
from gencomp_utils.models import ClassifierConfig


def gaussian(count, mean=0.0, scale=1.0, features=4, seed=0):
    noise = torch.randn(count, features, generator=torch.Generator().manual_seed(seed))
    return mean + scale * noise


def clusters(labels, seed=0):
    """Tight clusters of features, one a class, far from each other."""
    return 10.0 * torch.eye(10)[labels] + gaussian(len(labels), scale=0.3, features=10, seed=seed)


# Fréchet distance


def test_the_distance_of_gaussians_is_the_closed_form():
    first, second = gaussian(200_000), gaussian(200_000, mean=1.0, scale=2.0, seed=1)
    # 4 coordinates: (mean difference)² + (difference of standard deviations)² each
    assert samples.frechet_distance(first, second) == pytest.approx(4 * (1 + 1), rel=0.02)


def test_the_distance_sees_a_rotation_of_correlated_features():
    stretch = torch.diag(torch.tensor([3.0, 1.0, 1.0, 1.0]))
    turn = torch.eye(4)[[1, 0, 2, 3]]
    first = gaussian(200_000) @ stretch
    # Variances 9 and 1 exchanged: twice (3 - 1)².
    assert samples.frechet_distance(first, first @ turn) == pytest.approx(8.0, rel=0.02)


def test_identical_sets_have_no_distance_and_order_does_not_count():
    features = gaussian(500)
    assert samples.frechet_distance(features, features) == pytest.approx(0.0, abs=1e-9)
    other = gaussian(500, mean=0.5, seed=1)
    there = samples.frechet_distance(features, other)
    assert samples.frechet_distance(other, features) == pytest.approx(there, rel=1e-9)


def test_features_with_fewer_rows_than_columns_are_measured_too():
    few, many = gaussian(3, features=8), gaussian(1000, features=8, seed=1)
    assert 0 < samples.frechet_distance(few, many) < 100


def test_the_distance_falls_with_the_number_of_rows():
    def at(count):
        return samples.frechet_distance(
            gaussian(count, features=20), gaussian(count, features=20, seed=1)
        )

    assert at(100) > 3 * at(1000) > 9 * at(10_000)


# Precision and recall


def test_samples_of_the_same_distribution_have_like_precision_and_recall():
    precision, recall = samples.precision_recall(gaussian(1000), gaussian(1000, seed=1))
    assert precision == pytest.approx(recall, abs=0.05)
    assert precision > 0.8


def test_a_missing_class_costs_recall_and_not_precision():
    labels = torch.arange(1000) % 10
    real = clusters(labels)
    fake = clusters(labels[labels != 7], seed=1)
    precision, recall = samples.precision_recall(real, fake)
    whole = samples.precision_recall(real, clusters(labels, seed=1))
    assert precision == pytest.approx(whole[0], abs=0.03)
    assert recall == pytest.approx(whole[1] - 0.1, abs=0.03)


def test_copies_of_one_real_image_have_precision_and_no_recall():
    real = gaussian(1000)
    copies = real[:1].expand(500, -1)
    assert samples.precision_recall(real, copies) == (1.0, pytest.approx(0.001))


def test_samples_elsewhere_have_neither():
    assert samples.precision_recall(gaussian(300), gaussian(300, mean=50.0)) == (0.0, 0.0)


def test_blocks_do_not_change_the_shares(monkeypatch):
    sets = gaussian(300), gaussian(300, mean=0.5, seed=1)
    whole = samples.precision_recall(*sets)
    monkeypatch.setattr(samples, "_BLOCK", 7)
    assert samples.precision_recall(*sets) == whole


@pytest.mark.parametrize("neighbours", [0, 5])
def test_too_many_neighbours_are_refused(neighbours):
    with pytest.raises(ValueError, match=f"neighbours is {neighbours}, but must be from 1 up to 4"):
        samples.precision_recall(gaussian(5), gaussian(9), neighbours)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (torch.zeros(5, 3), torch.zeros(5, 4), "features must have shapes"),
        (torch.zeros(5), torch.zeros(5), "features must have shapes"),
        (torch.zeros(1, 3), torch.zeros(5, 3), "at least two rows"),
    ],
)
def test_features_that_do_not_fit_are_refused(first, second, message):
    for metric in (samples.frechet_distance, samples.precision_recall):
        with pytest.raises(ValueError, match=message):
            metric(first, second)


# Images


def images(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=generator)


def test_the_nearest_image_is_found():
    among = images(25)
    wanted = torch.tensor([24, 0, 13])
    distance, index = samples.nearest(among[wanted], among)
    assert torch.equal(index, wanted)
    assert distance.max() < 1e-6
    distance, _ = samples.nearest(images(3, seed=1), among)
    by_hand = (images(3, seed=1)[0].float() / 255 - among.float() / 255).flatten(1).norm(dim=1)
    assert distance[0] == pytest.approx(by_hand.min().item(), rel=1e-4)


def test_the_nearest_image_is_found_among_many():
    """Twins far apart: the first of them counts, whichever block the second lies in."""
    among = images(12_000)
    wanted = torch.tensor([3, 7_000, 11_999])
    among[10_500], among[11_000] = among[3], among[7_000]
    distance, index = samples.nearest(among[wanted], among)
    assert torch.equal(index, wanted)
    assert distance.max() < 1e-6


@pytest.mark.parametrize("spoiled", ["blurred", "moved", "both"])
def test_copies_are_found_though_they_are_blurred_or_moved(spoiled):
    digits = torch.tensor(data.load_stand_in().train_images)
    among, copies = digits[100:], digits[100:130]
    if spoiled != "moved":
        copies = torch.tensor(gaussian_filter(copies.numpy(), (0, 1, 1)))
    if spoiled != "blurred":
        copies = copies.roll((1, -1), dims=(1, 2))
    others, _ = samples.nearest_up_to_shift(digits[:100], among)
    distance, index = samples.nearest_up_to_shift(copies, among)
    assert (distance < others.quantile(0.05)).float().mean() > 0.9
    assert (index == torch.arange(30)).float().mean() > 0.9


def test_the_nearest_up_to_a_shift_is_the_least_over_nine_moves():
    few, among = images(3, seed=1), images(7)
    distance, index = samples.nearest_up_to_shift(few, among)
    soft = [
        gaussian_filter(of.numpy() / 255, (0, 2.3, 2.3), mode="constant")[:, ::2, ::2]
        for of in (among, *(few.roll((i, j), (1, 2)) for i in (-1, 0, 1) for j in (-1, 0, 1)))
    ]
    apart = np.array(
        [[[((a - b) ** 2).sum() ** 0.5 for b in soft[0]] for a in m] for m in soft[1:]]
    )
    assert distance.numpy() == pytest.approx(apart.min(axis=(0, 2)), rel=1e-4)
    assert index.tolist() == apart.min(axis=0).argmin(axis=1).tolist()


def test_none_is_nearest_among_none():
    with pytest.raises(ValueError, match="among has no images"):
        samples.nearest(images(3), images(0))
    with pytest.raises(ValueError, match="among has no images"):
        samples.nearest_up_to_shift(images(3), images(0))


def test_limits_for_copies_ring_as_often_as_they_say():
    """Of a hundred digits each, a new one is nearer than the least with a chance of 1 in 101."""
    digits = torch.arange(1000) % 10
    rings = []
    for seed in range(100):
        held_out, new = (
            1 + digits + gaussian(1000, features=1, seed=seed + s)[:, 0] for s in (0, 1000)
        )
        limits = samples.copy_limits(held_out, digits, rate=0.01)
        rings.append((new < limits[digits]).double().mean())
    assert torch.stack(rings).mean() == pytest.approx(1 / 101, abs=0.002)


def test_limits_for_copies_are_each_digit_s_own():
    distances, digits = torch.tensor([1.0, 1.2, 4.0, 4.4]), torch.tensor([1, 1, 8, 8])
    limits = samples.copy_limits(distances, digits, rate=0.34)
    assert limits[[1, 8]].tolist() == [1.0, 4.0]
    assert limits.isnan().sum() == 8  # where there is nothing to go by, nothing is called a copy
    assert samples.copy_limits(distances, digits, rate=0.33).isnan().all()


@pytest.mark.parametrize("rate", [0, 1, float("nan")])
def test_limits_for_copies_need_a_rate(rate):
    with pytest.raises(ValueError, match=f"rate is {rate}, but must be more than 0"):
        samples.copy_limits(torch.ones(3), torch.ones(3), rate)


def test_blur_lowers_sharpness_and_noise_raises_it():
    square = torch.zeros(1, 28, 28)
    square[:, 8:20, 8:20] = 255
    blurred = torch.nn.functional.avg_pool2d(square, 3, stride=1, padding=1)
    noisy = (square + 50 * torch.rand(1, 28, 28)).clamp(max=255)
    sharp = [samples.sharpness(image.byte()).item() for image in (blurred, square, noisy)]
    assert sharp == sorted(sharp)


# Images of digits, and controls that each metric should or should not see

HALF = 2500


@pytest.fixture(scope="module")
def real(mnist) -> torch.Tensor:
    images = torch.tensor(data.load_mnist().test_images)
    return images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))]


@pytest.fixture(scope="module")
def reference(real) -> samples.Reference:
    judge = runs.recorded(ClassifierConfig()).network()
    return samples.Reference(judge, real[:HALF])


@pytest.fixture(scope="module")
def floor(real, reference) -> dict[str, float]:
    """What other real images get."""
    return reference.compare(real[HALF : 2 * HALF])


def noisy(images: torch.Tensor, scale: float) -> torch.Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    return (images + 255 * scale * noise).clamp(0, 255).byte()


def blurred(images: torch.Tensor) -> torch.Tensor:
    wide = torch.nn.functional.pad(images.unsqueeze(1).float(), (1, 1, 1, 1))
    return torch.nn.functional.avg_pool2d(wide, 3, stride=1).squeeze(1).byte()


@pytest.mark.slow
def test_each_distortion_raises_the_distance_by_more_than_its_floor(real, reference, floor):
    """Blur least, since the classifier learnt to look through it: `sharpness` is for blur."""
    others = real[HALF : 2 * HALF]
    for harmed in (noisy(others, 0.2), blurred(others), others.flip(1)):
        measured = reference.compare(harmed)
        assert measured["frechet_distance"] > 2 * floor["frechet_distance"]


@pytest.mark.slow
def test_noise_raises_sharpness_and_blur_lowers_it(real, reference, floor):
    others = real[HALF : 2 * HALF]
    assert reference.compare(noisy(others, 0.2))["sharpness"] > 1.5 * floor["sharpness"]
    assert reference.compare(blurred(others))["sharpness"] < 0.5 * floor["sharpness"]


@pytest.mark.slow
def test_a_missing_digit_is_seen_by_shares_recall_and_distance(real, reference, floor):
    labels = torch.tensor(data.load_mnist().test_labels)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    others, labels = real[HALF:], labels[order][HALF:]
    measured = reference.compare(others[labels != 4][:HALF])
    assert measured["share_4"] < 0.01 < 0.08 < floor["share_4"]
    assert measured["recall"] < floor["recall"] - 0.05
    assert measured["precision"] == pytest.approx(floor["precision"], abs=0.03)
    assert measured["frechet_distance"] > 3 * floor["frechet_distance"]


@pytest.mark.slow
def test_memorised_images_are_seen_by_their_neighbours_alone(reference, floor, mnist):
    """Copies of training images pass as well as new real images do: only `nearest` tells."""
    copies = torch.tensor(data.load_mnist().train_images[:HALF])
    measured = reference.compare(copies)
    assert measured["frechet_distance"] < 2 * floor["frechet_distance"]
    assert measured["precision"] == pytest.approx(floor["precision"], abs=0.05)
    distance, index = samples.nearest(copies[:50], copies)
    assert distance.max() < 1e-6
    assert torch.equal(index, torch.arange(50))


def test_shares_add_up_to_one(real, reference):
    measured = reference.compare(real[:HALF])
    assert sum(measured[f"share_{digit}"] for digit in range(10)) == pytest.approx(1)
    assert measured["frechet_distance"] == pytest.approx(0, abs=1e-6)
    assert measured["precision"] == measured["recall"] == 1
