"""The tour runs from its first cell to its last, and each mistake in it is caught and named."""

from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient", reason="the tour is run by nbclient")
pytest.importorskip("ipykernel", reason="the tour is run by ipykernel")
for package in ("jinja2", "matplotlib"):
    pytest.importorskip(package, reason="the tour shows reports and figures")
nbformat = pytest.importorskip("nbformat", reason="the tour is read by nbformat")

TOUR = Path(__file__).parents[1] / "docs" / "tour.ipynb"


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """The text that each code cell showed, in the order of the cells."""
    notebook = nbformat.read(TOUR, as_version=4)
    folder = {"metadata": {"path": str(tmp_path_factory.mktemp("tour"))}}
    nbclient.NotebookClient(notebook, kernel_name="python3", resources=folder).execute()
    return [
        "".join(
            output.get("text") or output.get("data", {}).get("text/html") or str(output.get("data", {}))
            for output in cell.outputs
        )
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.filterwarnings("default")  # of Jupyter's own packages
def test_each_mistake_is_caught_and_named(outputs):
    shown = "\n".join(outputs)
    assert "20 epochs. Loss: " in shown
    assert "Every entry of every case lies within its bound" in shown
    assert "divided_twice" in shown
    assert "it is the right one times one factor: -1" in shown
    assert "softmax_diagonal" in shown
    assert "it accumulates" in shown
    assert shown.count("image/png") == 3


def test_the_file_holds_no_outputs():
    cells = nbformat.read(TOUR, as_version=4).cells
    assert not any(cell.get("outputs") for cell in cells)
