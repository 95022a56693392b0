"""The score by family as a figure."""

import argparse

import pytest

pytest.importorskip("matplotlib", reason="figures need matplotlib")

from verify.commands.mistakes import plot
from verify.commands.mistakes.command import add_arguments, run


def row(name, family, caught=True, named=True):
    return {"mistakes": [name], "family": family, "caught": caught, "named": named, "equivalent": False}


RESULTS = {
    "singles": [
        row("bias_none", "bias gradient"),
        row("bias_sign", "bias gradient", named=False),
        row("bias_mean", "bias gradient", caught=False, named=False),
        row("bias_scaled", "bias gradient"),
        row("slope_sign", "slope"),
        {"mistakes": ["slope_twice"], "equivalent": True},
    ],
    "others": [
        {"mistake": "", "np.allclose": False},
        {"mistake": "bias_none", "np.allclose": True},
        {"mistake": "bias_sign", "np.allclose": False},
        {"mistake": "slope_sign", "np.allclose": True},
    ],
}


def test_each_family_has_a_bar_of_what_was_named_caught_and_missed():
    (axis,) = plot.plot_families(RESULTS).axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["bias gradient", "slope"]
    widths = {bars.get_label(): [bar.get_width() for bar in bars] for bars in axis.containers}
    assert widths == {
        "verify: caught and named": [50, 100],
        "verify: caught, not named": [25, 0],
        "verify: missed": [25, 0],
    }
    assert [text.get_text() for text in axis.texts] == ["3 of 4", "1 of 1"]
    (line,) = axis.get_lines()
    assert line.get_label() == "np.allclose"
    assert list(line.get_xdata()) == [50, 100]


def test_nothing_is_drawn_of_nothing():
    with pytest.raises(ValueError, match="no mistake was judged"):
        plot.plot_families({"singles": [{"mistakes": ["slope_twice"], "equivalent": True}]})


@pytest.mark.parametrize(
    ("file", "message"),
    [("score.bmp", "must end in one of"), ("nowhere/score.png", "must be a file in a folder that exists")],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path, capsys, file, message):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert run(parser.parse_args(["--only", "bias_none", "--plot", str(tmp_path / file)])) == 2
    assert message in capsys.readouterr().err


def test_the_command_writes_it(tmp_path, capsys):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    file = tmp_path / "score.svg"
    options = ["--only", "bias_none", "--configurations", "1", "--cases", "20", "--plot", str(file)]
    assert run(parser.parse_args(options)) == 0
    assert "bias gradient" in file.read_text(encoding="utf-8")
