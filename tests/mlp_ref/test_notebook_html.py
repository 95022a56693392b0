"""HTML that a notebook shows of a network and of a training run."""

import base64
import sys
from xml.etree import ElementTree

import pytest

from mlp_ref import MLP
from mlp_ref.history import History


def test_a_network_is_a_table_of_its_layers():
    tree = ElementTree.fromstring(MLP([4, 3, 2], hidden="tanh", seed=0)._repr_html_())
    assert tree.find("p").text == "MLP: cross_entropy loss, float32, 23 parameters"
    rows = [[cell.text for cell in row] for row in tree.iter("tr")]
    assert rows == [
        ["layer", "inputs", "outputs", "parameters", "activation"],
        ["1", "4", "3", "15", "tanh"],
        ["2", "3", "2", "8", "softmax"],
    ]
    assert "identity" in MLP([4, 2], loss="mse", seed=0)._repr_html_()


def test_a_history_is_its_curves():
    pytest.importorskip("matplotlib", reason="curves need matplotlib")
    text = History([3.0, 2.0], [0.5, 0.6])._repr_html_()
    assert "2 epochs. Loss: 2.0000, Accuracy: 60.00%" in text
    source = text.partition("base64,")[2].partition('"')[0]
    assert b"<svg" in base64.b64decode(source)
    assert 'alt="Loss and accuracy over the epochs"' in text


def test_a_history_without_matplotlib_is_its_last_epoch(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = History([3.0, 2.0])._repr_html_()
    assert text == "<div><p>2 epochs. Loss: 2.0000</p></div>"


def test_a_history_without_an_epoch_shows_text():
    assert History()._repr_html_() is None
