"""The classifier's answers come from its features, and it is shown distorted images in [0, 1]."""

import math

import pytest
import torch

from gencomp_utils import data, training
from gencomp_utils.models import ClassifierConfig, base, classifier
from gencomp_utils.models.classifier import Classifier


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.tensor(data.load_stand_in().train_images[:200])


def test_a_classifiers_answer_is_read_from_its_features():
    network = Classifier(seeded()).eval()
    x = torch.rand(4, 1, 28, 28, generator=seeded())
    features = network.features(x)
    assert features.shape == (4, 64)
    assert torch.equal(network(x), network.answer(features))


def test_features_and_probabilities_are_those_of_pixels_between_0_and_1(images):
    network = Classifier(seeded()).eval()
    x = base.as_unit(images)
    assert torch.allclose(classifier.features(network, images), network.features(x), atol=1e-6)
    shares = classifier.probabilities(network, images)
    assert torch.allclose(shares, network(x).softmax(dim=1), atol=1e-6)
    assert torch.allclose(shares.sum(dim=1), torch.ones(200))


def test_accuracy_is_the_share_of_right_names(images):
    network = Classifier(seeded()).eval()
    named = classifier.probabilities(network, images).argmax(dim=1)
    labels = named.clone()
    labels[:50] = (labels[:50] + 1) % 10
    assert classifier.accuracy(network, images, labels) == pytest.approx(0.75)
    assert ClassifierConfig().measure(network, images, labels, 0) == {"test_accuracy": 0.75}


def test_distortions_are_as_small_as_promised():
    maps, softness = classifier._distortions(20_000, seeded())
    linear, shift = maps[:, :, :2], maps[:, :, 2]
    scale = 1 / linear.det().sqrt()
    assert scale.min().item() == pytest.approx(0.9, abs=1e-3)
    assert scale.max().item() == pytest.approx(1.1, abs=1e-3)
    turn = torch.atan2(linear[:, 1, 0], linear[:, 0, 0])
    assert turn.abs().max().item() == pytest.approx(math.radians(12), abs=1e-3)
    assert turn.mean().item() == pytest.approx(0, abs=5e-3)
    assert shift.abs().max().item() == pytest.approx(2 / 14, abs=1e-3)
    assert (softness == 0).float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert softness.max().item() == pytest.approx(1, abs=1e-3)


def test_a_map_moves_and_a_blur_spreads_ink():
    dot = torch.zeros(1, 1, 28, 28)
    dot[..., 14, 14] = 1
    still = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    assert torch.allclose(
        classifier._distorted(dot, still, torch.zeros(1, 1, 1, 1)), dot, atol=1e-5
    )
    right = still.clone()
    right[0, 0, 2] = 2 / 14  # samples are taken two pixels to the right: the dot goes left
    moved = classifier._distorted(dot, right, torch.zeros(1, 1, 1, 1))
    assert moved[0, 0].argmax().item() == 14 * 28 + 12
    blurred = classifier._distorted(dot, still, torch.ones(1, 1, 1, 1))[0, 0]
    assert blurred.sum().item() == pytest.approx(1, abs=1e-5)
    rows = torch.arange(28.0)
    spread = (blurred.sum(dim=1) * (rows - 14) ** 2).sum().sqrt().item()
    assert spread == pytest.approx(1.5, abs=0.05)
    half = classifier._distorted(dot, still, torch.full((1, 1, 1, 1), 0.5))[0, 0]
    assert torch.allclose(half, (dot[0, 0] + blurred) / 2, atol=1e-5)


def test_the_first_step_of_a_classifier_is_adamws():
    group = ClassifierConfig(learning_rate=0.01).optimizer(torch.nn.Linear(1, 1)).param_groups[0]
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.01, (0.9, 0.999), 0.01)


def test_images_are_shown_as_they_are_where_distortions_are_off(images, monkeypatch):
    seen = []
    show = Classifier.forward
    monkeypatch.setattr(Classifier, "forward", lambda net, x: seen.append(x) or show(net, x))
    for distorted in (False, True):
        config = ClassifierConfig(batch_size=200, distorted=distorted)
        labels = torch.zeros(200, dtype=torch.int64)
        list(training.epoch_steps(training.start(config), config, images, labels, 0))
    order = torch.randperm(200, generator=base.stream(0, "order"))
    assert torch.equal(seen[0], base.as_unit(images[order]))
    assert not torch.allclose(seen[1], seen[0], atol=0.1)


def test_a_narrow_classifier_has_fewer_channels_in_each_layer():
    narrow = Classifier(seeded(), width=8)
    assert narrow.features(torch.zeros(2, 1, 28, 28)).shape == (2, 16)
    convolutions = [part for part in narrow.modules() if isinstance(part, torch.nn.Conv2d)]
    assert [part.out_channels for part in convolutions] == [8, 8, 16, 16, 16, 16]
