import pytest

from verify.__main__ import main
from verify.subject.layers.options import judged_layer, names_layer

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
    assert names_layer("relu")
    assert not names_layer("my_net.py:loss")
    assert not names_layer(None)


def test_the_command_judges_a_layer(layers, capsys):
    shared = ["--reference", "relu", "--forward-function", f"{layers}:forward", "--cases", "20"]
    assert main(["check", f"{layers}:backward", *shared]) == 0
    assert "VERIFIED: backward as the gradient of relu" in capsys.readouterr().out
    assert main(["check", f"{layers}:wrong", *shared]) == 1
    assert f'wrong = found_at("{layers}:wrong")' in capsys.readouterr().out


def test_an_unknown_name_cannot_be_used(layers, capsys):
    assert main(["check", f"{layers}:backward", "--reference", "rellu"]) == 2
    assert "did you mean 'relu'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "where", "said"),
    [
        ({"hidden": "relu"}, "my.py:f", "--hidden is for networks"),
        ({"dtypes": "float16"}, "my.py:f", "--dtypes takes names from"),
        ({}, None, "TARGET must be named"),
    ],
)
def test_options_that_cannot_be_used_are_refused(given, where, said):
    with pytest.raises(ValueError, match=said):
        judged_layer(where, GIVEN | given)
