"""A network and a training run as HTML, for notebooks."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlp_ref.history import History
    from mlp_ref.network import MLP

__all__ = ["history_html", "network_html"]

_CELL = "padding: 2px 12px 2px 0; text-align: left"  # some notebooks set cells without any room between them


def network_html(net: MLP) -> str:
    """Return a table of the layers."""
    rows = [
        (
            str(i),
            str(len(layer.weight)),
            str(len(layer.bias)),
            f"{layer.weight.size + layer.bias.size:,}",
            activation,
        )
        for i, (layer, activation) in enumerate(zip(net.params, _activations(net), strict=True), start=1)
    ]
    block = ElementTree.Element("div")
    heading = f"MLP: {net.loss} loss, {net.dtype}, {net.flat.size:,} parameters"
    ElementTree.SubElement(block, "p").text = heading
    block.append(_table(("layer", "inputs", "outputs", "parameters", "activation"), rows))
    return ElementTree.tostring(block, encoding="unicode", method="html")


def _activations(net: MLP) -> list[str]:
    last = "identity" if net.loss == "mse" else "softmax"
    return [net.hidden] * (len(net.layer_sizes) - 2) + [last]


def history_html(history: History) -> str | None:
    """Return the curves, where matplotlib is installed, and the last epoch's figures; None without any epoch."""
    if not history.loss:
        return None
    block = ElementTree.Element("div")
    ElementTree.SubElement(block, "p").text = f"{len(history.loss)} epochs. {history.last_epoch()}"
    try:
        from mlp_ref.plots import training

        figure = training(history)
    except ImportError:
        return ElementTree.tostring(block, encoding="unicode", method="html")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg")
    source = "data:image/svg+xml;base64," + base64.b64encode(drawn.getvalue()).decode("ascii")
    words = "Loss and accuracy over the epochs"
    ElementTree.SubElement(block, "img", {"src": source, "alt": words, "style": "max-width: 100%"})
    return ElementTree.tostring(block, encoding="unicode", method="html")


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> ElementTree.Element[str]:
    table = ElementTree.Element("table")
    head = ElementTree.SubElement(ElementTree.SubElement(table, "thead"), "tr")
    for text in heads:
        ElementTree.SubElement(head, "th", {"scope": "col", "style": _CELL}).text = text
    body = ElementTree.SubElement(table, "tbody")
    for row in rows:
        line = ElementTree.SubElement(body, "tr")
        for text in row:
            ElementTree.SubElement(line, "td", {"style": _CELL}).text = text
    return table
