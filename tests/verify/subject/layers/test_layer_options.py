import textwrap

import pytest

from verify.__main__ import main
from verify.subject.layers.layer_options import layer_from_options, options_in_text, options_name_layer

GIVEN = {
    "reference": "relu",
    "seed": 3,
    "forward_function": None,
    "dtypes": "float64",
    "regimes": None,
    "hidden": None,
}

FILE = """
import numpy as np

def forward(x):
    return np.maximum(x, 0), x > 0

def backward(dout, mask):
    return dout * mask

def wrong(dout, mask):
    return dout * 2.001
"""


@pytest.fixture
def layers(tmp_path):
    path = tmp_path / "my_layers.py"
    path.write_text(FILE)
    return path


def test_a_name_without_a_colon_is_a_layers():
    assert options_name_layer("relu")
    assert not options_name_layer("my_net.py:loss")
    assert not options_name_layer(None)


def test_the_command_judges_a_layer(layers, capsys):
    shared = ["--reference", "relu", "--forward-function", f"{layers}:forward", "--cases", "20"]
    assert main(["check", f"{layers}:backward", *shared]) == 0
    assert "VERIFIED: backward as the gradient of relu" in capsys.readouterr().out
    assert main(["check", f"{layers}:wrong", *shared]) == 1
    out = capsys.readouterr().out
    assert f'wrong = load_object("{layers}:wrong")' in out
    assert out.count("import load_object") == 1
    lines = out.partition("reproduce:")[2].partition("\n\n")[0]
    exec(textwrap.dedent(lines), {})  # it says what it is to import
    assert "wrong" in capsys.readouterr().out


def test_the_command_ends_a_layers_run_once_its_seconds_are_spent(layers, capsys):
    shared = ["--reference", "relu", "--forward-function", f"{layers}:forward"]
    assert main(["check", f"{layers}:backward", *shared, "--seconds", "1e-9"]) == 1
    assert "1000 of 1000 cases: the time was up" in capsys.readouterr().out
    assert main(["check", f"{layers}:backward", *shared, "--seconds", "0"]) == 2
    assert "seconds must be a positive number" in capsys.readouterr().err


def test_an_unknown_name_cannot_be_used(layers, capsys):
    assert main(["check", f"{layers}:backward", "--reference", "rellu"]) == 2
    assert "did you mean 'relu'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "where", "said"),
    [
        ({"hidden": "relu"}, "my.py:f", "--hidden is for networks"),
        ({"dtypes": "float16"}, "my.py:f", "--dtypes takes names from"),
        ({"options": "stride"}, "my.py:f", "--options takes NAME=VALUE"),
        ({"options": "stride=1,,2"}, "my.py:f", "--options takes NAME=VALUE"),
        ({}, None, "TARGET must be named"),
    ],
)
def test_options_that_cannot_be_used_are_refused(given, where, said):
    with pytest.raises(ValueError, match=said):
        layer_from_options(where, GIVEN | given)


def test_options_are_numbers_truths_or_text():
    found = options_in_text("stride=1,2 mode=train eps=1e-5 causal=True")
    assert found == {"stride": (1, 2), "mode": ("train",), "eps": (1e-5,), "causal": (True,)}


LOSS = """
import numpy as np

def svm_loss(x, y):
    rows, n = np.arange(len(x)), x.dtype.type(len(x))
    margins = np.maximum(0, x - x[rows, y][:, np.newaxis] + 1)
    margins[rows, y] = 0
    dx = (margins > 0).astype(x.dtype)
    dx[rows, y] -= dx.sum(axis=1)
    return margins.sum() / n, dx / n
"""


def test_a_drawn_option_that_is_not_taken_must_be_said(tmp_path, capsys):
    path = tmp_path / "losses.py"
    path.write_text(LOSS)
    assert main(["check", f"{path}:svm_loss", "--reference", "hinge"]) == 2
    assert "svm_loss has no parameter for the option margin" in capsys.readouterr().err
    said = ["--options", "margin=1.0", "--cases", "20"]
    assert main(["check", f"{path}:svm_loss", "--reference", "hinge", *said]) == 0


def test_options_are_for_layers(layers, capsys):
    assert main(["check", f"{layers}:backward", "--options", "margin=1.0"]) == 2
    assert "--options is for layers" in capsys.readouterr().err
