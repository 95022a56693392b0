import numpy as np
import pytest
from hypothesis import given, settings

import verify
from mlp_ref import loss_and_gradient


def right(params, x, y):
    return loss_and_gradient(params, x, y)[1]


def test_a_right_gradient_passes():
    verify.assert_gradient(right, cases=20, xla=0, certified=0)


def test_a_wrong_gradient_fails_with_the_report():
    def doubled(params, x, y):
        return [(2 * weight, 2 * bias) for weight, bias in right(params, x, y)]

    with pytest.raises(AssertionError, match=r"^WRONG: doubled as the gradient of .*") as raised:
        verify.assert_gradient(doubled, cases=20, xla=0, certified=0)
    assert "every tensor is 2 times what it must be" in str(raised.value)


def test_inconclusive_is_not_enough(monkeypatch):
    monkeypatch.setattr("verify.reference.judge._shown", lambda *_: (True, (), ()))
    with pytest.raises(AssertionError, match=r"^INCONCLUSIVE: right"):
        verify.assert_gradient(right, cases=5, xla=0, certified=0)


@settings(max_examples=10)
@given(verify.cases(layers=2, regimes=["ordinary"]))
def test_the_strategies_are_public(case):
    assert len(case.layer_sizes) == 3
    assert verify.examine(right, case).verdict == "verified"
    assert np.isfinite(case.arrays().x).all()
