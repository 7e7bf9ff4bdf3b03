"""Cards of trained models and the table of them: products by hand, marks, codes by descent."""

import pytest
import torch

from gencomp_utils import comparison, data, models, runs
from gencomp_utils.models import VAEConfig

PLANE = VAEConfig()


@pytest.fixture(scope="module")
def digits():
    return data.load_stand_in()


@pytest.fixture(scope="module")
def judge():
    return runs.recorded(models.ClassifierConfig())


@pytest.fixture(scope="module")
def card(digits, judge):
    return comparison.card(runs.recorded(PLANE), digits, judge.network(), count=40)


# Cards


def test_a_card_of_a_vae_has_all_that_a_vae_has(card):
    assert set(card) == set(comparison.QUANTITIES)
    by_hand = 2 * 128 + 128**2 + 128 * 1568 + 32 * 16 * 16 * 7 * 7 + 16 * 16 * 14 * 14
    assert card["products"] == pytest.approx(by_hand / 1e6)
    assert card["products_trained"] > 1.5 * card["products"]
    assert card["weights"] == card["weights_trained"]
    assert card["test_elbo"] == runs.recorded(PLANE).metrics["test_elbo"]


def test_a_card_of_a_gan_lacks_what_needs_an_encoder(digits, judge):
    card = comparison.card(runs.recorded(models.DCGANConfig()), digits, judge.network(), count=20)
    assert not {"pixel_error", "feature_error", "sharpness_rebuilt", "test_elbo"} & set(card)
    assert card["weights_trained"] > card["weights"]
    assert card["products_trained"] > 3 * card["products"]


def test_a_card_is_the_same_each_time_but_for_the_clock(card, digits, judge):
    again = comparison.card(runs.recorded(PLANE), digits, judge.network(), count=40)
    assert again | {"milliseconds": 0} == card | {"milliseconds": 0}


def test_images_beside_themselves_have_no_distance_and_are_all_covered(digits, judge):
    images = torch.tensor(digits.test_images[:40])
    found = comparison.beside(images, images, judge.network())
    assert found["frechet_distance"] == pytest.approx(0, abs=1e-6)
    assert found["sharpness_off"] == 0
    assert found["precision"] == found["recall"] == found["coverage"] == 1


# The table


def test_seeds_give_intervals_and_one_run_a_number(card, digits, judge):
    floor = comparison.floor(judge, digits, count=40)
    run = runs.recorded(PLANE)
    rows = {name: cells for name, *cells in comparison.rows({"A": card}, {"A": run}, floor)}
    assert len(rows) == len(comparison.QUANTITIES)
    assert rows["Fréchet distance"] == ["4.07 ± 0.27", "0.06"]
    assert "±" not in rows["coverage"][0]
    assert rows["bound (13), nats"][1] == "–"


def test_the_best_is_marked_only_where_intervals_are_apart():
    values = {"A": [1.0, 1.1, 1.2], "B": [2.0, 2.1, 2.2], "C": [0.1]}
    assert comparison._winner(values, "low") == "A"  # one seed takes no part
    assert comparison._winner(values, "high") == "B"
    assert comparison._winner({"A": [1, 1.1], "B": [1.05, 1.2]}, "low") == ""
    assert comparison._winner({"A": [1.0, 1.1]}, "low") == ""
    assert comparison._winner({"A": [1.0], "B": [2.0]}, "low") == ""
    assert comparison._winner({"A": [-0.1, -0.11], "B": [0.5, 0.51]}, "zero") == "A"
    assert comparison._winner(values, "") == ""
