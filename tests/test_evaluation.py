"""Metrics of samples against known answers: Gaussians, identical sets, lost classes, copies."""

import math

import pytest
import torch

from gencomp_utils import data, evaluation, experiments, runs, training
from gencomp_utils.networks import VAE, DCGANGenerator
from gencomp_utils.settings import ClassifierConfig, VAEConfig


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
    assert evaluation.frechet_distance(first, second) == pytest.approx(4 * (1 + 1), rel=0.02)


def test_the_distance_sees_a_rotation_of_correlated_features():
    stretch = torch.diag(torch.tensor([3.0, 1.0, 1.0, 1.0]))
    turn = torch.eye(4)[[1, 0, 2, 3]]
    first = gaussian(200_000) @ stretch
    # Variances 9 and 1 exchanged: twice (3 - 1)².
    assert evaluation.frechet_distance(first, first @ turn) == pytest.approx(8.0, rel=0.02)


def test_identical_sets_have_no_distance_and_order_does_not_count():
    features = gaussian(500)
    assert evaluation.frechet_distance(features, features) == pytest.approx(0.0, abs=1e-9)
    other = gaussian(500, mean=0.5, seed=1)
    there = evaluation.frechet_distance(features, other)
    assert evaluation.frechet_distance(other, features) == pytest.approx(there, rel=1e-9)


def test_features_with_fewer_rows_than_columns_are_measured_too():
    few, many = gaussian(3, features=8), gaussian(1000, features=8, seed=1)
    assert 0 < evaluation.frechet_distance(few, many) < 100


def test_the_distance_falls_with_the_number_of_rows():
    def at(count):
        return evaluation.frechet_distance(
            gaussian(count, features=20), gaussian(count, features=20, seed=1)
        )

    assert at(100) > 3 * at(1000) > 9 * at(10_000)


# Precision and recall


def test_samples_of_the_same_distribution_have_like_precision_and_recall():
    precision, recall = evaluation.precision_recall(gaussian(1000), gaussian(1000, seed=1))
    assert precision == pytest.approx(recall, abs=0.05)
    assert precision > 0.8


def test_a_missing_class_costs_recall_and_not_precision():
    labels = torch.arange(1000) % 10
    real = clusters(labels)
    fake = clusters(labels[labels != 7], seed=1)
    precision, recall = evaluation.precision_recall(real, fake)
    whole = evaluation.precision_recall(real, clusters(labels, seed=1))
    assert precision == pytest.approx(whole[0], abs=0.03)
    assert recall == pytest.approx(whole[1] - 0.1, abs=0.03)


def test_copies_of_one_real_image_have_precision_and_no_recall():
    real = gaussian(1000)
    copies = real[:1].expand(500, -1)
    assert evaluation.precision_recall(real, copies) == (1.0, pytest.approx(0.001))


def test_samples_elsewhere_have_neither():
    assert evaluation.precision_recall(gaussian(300), gaussian(300, mean=50.0)) == (0.0, 0.0)


def test_blocks_do_not_change_the_shares(monkeypatch):
    sets = gaussian(300), gaussian(300, mean=0.5, seed=1)
    whole = evaluation.precision_recall(*sets)
    monkeypatch.setattr(evaluation, "_BLOCK", 7)
    assert evaluation.precision_recall(*sets) == whole


@pytest.mark.parametrize("neighbours", [0, 5])
def test_too_many_neighbours_are_refused(neighbours):
    with pytest.raises(ValueError, match=f"neighbours is {neighbours}, but must be from 1 up to 4"):
        evaluation.precision_recall(gaussian(5), gaussian(9), neighbours)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (torch.zeros(5, 3), torch.zeros(5, 4), "features must have shapes"),
        (torch.zeros(5), torch.zeros(5), "features must have shapes"),
        (torch.zeros(1, 3), torch.zeros(5, 3), "at least two rows"),
    ],
)
def test_features_that_do_not_fit_are_refused(first, second, message):
    for metric in (evaluation.frechet_distance, evaluation.precision_recall):
        with pytest.raises(ValueError, match=message):
            metric(first, second)


# Images


def images(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=generator)


def test_the_nearest_image_is_found():
    among = images(25)
    wanted = torch.tensor([24, 0, 13])
    distance, index = evaluation.nearest(among[wanted], among)
    assert torch.equal(index, wanted)
    assert distance.max() < 1e-6
    distance, _ = evaluation.nearest(images(3, seed=1), among)
    by_hand = (images(3, seed=1)[0].float() / 255 - among.float() / 255).flatten(1).norm(dim=1)
    assert distance[0] == pytest.approx(by_hand.min().item(), rel=1e-4)


def test_the_nearest_image_is_found_among_many():
    """Twins far apart: the first of them counts, whichever block the second lies in."""
    among = images(12_000)
    wanted = torch.tensor([3, 7_000, 11_999])
    among[10_500], among[11_000] = among[3], among[7_000]
    distance, index = evaluation.nearest(among[wanted], among)
    assert torch.equal(index, wanted)
    assert distance.max() < 1e-6


def test_none_is_nearest_among_none():
    with pytest.raises(ValueError, match="among has no images"):
        evaluation.nearest(images(3), images(0))


def test_blur_lowers_sharpness_and_noise_raises_it():
    square = torch.zeros(1, 28, 28)
    square[:, 8:20, 8:20] = 255
    blurred = torch.nn.functional.avg_pool2d(square, 3, stride=1, padding=1)
    noisy = (square + 50 * torch.rand(1, 28, 28)).clamp(max=255)
    sharp = [evaluation.sharpness(image.byte()).item() for image in (blurred, square, noisy)]
    assert sharp == sorted(sharp)


# The importance-weighted bound


def test_more_draws_tighten_the_bound_up_to_the_evidence():
    vae = VAE(2, torch.Generator().manual_seed(0))
    with torch.no_grad():  # so that the posterior is far from what the encoder says
        vae.decoder[0].weight *= 3
        vae.decoder[-1].weight *= 3
    few = images(20)
    bounds = [
        evaluation.importance_weighted(vae, few, torch.Generator().manual_seed(1), draws=k)
        for k in (1, 20, 400)
    ]
    means = [bound.mean().item() for bound in bounds]
    assert means == sorted(means)
    evidence = evaluation.log_evidence_grid(vae, few, points=201)
    assert means[2] == pytest.approx(evidence.mean().item(), abs=0.5)
    assert means[2] < evidence.mean().item() + 0.2


# Bounds on log p(x)


@pytest.fixture(scope="module")
def vae() -> VAE:
    """A network that has learned a little."""
    digits = data.load_stand_in()
    config = VAEConfig(epochs=4, batch_size=50)
    state = experiments.start(config)
    images, labels, _, _ = runs.split(config, digits)
    for _ in experiments.train(state, config, images[:300], labels[:300]):
        pass
    return state.networks["vae"]


@pytest.fixture(scope="module")
def unseen() -> torch.Tensor:
    return torch.tensor(data.load_stand_in().test_images[:20])


def test_the_bound_stays_below_log_p(vae, unseen):
    evidence = evaluation.log_evidence_grid(vae, unseen, points=201)
    draws = torch.stack(
        [evaluation.elbo(vae, unseen, torch.Generator().manual_seed(i)) for i in range(200)]
    )
    error = draws.std(dim=0) / math.sqrt(200)
    assert (draws.mean(dim=0) < evidence + 4 * error).all()


def test_the_grid_has_converged(vae, unseen):
    coarse, fine = (evaluation.log_evidence_grid(vae, unseen, points) for points in (151, 301))
    assert torch.allclose(coarse, fine, atol=1e-3)


def test_the_grid_integrates_a_decoder_that_ignores_its_code():
    vae = VAE(2, torch.Generator().manual_seed(0))
    torch.nn.init.zeros_(vae.decoder[0].weight)
    images = torch.randint(0, 256, (3, 28, 28), dtype=torch.uint8)
    logits = vae.decode(torch.zeros(3, 2))
    expected = -training.bernoulli_cross_entropy(logits, training.as_unit(images)).double()
    evidence = evaluation.log_evidence_grid(vae, images, points=101)
    assert torch.allclose(evidence, expected, atol=1e-3)


def test_a_grid_over_more_than_two_dimensions_is_refused():
    vae = VAE(3, torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="3 code dimensions, but a grid is feasible for 2"):
        evaluation.log_evidence_grid(vae, torch.zeros(1, 28, 28, dtype=torch.uint8), 11)


# Images of digits, and controls that each metric should or should not see

HALF = 2500


@pytest.fixture(scope="module")
def real(mnist) -> torch.Tensor:
    images = torch.tensor(data.load_mnist().test_images)
    return images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))]


@pytest.fixture(scope="module")
def reference(real) -> evaluation.Reference:
    judge = runs.recorded(ClassifierConfig()).classifier()
    return evaluation.Reference(judge, real[:HALF])


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
    distance, index = evaluation.nearest(copies[:50], copies)
    assert distance.max() < 1e-6
    assert torch.equal(index, torch.arange(50))


def test_shares_add_up_to_one(real, reference):
    measured = reference.compare(real[:HALF])
    assert sum(measured[f"share_{digit}"] for digit in range(10)) == pytest.approx(1)
    assert measured["frechet_distance"] == pytest.approx(0, abs=1e-6)
    assert measured["precision"] == measured["recall"] == 1


def test_samples_are_bytes_over_the_whole_range():
    """Ends of tanh and sigmoid are paper and ink, and rounding is to the nearest byte."""
    generator = DCGANGenerator(2, torch.Generator().manual_seed(0)).eval()
    images = evaluation.images_of(generator, torch.zeros(3, 2))
    exact = (generator(torch.zeros(3, 2)) + 1) / 2 * 255
    assert images.dtype == torch.uint8
    assert (images - exact.squeeze(1)).abs().max() <= 0.5
