"""Figures: everything that was given is in them, and a label at every axis."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlp_ref import MLP, datasets
from mlp_ref.history import History

pytest.importorskip("matplotlib", reason="figures need matplotlib")

from mlp_ref import plots

HISTORY = History([3.0, 2.0, 1.0], [0.5, 0.6, 0.7], [3.5, 2.5, 1.5], [0.4, 0.5, 0.6])


@pytest.fixture(scope="module")
def digits():
    return datasets.load_digits()[1]


@pytest.fixture(scope="module")
def net(digits):
    net = MLP([64, 5, 10], seed=0)
    net.fit(*digits, epochs=2, learning_rate=1.0)
    return net


def own_axes(rows, columns):
    from matplotlib.figure import Figure

    return list(np.ravel(Figure().subplots(rows, columns)))


def curves(axis):
    return {line.get_label(): list(line.get_ydata()) for line in axis.get_lines()}


class TestTraining:
    def test_draws_both_sets_over_the_epochs(self):
        loss, accuracy = HISTORY.plot().axes
        assert curves(loss) == {"training": [3.0, 2.0, 1.0], "validation": [3.5, 2.5, 1.5]}
        assert curves(accuracy)["training"] == pytest.approx([50, 60, 70])
        assert curves(accuracy)["validation"] == pytest.approx([40, 50, 60])
        assert list(loss.get_lines()[0].get_xdata()) == [1, 2, 3]
        assert [axis.get_xlabel() for axis in (loss, accuracy)] == ["epoch", "epoch"]
        assert [axis.get_ylabel() for axis in (loss, accuracy)] == ["mean loss of a row", "accuracy in %"]

    def test_draws_into_axes_of_the_caller(self):
        axes = own_axes(1, 2)
        assert HISTORY.plot(axes) is axes[0].figure
        assert curves(axes[0])["training"] == [3.0, 2.0, 1.0]

    def test_without_accuracy_one_panel_is_enough(self):
        (axis,) = History([3.0, 2.0]).plot().axes
        assert curves(axis) == {"training": [3.0, 2.0]}

    def test_marks_the_best_epoch(self):
        lines = curves(History([3.0, 2.0], best_epoch=2).plot().axes[0])
        assert "best epoch, 2" in lines

    def test_no_epoch_and_too_few_axes_are_refused(self):
        with pytest.raises(ValueError, match="history must have at least one epoch to be drawn, got none"):
            History().plot()
        with pytest.raises(ValueError, match="axes must be 2, for the loss and the accuracy, got 1"):
            HISTORY.plot(own_axes(1, 1))

    def test_the_figure_is_not_left_open(self):
        from matplotlib import pyplot

        HISTORY.plot()
        assert pyplot.get_fignums() == []


class TestConfusion:
    def test_counts_answers_by_true_class(self):
        figure = plots.confusion(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2]), classes=3)
        axis = figure.axes[0]
        texts = {tuple(map(int, text.get_position())): text.get_text() for text in axis.texts}
        assert texts == {(0, 0): "1", (1, 1): "1", (1, 2): "1", (2, 2): "1"}
        assert (axis.get_xlabel(), axis.get_ylabel()) == ("answer", "true class")
        np.testing.assert_allclose(np.diag(axis.images[0].get_array()), [100, 100, 50])


class TestMistakes:
    def test_the_most_confident_ones_come_first(self, net, digits):
        x, y = digits
        axes = own_axes(3, 4)
        plots.mistakes(net, x, y, axes)
        shown = [axis for axis in axes if axis.images]
        probabilities = [float(axis.get_title().split(", ")[1]) for axis in shown]
        assert len(shown) > 3
        assert probabilities == sorted(probabilities, reverse=True)
        answers = net.predict(x)
        p = net.predict_proba(x)
        assert probabilities[0] == round(float(p.max(axis=1)[answers != y].max()), 2)
        first = int(np.argmax(np.where(answers != y, p.max(axis=1), 0)))
        assert shown[0].get_title().startswith(f"{answers[first]} for {y[first]}, ")
        np.testing.assert_array_equal(shown[0].images[0].get_array(), x[first].reshape(8, 8))

    def test_none_leaves_the_axes_empty(self, net, digits):
        x, _ = digits
        axes = own_axes(1, 2)
        plots.mistakes(net, x, net.predict(x), axes)
        assert not any(axis.images for axis in axes)

    def test_rows_that_are_no_square_are_refused(self):
        net = MLP([6, 2], seed=0)
        with pytest.raises(ValueError, match="images must be square to be drawn, got rows of 6 pixels"):
            plots.mistakes(net, np.zeros((1, 6), np.float32), np.array([0]), own_axes(1, 1))


class TestWeights:
    def test_each_unit_is_an_image_with_the_same_colours(self, net):
        axes = own_axes(2, 4)
        plots.weights(net, axes)
        assert [bool(axis.images) for axis in axes] == [True] * 5 + [False] * 3
        weight = net.params[0].weight
        np.testing.assert_array_equal(axes[3].images[0].get_array(), weight[:, 3].reshape(8, 8))
        limits = {axis.images[0].get_clim() for axis in axes[:5]}
        assert limits == {(-float(abs(weight).max()), float(abs(weight).max()))}


class TestEvaluation:
    @pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
    def test_draws_all_three(self, digits, loss):
        figure = plots.evaluation(MLP([64, 20, 10], loss=loss, seed=0), *digits)
        headings = [part.get_suptitle() for part in figure.subfigs]
        assert headings[0] == "Answers"
        assert headings[1].endswith("output" if loss == "mse" else "probability")
        assert headings[2].startswith("First layer, 16 of 20 units")


def test_a_file_that_cannot_be_drawn_is_refused():
    plots.require_plot_file(Path("a.png"))
    plots.require_plot_file(Path("a.SVG"))
    with pytest.raises(ValueError, match=r"must end in one of \.avif.*, got 'a.doc'"):
        plots.require_plot_file(Path("a.doc"))


def test_without_matplotlib_the_error_says_what_to_install():
    program = "import sys; sys.modules['matplotlib'] = None; from mlp_ref.history import History; History([1.0]).plot()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "figures need matplotlib: pip install matplotlib" in done.stderr


def test_importing_the_module_leaves_matplotlib_alone():
    program = "import sys, mlp_ref.plots; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
