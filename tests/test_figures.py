"""Plots that several chapters share look the same, and show what they were given."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from gencomp_utils import figures

# Images


def test_images_fit_a_grid_or_are_refused():
    assert figures.tile(np.zeros((6, 28, 28)), 2, 3).shape == (56, 84)
    with pytest.raises(ValueError, match=r"shape \(5, 28, 28\).*\(6, height, width\)"):
        figures.tile(np.zeros((5, 28, 28)), 2, 3)


def test_images_are_laid_out_row_by_row():
    numbered = np.arange(6).reshape(6, 1, 1) * np.ones((1, 2, 2))
    assert figures.tile(numbered, 2, 3)[::2, ::2].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("form", [np.uint8, np.int64, torch.tensor])
def test_bytes_are_drawn_with_their_greys(form):
    bytes_ = np.array([[[0, 51], [102, 255]]], dtype=np.uint8)
    images = form(bytes_)
    assert figures.tile(images, 1, 1).tolist() == [[0, 0.2], [0.4, 1]]
    _, ax = figures.new()
    figures.show_images(ax, images, 1, 1)
    assert ax.get_images()[0].get_array().tolist() == [[0, 0.2], [0.4, 1]]


def test_numbers_in_the_unit_interval_are_drawn_as_they_are():
    images = np.array([[[0, 0.5], [0.25, 1]]])
    assert figures.tile(images, 1, 1).tolist() == images[0].tolist()
    assert figures.tile(images > 0.3, 1, 1).tolist() == [[False, True], [False, True]]


def test_images_are_dark_ink_on_white_paper_without_a_frame():
    _, ax = figures.new()
    figures.show_images(ax, np.zeros((2, 3, 4)), rows=1, columns=2)
    (image,) = ax.get_images()
    assert image.get_clim() == (0, 1)
    assert image.to_rgba([[0.0, 1.0]])[0, :, :3].tolist() == [[1, 1, 1], [0, 0, 0]]
    assert_bare(ax)


def assert_bare(ax):
    assert len(ax.get_xticks()) == len(ax.get_yticks()) == 0
    assert not any(spine.get_visible() for spine in ax.spines.values())


def test_a_bare_axes_has_neither_ticks_nor_spines():
    _, ax = figures.new()
    ax.plot([0, 1])
    figures.bare(ax)
    assert_bare(ax)


def test_each_entry_is_a_labelled_row_of_images():
    floats = np.full((3, 4, 2), 0.2)
    rows = {"bytes": np.full((3, 4, 2), 51, np.uint8), "tensor": torch.tensor(floats)}
    fig = figures.image_rows({**rows, "coins": floats > 1})
    (ax,) = fig.axes
    shown = ax.get_images()[0].get_array()
    assert shown.shape == (12, 6)
    assert np.allclose(shown[:8], 0.2)
    assert (shown[8:] == 0).all()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["bytes", "tensor", "coins"]
    assert ax.get_yticks().tolist() == [2, 6, 10]
    assert {tick.tick1line.get_markersize() for tick in ax.yaxis.get_major_ticks()} == {0}
    assert len(ax.get_xticks()) == 0


def test_a_figure_of_rows_is_as_large_as_asked_or_as_they_need():
    rows = {"image": np.zeros((8, 28, 28)), "decoded": np.zeros((8, 28, 28))}
    assert figures.image_rows(rows, height=2.5, width=5).get_size_inches().tolist() == [5, 2.5]
    fig = figures.image_rows(rows)
    fig.draw_without_rendering()
    box = fig.axes[0].get_position()
    width, height = box.width * fig.get_figwidth(), box.height * fig.get_figheight()
    assert width / height == pytest.approx(4, rel=1e-3)
    assert fig.get_figwidth() == 6.4
    assert 5 < width < 6.2
    assert fig.get_figheight() - height < 0.3, "no broad strip of paper is left"


@pytest.mark.parametrize("height", [None, 1.2, 2.6, 4.0])
@pytest.mark.parametrize("label", ["a", "encoder's code", "the same with batch normalisation"])
def test_labels_of_rows_are_not_cut_off(label, height):
    fig = figures.image_rows(dict.fromkeys(["image", label], np.zeros((8, 28, 28))), height)
    fig.draw_without_rendering()
    (ax,) = fig.axes
    for text in ax.get_yticklabels():
        assert text.get_window_extent().x0 >= 0, text.get_text()
    assert ax.get_window_extent().x1 <= fig.bbox.x1


@pytest.mark.parametrize(
    "rows",
    [
        {},
        {"a": np.zeros((2, 28, 28)), "b": np.zeros((3, 28, 28))},
        {"a": np.zeros((28, 28))},
        {"a": np.zeros((2, 1, 28, 28))},
    ],
)
def test_rows_that_do_not_fit_together_are_refused(rows):
    listed = "|".join(rf"'{label}': \({images.shape[0]}, " for label, images in rows.items())
    with pytest.raises(ValueError, match=rf"one shape \(n, height, width\), but are .*({listed})"):
        figures.image_rows(rows)


# Curves and lines


class Noted:
    """Stands in for a run."""

    def __init__(self, **noted):
        self.noted = noted

    def by_epoch(self, key):
        return np.array(self.noted[key])


def drawn(ax):
    """Label, epochs and values of each line."""
    return [
        (line.get_label(), line.get_xdata().tolist(), list(line.get_ydata())) for line in ax.lines
    ]


def test_curves_begin_at_epoch_one_and_are_labelled():
    _, ax = figures.new()
    runs = {"own": Noted(loss=[3, 2, 1], kl=[0, 0, 0]), "recorded": Noted(loss=[5, 4])}
    figures.curves(ax, runs, "loss")
    assert drawn(ax) == [("own", [1, 2, 3], [3, 2, 1]), ("recorded", [1, 2], [5, 4])]
    assert ax.get_xlabel() == "epoch"
    assert [line.get_color() for line in ax.lines] == [figures.BLUE, figures.ORANGE]


@pytest.mark.parametrize(
    "values",
    [
        [3.0, 2.0],
        (3.0, 2.0),
        np.array([3.0, 2.0]),
        torch.tensor([3.0, 2.0]),
        Noted(loss=[3.0, 2.0]),
    ],
)
def test_a_curve_needs_no_label_and_no_run(values):
    _, ax = figures.new()
    figures.curves(ax, values, "loss")
    ((label, epochs, shown),) = drawn(ax)
    assert (epochs, shown) == ([1, 2], [3, 2])
    assert label == "" or label.startswith("_")


@pytest.mark.parametrize(
    "several",
    [
        [Noted(loss=[3, 2]), Noted(loss=[4, 1])],
        (Noted(loss=[3, 2]), [4, 1]),
        np.array([[3, 2], [4, 1]]),
        [[3, 2], np.array([4, 1])],
    ],
)
def test_curves_of_one_label_share_a_colour_and_one_entry_of_the_legend(several):
    _, ax = figures.new()
    figures.curves(ax, {"seeds": several, "other": [0, 0]}, "loss")
    assert [curve[2] for curve in drawn(ax)] == [[3, 2], [4, 1], [0, 0]]
    colours = [line.get_color() for line in ax.lines]
    assert colours == [figures.BLUE, figures.BLUE, figures.ORANGE]
    assert ax.get_legend_handles_labels()[1] == ["seeds", "other"]


def test_curves_of_several_lengths_begin_later_where_asked():
    _, ax = figures.new()
    figures.curves(ax, [Noted(loss=[9, 8, 7, 6]), Noted(loss=[9, 5, 4])], "loss", start=3)
    assert [curve[1:] for curve in drawn(ax)] == [([3, 4], [7, 6]), ([3], [4])]


def test_no_runs_are_no_curves():
    _, ax = figures.new()
    figures.curves(ax, [], "loss")
    figures.curves(ax, {"others": []}, "loss")
    assert len(ax.lines) == 0


@pytest.mark.parametrize(("sharex", "labels"), [(True, ["", "epoch"]), (False, ["epoch"] * 2)])
def test_of_axes_that_share_their_epochs_the_lowest_says_so(sharex, labels):
    _, axes = figures.new(rows=2, sharex=sharex)
    for ax in axes:
        figures.curves(ax, [1, 2])
    assert [ax.get_xlabel() for ax in axes] == labels


def test_the_style_of_curves_can_be_changed():
    _, ax = figures.new()
    figures.curves(ax, [1, 2])
    figures.curves(ax, [[1, 2], [3, 4]], color=figures.SKY, marker="", linewidth=1)
    usual, *thin = ax.lines
    assert usual.get_marker() == "."
    assert {(line.get_color(), line.get_marker(), line.get_linewidth()) for line in thin} == {
        (figures.SKY, "", 1)
    }


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 20])
def test_ticks_stand_at_whole_epochs(epochs):
    _, ax = figures.new(width=6.4)
    figures.curves(ax, {"loss": np.arange(epochs)})
    ticks = ax.get_xticks()
    assert (ticks == np.round(ticks)).all()
    low, high = ax.get_xlim()
    assert any(low <= tick <= high for tick in ticks)


def test_a_level_is_a_dotted_grey_line_from_end_to_end_with_its_label():
    _, ax = figures.new()
    ax.plot([0, 10], [0, 1])
    figures.level(ax, 0.5, "half")
    line, text = ax.lines[1], ax.texts[0]
    assert line.get_xdata() == [0, 1]  # of the axes
    assert line.get_ydata() == [0.5, 0.5]
    assert (line.get_color(), line.get_linestyle(), line.get_linewidth()) == (figures.GREY, ":", 1)
    assert (text.get_text(), text.get_color(), text.xy) == ("half", figures.GREY, (0, 0.5))
    assert ax.get_xlim() == (-0.5, 10.5), "the label doesn't move the axes"


def test_a_level_may_be_upright_and_of_another_style():
    _, ax = figures.new()
    figures.level(ax, 3, "λ", vertical=True, at=0.4, color=figures.BLUE, linestyle="--")
    (line,), (text,) = ax.lines, ax.texts
    assert (line.get_xdata(), line.get_ydata()) == ([3, 3], [0, 1])
    assert (line.get_color(), line.get_linestyle()) == (figures.BLUE, "--")
    assert (text.xy, text.get_color()) == ((3, 0.4), figures.BLUE)


@pytest.mark.parametrize("vertical", [False, True])
def test_the_label_of_a_level_begins_beside_its_line(vertical):
    fig, ax = figures.new()
    ax.set(xlim=(0, 2), ylim=(0, 2))
    figures.level(ax, 0.5, "here", vertical=vertical, at=0.75)
    fig.draw_without_rendering()
    box = ax.texts[0].get_window_extent()
    line = ax.transData.transform((0.5, 1.5) if vertical else (1.5, 0.5))
    points = (np.array([box.x0, box.y0]) - line) * 72 / fig.dpi
    assert np.abs(points - (3, 2)).max() < 1


def test_the_label_of_a_level_out_of_sight_is_out_of_sight():
    fig, ax = figures.new()
    FigureCanvasAgg(fig)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    figures.level(ax, 1.5, "far away")
    fig.canvas.draw()
    before = np.asarray(fig.canvas.buffer_rgba()).copy()
    ax.texts[0].remove()
    fig.canvas.draw()
    assert (np.asarray(fig.canvas.buffer_rgba()) == before).all()
