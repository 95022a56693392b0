"""The notebook's own mistakes, all in one network: one run names every one of them."""

import importlib.util
from pathlib import Path

import verify


def notebook():
    path = Path(__file__).parents[2] / "notebook_network.py"
    spec = importlib.util.spec_from_file_location("notebook_network", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.gradient


def test_all_three_mistakes_are_named_by_one_run():
    spec = verify.Spec(output="softmax", loss="squared_error", reduction="mean_all")
    report = verify.check(notebook(), spec, cases=50, xla=0, certified=0)
    assert report.verdict == "wrong"
    (named,) = [finding for finding in report.findings if finding.mistakes]
    assert set(named.mistakes) == {"softmax_diagonal", "mean_over_batch_alone", "bias_not_summed"}
    text = str(report)
    assert "yours  dz = dp * p * (1 - p)" in text
    assert "right  dz = p * (dp - sum_k dp_k p_k)" in text
    assert "yours  dz / batch" in text
    assert "yours  dbias = dz" in text
