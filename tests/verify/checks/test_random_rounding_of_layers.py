import numpy as np
import pytest

import verify
from tests.verify.reference.layers.right import RIGHT
from verify.checks.random_rounding import RandomRounding, examine_with_random_rounding
from verify.evaluate.rounding import evaluation
from verify.subject.failed import Failed
from verify.subject.layers.load import as_layer_target, as_reference

# The worst case allows this case's gradient nearly anything: exp of thousands.
VAGUE = verify.LayerCase(
    sizes=(("n", 3), ("l", 3), ("d", 4), ("s", 2), ("e", 1)),
    dtype="float32",
    regime="extreme",
    seed=13605606,
)


def off(dout, q, k, v, *, dtype_of_error=None):
    """The right gradient but for one entry; in one dtype alone, where that is said."""
    gradient = [tensor.copy() for tensor in RIGHT["attention"](dout, q, k, v)]
    if dtype_of_error in (None, str(dout.dtype)):
        for tensor in gradient:
            tensor.flat[0] += tensor.dtype.type(3e-4) * abs(tensor).max()
    return gradient


def examined(backward, tier=None):
    reference = as_reference("attention")
    target = as_layer_target(backward, None, reference)
    return examine_with_random_rounding(tier, target, reference, VAGUE)


def test_what_the_worst_case_allows_random_rounding_does_not():
    def backward(dout, q, k, v):
        return off(dout, q, k, v)

    assert examined(backward).verdict == "inconclusive"
    with pytest.raises(Failed) as raised:
        examined(backward, RandomRounding())
    assert (raised.value.check, raised.value.verdict) == ("rounding", "wrong")
    assert "stays as it is at a higher precision" in raised.value.detail


def test_what_shrinks_at_a_higher_precision_is_rounding():
    def backward(dout, q, k, v):
        return off(dout, q, k, v, dtype_of_error="float32")

    assert examined(backward, RandomRounding()).banded.verdict == "rounding"


def test_what_cannot_be_called_at_a_higher_precision_is_not_called_wrong_by_the_model():
    def backward(dout, q, k, v):
        if dout.dtype != np.float32:
            raise TypeError("float32 alone")
        return off(dout, q, k, v)

    with pytest.raises(Failed) as raised:
        examined(backward, RandomRounding())
    assert (raised.value.check, raised.value.verdict) == ("rounding", "inconclusive")


def test_a_right_gradient_lies_within_its_band():
    judgement = examined(RIGHT["attention"], RandomRounding())
    assert judgement.banded.verdict == "within"
    assert [len(judgement.banded.widths), judgement.banded.sigmas < judgement.banded.quantile] == [3, True]


def test_a_rule_that_the_model_lacks_is_said(monkeypatch):
    monkeypatch.delitem(evaluation.PASSING, "exp")
    judgement = examined(RIGHT["attention"], RandomRounding())
    assert judgement.banded is None
    said = judgement.left
    assert said.startswith("random rounding: the gradient of this loss uses exp")
    report = verify.check_backward(
        RIGHT["attention"], reference="attention", dtypes=("float32",), regimes=("extreme",), cases=10
    )
    assert f"left undone      {said}" in str(report)


def test_a_report_tells_of_the_second_tier():
    report = verify.check_backward(
        RIGHT["attention"], reference="attention", dtypes=("float32",), regimes=("extreme",), cases=20
    )
    assert report.ok or report.verdict == "inconclusive", str(report)
    assert report.random_rounding.cases > 0
    assert set(report.random_rounding.bands["float32"]) == {"dq", "dk", "dv"}
    assert (
        verify.check_backward(
            RIGHT["attention"], reference="attention", cases=10, false_alarm=0, xla=0, certified=0
        ).random_rounding
        is None
    )
