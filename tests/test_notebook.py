"""What cells show reads the same everywhere, and says in words what it shows."""

import ast
import base64
import io
import json
import re
import sys

import numpy as np
import pytest
import torch
from conftest import ROOT, run
from IPython.display import HTML, Markdown
from PIL import Image

from gencomp_utils import data, distributions, figures, notebook, verdicts
from gencomp_utils.metrics import samples
from gencomp_utils.models import base, vae


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


# Sentences


def test_a_sentence_holds_the_runs_numbers(shown):
    notebook.say("The bound is **{bound:.1f}** nats.", bound=-146.04)
    assert shown[0].data == "The bound is **−146.0** nats."


@pytest.mark.parametrize(
    ("text", "displayed"),
    [
        ("-0.5 to -.25", "−0.5 to −.25"),
        ("$e^{-2}$, a 20-d code, 5-10, 1e-16", "$e^{−2}$, a 20-d code, 5-10, 1e-16"),
        ("`f(-2)` is -4", "`f(-2)` is −4"),
        ("```python\nx = -1\n```", "```python\nx = -1\n```"),
        ("[-1](page.html#a-1)", "[−1](page.html#a-1)"),
    ],
)
def test_a_number_below_zero_has_a_minus_sign_and_code_stays_code(text, displayed, shown):
    notebook.say(text)
    assert shown[0].data == displayed


def test_finished_text_is_displayed_as_it_is(shown):
    notebook.say(f"$p_{{data}}$ of {0.5:.2f}, {{1, 2}} and {{}}")
    assert shown[0].data == "$p_{data}$ of 0.50, {1, 2} and {}"


def test_a_literal_brace_is_doubled_where_there_are_values(shown):
    notebook.say("$p_{{data}}$ of {share:.0%}", share=0.5)
    assert shown[0].data == "$p_{data}$ of 50%"


# Sources


def code_of(shown: Markdown) -> str:
    assert shown.data.startswith("```python\n")
    assert shown.data.endswith("\n```")
    return shown.data.removeprefix("```python\n").removesuffix("\n```")


def test_a_source_is_the_code_that_runs_without_its_docstring(shown):
    notebook.source(vae.vae_loss)
    code = code_of(shown[0])
    assert code.splitlines()[1].startswith("def vae_loss(")
    assert "return vae.reconstruction(z, x), kl_to_standard_normal(mean, log_variance)" in code
    assert '"""' not in code
    compile(code, "shown", "exec")


def test_each_source_says_where_it_stands(shown):
    """Also a method, and a function behind a decorator that wraps it."""
    notebook.source(vae.vae_loss, vae.VAEConfig.epoch, base.in_blocks, notebook.say)
    modules = ("models/vae", "models/vae", "models/base", "notebook")
    *sources, links = shown
    assert links.data.startswith("On GitHub: [`vae_loss`](https://github.com/")
    for output, module in zip(sources, modules, strict=True):
        place, first, *_ = code_of(output).splitlines()
        found = re.fullmatch(rf"# gencomp_utils/{module}\.py, line (\d+)", place)
        assert found, place
        assert re.search(rf"/blob/[\w.]+/gencomp_utils/{module}\.py#L{found[1]}\)", links.data)
        lines = (ROOT / f"gencomp_utils/{module}.py").read_text(encoding="utf-8").splitlines()
        assert lines[int(found[1]) - 1].strip() == first


def test_a_methods_source_begins_at_the_margin_with_its_decorators(shown):
    notebook.source(samples.Reference._digits, vae.VAEConfig.epoch)
    decorated, plain = (code_of(output).splitlines()[1:] for output in shown[:2])
    assert decorated[0] == "@torch.no_grad()"
    assert decorated[1].startswith("def _digits(self")
    assert plain[0].startswith("def epoch(self")
    for lines in (decorated, plain):
        compile("\n".join(lines), "shown", "exec")


def test_the_sources_of_methods_lose_their_docstrings_too(shown):
    notebook.source(data.Digits)
    code = code_of(shown[0])
    assert '"""' not in code
    assert "@dataclass(frozen=True)\nclass Digits:\n    name: str\n" in code
    assert "return self.sha256 == MNIST_FILES" in code


NESTED = '''
class Outer:
    """One line."""

    x = 1

    def first(self):
        """Several.

        Lines.
        """

        def inner():
            """Deeper."""
            y = "text"  # kept

            return y

        return inner

    async def second(self):
        r"""Raw."""
        z = 2
        return z

    class Last:
        """Last."""

        w = 3
'''

BARE = """
class Outer:

    x = 1

    def first(self):

        def inner():
            y = "text"  # kept

            return y

        return inner

    async def second(self):
        z = 2
        return z

    class Last:
        w = 3
"""


def test_docstrings_in_docstrings_take_no_line_of_code_with_them():
    assert notebook._without_docstrings(NESTED) == BARE.replace(":\n\n", ":\n").rstrip()


@pytest.mark.parametrize(
    ("code", "bare"),
    [
        ('def f(): "Doc."', "def f(): ..."),
        ('def f():\n    """Über."""\n', "def f():\n    ..."),
        ('class E(Exception):\n    """A\n    B."""', "class E(Exception):\n    ..."),
        ('def f(): "Doc."; return 1', 'def f(): "Doc."; return 1'),
        ('def f():\n    "Doc."; return 1', 'def f():\n    "Doc."; return 1'),
        ('def f():\n    """Doc."""\n\n\n    return 1', "def f():\n\n    return 1"),
        ('def f():\n    x = """no\n\n    doc"""', 'def f():\n    x = """no\n\n    doc"""'),
        ('def f():\n    """Doc."""\n    """No doc."""', 'def f():\n    """No doc."""'),
    ],
)
def test_code_stays_whole_without_its_docstring(code, bare):
    assert notebook._without_docstrings(code) == bare


def test_no_module_of_the_package_loses_code():
    for file in (ROOT / "gencomp_utils").rglob("*.py"):
        code = file.read_text(encoding="utf-8")
        tree = ast.parse(code)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
                node.body = node.body[1:] or ast.parse("...").body
        assert ast.dump(ast.parse(notebook._without_docstrings(code))) == ast.dump(tree), file


# Tables


def test_a_table_has_a_row_for_each_label_and_formats_what_is_no_text(shown):
    rows = {"coin": (0.5, "–"), "die": (1 / 6, 1.791)}
    notebook.table(rows, ("", "chance", "nats"), ".2f")
    assert shown[0].data == (
        "| | chance | nats |\n|---|---:|---:|\n| coin | 0.50 | – |\n| die | 0.17 | 1.79 |"
    )


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        (["−0.5", "**1,024**", "–"], True),
        (["12%", "3 ± 1", "1e-16", "0.5 (0.4 to 0.6), holds"], True),
        (["12%", "3 of 4"], False),
        (["7 × 7"], False),
        (["N(0, 1)"], False),
    ],
)
def test_numbers_that_are_written_out_stand_at_the_right(cells, right, shown):
    notebook.table([("a", cell) for cell in cells], ("", "n"))
    assert shown[0].data.splitlines()[1] == f"|---|{'---:' if right else '---'}|"


def test_only_columns_of_text_stay_left(shown):
    rows = [(1, "**2**", "–", np.float32(4)), (10, "x", 0.5, torch.tensor(5.0))]
    notebook.table(iter(rows), ("k", "text", "mixed", "number"), ("", "", ".1%", ".2f"))
    assert shown[0].data.splitlines()[1:] == [
        "|---:|---|---:|---:|",
        "| 1 | **2** | – | 4.00 |",
        "| 10 | x | 50.0% | 5.00 |",
    ]


def test_one_format_leaves_the_first_column_alone(shown):
    notebook.table([(300, 0.25), (0.1, -0.0)], ("n", "value"), "z.1f")
    assert shown[0].data.splitlines()[2:] == ["| 300 | 0.2 |", "| 0.1 | 0.0 |"]


def test_estimates_and_intervals_format_themselves(shown):
    cells = distributions.Estimate(0.5, 0.012), verdicts.Interval(2.0, 1.5, 2.5)
    notebook.table({"x": cells}, ("", "by draws", "over seeds"), ".2f")
    assert shown[0].data.endswith("| x | 0.50 ± 0.01 | 2.00 (1.50 to 2.50) |")


def test_a_note_goes_below_a_table(shown):
    notebook.table([("a", "b")], ("one", "two"), note="Means over {5} seeds.")
    assert shown[0].data == "| one | two |\n|---|---|\n| a | b |\n\nMeans over {5} seeds."
    assert len(shown) == 1


def test_a_bar_in_a_cell_or_head_makes_no_column(shown):
    notebook.table({"p(x|z)": ["a|b"]}, ("", "q(z|x)"))
    assert shown[0].data == "| | q(z\\|x) |\n|---|---|\n| p(x\\|z) | a\\|b |"


@pytest.mark.parametrize(
    ("rows", "form", "message"),
    [
        ({"a": (1, 2)}, "", r"2 columns .* 3 cells in the row \('a', 1, 2\)"),
        ([("a", 1), ("b",)], "", r"2 columns .* 1 cells in the row \('b',\)"),
        ({"a": [1]}, (".1f",), "2 columns .* 1 formats"),
        ({"a": [1]}, ("", ".1f", ".2f"), "2 columns .* 3 formats"),
    ],
)
def test_a_table_with_a_cell_or_format_too_many_or_too_few_is_refused(rows, form, message, shown):
    with pytest.raises(ValueError, match=message):
        notebook.table(rows, ("", "n"), form)
    assert shown == []


# Data


def test_the_data_are_told_with_counts(shown, mnist):
    notebook.describe_data(data.load_mnist())
    assert shown[0].data.endswith("60,000 training and 10,000 test images of 28 × 28 pixels.")


def test_a_stand_in_is_told_for_one(shown):
    notebook.describe_data(data.load_stand_in())
    assert shown[0].data.startswith("> **Careful.** MNIST could not be had")
    assert "stand-in" in shown[0].data
    assert "1,500 training and 297 test images" in shown[0].data


# Figures


def test_the_helpers_need_no_torch():
    code = "import sys; sys.modules['torch'] = None; from gencomp_utils import figures, notebook"
    run([sys.executable, "-c", code], ROOT)


def test_a_figure_has_alt_text(shown):
    notebook.show(draw(), alt='A line from "0" to 1 < 2.')
    (figure,) = shown
    assert 'alt="A line from &quot;0&quot; to 1 &lt; 2."' in figure.data
    assert 'width="288"' in figure.data, "three inches of 96 pixels"


@pytest.mark.parametrize("words", [{}, {"alt": ""}, {"alt": " "}])
def test_a_figure_without_words_is_refused(words, shown):
    with pytest.raises(ValueError, match="alt is empty"):
        notebook.show(draw(), **words)
    assert shown == []


def test_a_figure_that_is_described_brings_its_words(shown):
    notebook.show(figures.described(draw(), "A line."))
    (figure,) = shown
    assert 'alt="A line."' in figure.data
    notebook.player(lambda end: figures.described(draw(end), f"To {end}."), [0, 1], label="End")
    assert frames_of(shown[1])["alts"] == ["To 0.", "To 1."]


# The frame player


def frames_of(player: HTML) -> dict[str, list[str]]:
    return json.loads(re.search(r"const data = (\{.*\});\n", player.data)[1])


def test_a_player_has_a_frame_with_its_own_words_for_each_value(shown):
    notebook.player(
        draw,
        [0.0, 0.5, 1.0],
        label="Slope",
        alt=lambda value: f"A line to {value}.",
        text=lambda value: f"{value:.1f}",
        start=1,
    )
    data = frames_of(shown[0])
    assert data["alts"] == ["A line to 0.0.", "A line to 0.5.", "A line to 1.0."]
    assert data["texts"] == ["0.0", "0.5", "1.0"]
    assert len(set(data["frames"])) == 3
    assert 'alt="A line to 0.5."' in shown[0].data
    assert 'value="1"' in shown[0].data
    assert 'aria-valuetext="0.5"' in shown[0].data
    assert ">0.5</output>" in shown[0].data


def test_frames_are_small_pictures_of_one_size(shown):
    notebook.player(draw, [0.0, 1.0], label="Slope", alt="A line.")
    pictures = [image_of("base64," + frame) for frame in frames_of(shown[0])["frames"]]
    assert pictures[0].size == pictures[1].size
    assert all(picture.mode == "P" for picture in pictures)
    assert all(len(picture.getcolors()) <= 64 for picture in pictures)


def test_a_player_asks_for_nothing_from_outside(shown):
    notebook.player(draw, [0.0, 1.0], label="Slope", alt="A line.")
    assert "http" not in shown[0].data


def test_words_cannot_end_the_players_script(shown):
    notebook.player(draw, [0, 1], label="</script>", alt="</script>")
    assert shown[0].data.count("</script>") == 1


def test_two_players_on_a_page_have_ids_of_their_own(shown):
    for label in ("Slope", "Angle"):
        alt = f"A line for {label}."
        notebook.player(draw, [0.0, 1.0], label=label, alt=alt)
    ids = [re.search(r'id="(player-\w+)"', player.data)[1] for player in shown]
    assert ids[0] != ids[1]


def test_equal_players_on_a_page_have_ids_of_their_own(shown):
    for _ in range(3):
        notebook.player(draw, [0.0, 1.0], label="Slope", alt="A line.")
    pages = [player.data for player in shown]
    ids = [re.search(r'id="(player-\w+)"', page)[1] for page in pages]
    assert len(set(ids)) == 3
    rest = {page.replace(name, "id") for page, name in zip(pages, ids, strict=True)}
    assert len(rest) == 1, "more than the id depends on what was shown before"
    assert all(f'getElementById("{name}")' in page for page, name in zip(pages, ids, strict=True))


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
    arguments = {"values": [0, 1], "label": "Slope", "alt": "A line."}
    arguments |= change
    with pytest.raises(ValueError, match=message):
        notebook.player(draw, arguments.pop("values"), **arguments)


# In a browser


@pytest.fixture
def tab(browser, shown):
    """A page with two equal players."""
    for _ in range(2):
        notebook.player(draw, [0.0, 0.5, 1.0], label="Slope", alt="A line to {}.".format)
    tab = browser.new_page()
    tab.clock.install(time=0)
    tab.set_content("".join(output.data for output in shown))
    tab.clock.pause_at(3600)  # time goes on only where a test says so
    yield tab
    tab.close()


@pytest.mark.slow
def test_of_two_equal_players_the_one_that_is_played_moves(tab):
    first, second = tab.locator(".gencomp-player").all()
    second.get_by_role("button", name="Play").click()
    tab.clock.run_for(350)
    assert second.locator("output").text_content() == "0.5"
    assert first.locator("output").text_content() == "0.0"


@pytest.mark.slow
def test_a_player_is_silent_while_it_plays(tab, shown):
    player = tab.locator(".gencomp-player").first
    output, slider = player.locator("output"), player.get_by_role("slider", name="Slope")

    def live_at(milliseconds):
        tab.clock.run_for(milliseconds)
        return output.text_content(), output.get_attribute("aria-live")

    assert live_at(1000) == ("0.0", "polite")
    player.get_by_role("button", name="Play").click()
    assert live_at(350) == ("0.5", "off")
    player.get_by_role("button", name="Pause").click()
    assert live_at(1000) == ("0.5", "polite")
    player.get_by_role("button", name="Play").click()
    assert live_at(350) == ("1.0", "off")
    assert live_at(350) == ("1.0", "polite"), "it speaks again at the end"
    player.get_by_role("button", name="Play").click()
    assert live_at(0) == ("0.0", "off"), "it plays from the start"
    slider.press("ArrowRight")
    assert live_at(1000) == ("0.5", "polite"), "a hand stops it"
    assert player.get_by_role("button").text_content() == "Play"
    assert slider.get_attribute("aria-valuetext") == "0.5"
    frames = frames_of(shown[0])["frames"]
    picture = player.locator("img")
    assert picture.get_attribute("src") == f"data:image/png;base64,{frames[1]}"
    assert picture.get_attribute("alt") == "A line to 0.5."
