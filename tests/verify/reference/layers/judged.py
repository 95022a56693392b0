"""Judge the correct backward passes of one kind of layer, in NumPy and in PyTorch."""

import pytest

import verify

CASES = 15


def require_verified(functions):
    """The test of correct backward passes in NumPy: ``functions`` by the references' names."""

    @pytest.mark.parametrize("name", functions)
    def test_a_correct_backward_pass_is_verified(name):
        report = verify.check_backward(functions[name], reference=name, cases=CASES, xla=1, certified=1)
        assert report.ok, str(report)

    return test_a_correct_backward_pass_is_verified


def require_torch_verified(functions):
    """The test of PyTorch's derivatives, of the references that ``functions`` has."""

    @pytest.mark.parametrize("name", functions)
    def test_pytorch_is_verified(name):
        pytest.importorskip("torch", reason="PyTorch is an optional peer")
        from tests.verify.reference.layers.with_torch import SHAPES, TORCH

        if name not in TORCH:
            pytest.skip("PyTorch draws the mask of dropout itself")
        target = verify.torch_layer(TORCH[name])
        report = verify.check_backward(
            target, reference=name, shapes=SHAPES.get(name), cases=CASES, xla=0, certified=0
        )
        assert report.ok, str(report)

    return test_pytorch_is_verified
