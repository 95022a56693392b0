"""The pictures of the documentation: what is drawn is so, and the pages show what the script writes."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import verify

pytest.importorskip("matplotlib", reason="the pictures are figures of matplotlib")

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def pictures():
    spec = importlib.util.spec_from_file_location("pictures", DOCS / "pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_error_lies_within_the_bound_on_its_way(pictures):
    (axis,) = pictures.bound_on_its_way(verify.Case((5, 4, 3), 6)).axes
    bound, error = axis.get_lines()[:2]
    assert bound.get_label().startswith("bound")
    assert error.get_label().startswith("error")
    assert len(error.get_xdata()) > 10
    bounds = dict(zip(bound.get_xdata(), bound.get_ydata(), strict=True))
    assert all(0 < y <= bounds[x] for x, y in zip(error.get_xdata(), error.get_ydata(), strict=True))
    assert np.isfinite(bound.get_ydata()).all()
    assert [text.get_text() for text in axis.texts] == [
        "z1 = a0 W1",
        "z2 = a1 W2",
        "dW2",
        "da1 = dz2 W2ᵀ",
        "dW1",
    ]


def test_the_page_shows_every_picture_that_the_script_writes():
    shown = set(re.findall(r"\(pictures/(\S+\.png)\)", (DOCS / "pictures.md").read_text(encoding="utf-8")))
    assert shown == {path.name for path in (DOCS / "pictures").iterdir()}
