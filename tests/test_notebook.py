"""What cells show reads the same everywhere, and says in words what it shows."""

import base64
import io
import json
import re

import numpy as np
import pytest
from IPython.display import HTML, Markdown
from PIL import Image

from gencomp_utils import data, figures, notebook, training


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[HTML | Markdown]:
    displayed: list[HTML | Markdown] = []
    monkeypatch.setattr(notebook, "display", displayed.append)
    return displayed


def draw(value: float = 0.0):
    fig, ax = figures.new(width=3, height=2)
    ax.plot([0, 1], [0, value])
    return fig


def image_of(source: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(source.split("base64,")[1])))


# Sentences, sources, data


def test_a_sentence_holds_the_runs_numbers(shown):
    notebook.say("The bound is **{bound:.1f}** nats.", bound=-146.04)
    assert shown[0].data == "The bound is **-146.0** nats."


def test_a_source_is_the_code_that_runs_without_its_docstring(shown):
    notebook.source(training.vae_loss)
    text = shown[0].data
    assert text.startswith("```python\n# gencomp_utils/training.py\ndef vae_loss(")
    assert "kl = kl_to_standard_normal(mean, log_variance)" in text
    assert "Parameters" not in text
    assert '"""' not in text
    compile(text.removeprefix("```python").removesuffix("```"), "shown", "exec")


def test_the_sources_of_methods_lose_their_docstrings_too(shown):
    notebook.source(data.Digits)
    assert '"""' not in shown[0].data
    assert "hashlib.sha256()" in shown[0].data


def test_the_data_are_told_with_counts_and_sums(shown, mnist):
    notebook.describe_data(data.load_mnist())
    assert "60,000 training and 10,000 test images" in shown[0].data
    for name, sha256 in data.MNIST_FILES.items():
        assert f"| `{name}` | `{sha256}` |" in shown[0].data


def test_a_stand_in_is_told_for_one(shown):
    notebook.describe_data(data.load_stand_in())
    assert shown[0].data.startswith("> **Careful.** MNIST could not be had")
    assert "stand-in" in shown[0].data
    assert "1,500 training and 297 test images" in shown[0].data


# Figures


def test_a_figure_has_alt_text_and_a_caption_below(shown):
    notebook.show(draw(), alt='A line from "0" to 1 < 2.', caption="**Figure 1.** A line.")
    figure, caption = shown
    assert 'alt="A line from &quot;0&quot; to 1 &lt; 2."' in figure.data
    assert caption.data == "**Figure 1.** A line."


@pytest.mark.parametrize("words", [{"alt": ""}, {"alt": " "}, {"caption": ""}])
def test_a_figure_without_words_is_refused(words, shown):
    with pytest.raises(ValueError, match=f"{next(iter(words))} is empty"):
        notebook.show(draw(), **{"alt": "A line.", "caption": "A line.", **words})
    assert shown == []


def test_images_fit_a_grid_or_are_refused():
    assert figures.tile(np.zeros((6, 28, 28)), 2, 3).shape == (56, 84)
    with pytest.raises(ValueError, match=r"shape \(5, 28, 28\).*\(6, height, width\)"):
        figures.tile(np.zeros((5, 28, 28)), 2, 3)


def test_images_are_laid_out_row_by_row():
    numbered = np.arange(6).reshape(6, 1, 1) * np.ones((1, 2, 2))
    assert figures.tile(numbered, 2, 3)[::2, ::2].tolist() == [[0, 1, 2], [3, 4, 5]]


# The frame player


def frames_of(player: HTML) -> dict[str, list[str]]:
    return json.loads(re.search(r"const data = (\{.*\});\n", player.data)[1])


def test_a_player_has_a_frame_with_its_own_words_for_each_value(shown):
    notebook.player(
        draw,
        [0.0, 0.5, 1.0],
        label="Slope",
        alt=lambda value: f"A line to {value}.",
        caption="**Figure 1.** A line turns.",
        text=lambda value: f"{value:.1f}",
        start=1,
    )
    data = frames_of(shown[0])
    assert data["alts"] == ["A line to 0.0.", "A line to 0.5.", "A line to 1.0."]
    assert data["texts"] == ["0.0", "0.5", "1.0"]
    assert len(set(data["frames"])) == 3
    assert 'alt="A line to 0.5."' in shown[0].data
    assert 'value="1"' in shown[0].data


def test_frames_are_small_pictures_of_one_size(shown):
    notebook.player(draw, [0.0, 1.0], label="Slope", alt="A line.", caption="A line.")
    pictures = [image_of("base64," + frame) for frame in frames_of(shown[0])["frames"]]
    assert pictures[0].size == pictures[1].size
    assert all(picture.mode == "P" for picture in pictures)
    assert all(len(picture.getcolors()) <= 64 for picture in pictures)


def test_a_player_asks_for_nothing_from_outside(shown):
    notebook.player(draw, [0.0, 1.0], label="Slope", alt="A line.", caption="A line.")
    assert "http" not in shown[0].data


def test_words_cannot_end_the_players_script(shown):
    notebook.player(draw, [0, 1], label="</script>", alt="</script>", caption="A line.")
    assert shown[0].data.count("</script>") == 1


def test_two_players_on_a_page_have_ids_of_their_own(shown):
    for label in ("Slope", "Angle"):
        alt = f"A line for {label}."
        notebook.player(draw, [0.0, 1.0], label=label, alt=alt, caption="A line.")
    ids = [re.search(r'id="(player-\w+)"', player.data)[1] for player in shown[::2]]
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": []}, "values has 0 entries"),
        ({"values": list(range(61))}, "values has 61 entries"),
        ({"start": 2}, "start is 2"),
        ({"start": -1}, "start is -1"),
        ({"label": ""}, "label is empty"),
        ({"alt": lambda value: "" if value else "A line."}, "alt of frame 1 is empty"),
    ],
)
def test_a_player_that_could_not_be_used_is_refused(change, message, shown):
    arguments = {"values": [0, 1], "label": "Slope", "alt": "A line.", "caption": "A line."}
    arguments |= change
    with pytest.raises(ValueError, match=message):
        notebook.player(draw, arguments.pop("values"), **arguments)


# Sliders


def test_sliders_are_for_live_kernels_only(shown, monkeypatch):
    monkeypatch.setenv("GENCOMP_BUILD", "1")
    notebook.live(lambda slope: draw(slope), slope=(0, 1, 0.1, 0.5))
    assert "`slope`" in shown[0].data
    monkeypatch.delenv("GENCOMP_BUILD")
    notebook.live(lambda slope: draw(slope), slope=(0, 1, 0.1, 0.5))
    assert 'alt="slope = 0.5"' in shown[1].data
