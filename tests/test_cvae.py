"""The VAE that is told the digit sees few labelled images alone, and makes what is asked for."""

import pytest
import torch
from test_train import train
from torch.distributions import Bernoulli, Normal, kl_divergence

from gencomp_utils import data, runs, training
from gencomp_utils.data import Digits
from gencomp_utils.models import CVAE, ClassifierConfig, CVAEConfig, base, cvae
from gencomp_utils.models.base import State, split

FEW = CVAEConfig(labels=40, batch_size=20)


@pytest.fixture(scope="module")
def digits() -> Digits:
    return data.load_stand_in()


@pytest.fixture(scope="module")
def images(digits) -> torch.Tensor:
    return torch.tensor(digits.train_images)


@pytest.fixture(scope="module")
def labels(digits) -> torch.Tensor:
    return torch.tensor(digits.train_labels).long()


def losses(config: CVAEConfig, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return torch.stack([*training.epoch_steps(training.start(config), config, images, labels, 0)])


def fitted(images: torch.Tensor, labels: torch.Tensor, told: torch.Tensor | None = None) -> State:
    state = training.start(FEW)
    for epoch in range(4):
        [*training.epoch_steps(state, FEW, images, labels if told is None else told, epoch)]
    state.network.eval()
    return state


def as_asked(state: State, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of samples whose nearest labelled image is of the digit that was asked for."""
    known = FEW.labelled(len(images))
    asked = labels[known].repeat(3)
    made = FEW.made(state.network, asked)
    apart = torch.cdist(made.flatten(1).float(), images[known].flatten(1).float())
    return (labels[known][apart.argmin(dim=1)] == asked).float().mean().item()


def test_the_terms_are_those_of_torch_distributions(images, labels):
    network = CVAE(3, torch.Generator().manual_seed(0)).double()
    x, y = base.as_unit(images[:5]).double(), labels[:5]
    noise = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    reconstruction, kl = cvae.cvae_loss(network, x, y, noise)
    told = torch.eye(10, dtype=torch.float64)[y]
    mean, log_variance = network.encoder(torch.cat([x.flatten(1), told], dim=1)).chunk(2, dim=1)
    q = Normal(mean, (log_variance / 2).exp())
    logits = network.decoder(torch.cat([mean + q.stddev * noise, told], dim=1))
    pixels = Bernoulli(logits=logits, validate_args=False)
    assert torch.allclose(reconstruction, -pixels.log_prob(x).flatten(1).sum(dim=1))
    assert torch.allclose(kl, kl_divergence(q, Normal(0.0, 1.0)).sum(dim=1))


def test_the_seed_draws_the_labelled_images_each_once():
    drawn = [CVAEConfig(labels=300, seed=seed).labelled(60_000) for seed in (0, 1, 0)]
    assert torch.equal(drawn[0], drawn[2])
    assert len(drawn[0].unique()) == 300
    assert len(torch.cat(drawn[:2]).unique()) > 590


def test_no_other_image_and_no_other_label_is_looked_at(images, labels):
    """The rest can be anything; a labelled image with another label is noticed."""
    known = FEW.labelled(len(images))
    bare, blank = torch.zeros_like(images), (labels + 1) % 10
    bare[known], blank[known] = images[known], labels[known]
    right = losses(FEW, images, labels)
    assert torch.equal(losses(FEW, bare, blank), right)
    blank[known[0]] = (blank[known[0]] + 1) % 10
    assert not torch.equal(losses(FEW, bare, blank), right)


def test_an_epoch_has_the_steps_of_all_images(images, labels):
    assert len(losses(FEW, images, labels)) == -(-len(images) // 20) == FEW.steps(len(images))


def test_it_makes_the_digits_that_are_asked_for(images, labels):
    """And one that was told wrong digits doesn't: the check can fail."""
    assert as_asked(fitted(images, labels), images, labels) > 0.7
    mixed = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]
    assert as_asked(fitted(images, labels, mixed), images, labels) < 0.5


def test_samples_are_the_means_in_bytes(images):
    network = CVAE(5, torch.Generator().manual_seed(0)).eval()
    asked = torch.arange(10)
    z = torch.randn(10, 5, generator=base.stream(0, "made"))
    means = torch.sigmoid(network.decode(z, asked)).squeeze(1)
    made = CVAEConfig().made(network, asked)
    assert made.dtype == torch.uint8
    assert (made - 255 * means).abs().max() <= 0.5


def test_each_image_is_measured_with_its_own_label(images, labels):
    network = CVAE(5, torch.Generator().manual_seed(0)).eval()
    measured = [CVAEConfig().measure(network, images, y, 0) for y in (labels, (labels + 1) % 10)]
    assert measured[0].keys() == {"test_loss", "test_kl"}
    assert measured[0] != measured[1]


def test_classifiers_see_labelled_images_and_samples_alone(digits, monkeypatch):
    """Four ways, as many images each; two of them distorted, two with samples."""
    monkeypatch.setattr(train, "SHOWN", 120)
    seen: list[tuple[ClassifierConfig, torch.Tensor, torch.Tensor]] = []

    def pretend(state, config, *shown):
        seen.append((config, *shown))
        state.network.eval()
        return [state]

    monkeypatch.setattr(training, "train", pretend)
    images, labels, *_ = split(FEW, digits)
    network = training.start(FEW).network.eval()
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    empty = images[:0].numpy()
    run = runs.Run(FEW, [], empty, weights, empty, {})
    found = train.few_labels(run, digits)
    ways = ("plain", "distorted", "generated", "both")
    assert [*found] == ["named_as_asked", *(f"errors_{way}" for way in ways)]
    known = FEW.labelled(len(images))
    asked = torch.arange(120) % 10
    made = FEW.made(network, asked)
    for (config, shown, named), share, distorted in zip(
        seen, (0, 0, 0.25, 0.25), (False, True, False, True), strict=True
    ):
        more = round(share * 120)
        assert (config.distorted, config.seed) == (distorted, FEW.seed)
        assert len(shown) == len(named) == 120
        assert torch.equal(shown[:40], images[known])
        assert torch.equal(named[:40], labels[known])
        assert torch.equal(shown[120 - more :], made[:more])
        assert torch.equal(named[120 - more :], asked[:more])
        rest = torch.cdist(shown[: 120 - more].flatten(1).float(), images[known].flatten(1).float())
        assert (rest.min(dim=1).values == 0).all()
