import pytest

import verify
from tests.verify.reference.layers.judged import require_torch_verified, require_verified
from tests.verify.reference.layers.right import activations

test_a_correct_backward_pass_is_verified = require_verified(activations.RIGHT)
test_pytorch_is_verified = require_torch_verified(activations.RIGHT)


def test_gelu_in_pytorchs_own_operations_is_verified():
    pytest.importorskip("torch", reason="PyTorch is an optional peer")
    from tests.verify.reference.layers.with_torch import COMPOSED

    report = verify.check_backward(
        verify.torch_layer(COMPOSED["gelu"]), reference="gelu", regimes=("tiny", "ordinary"), cases=60
    )
    assert report.ok, str(report)
