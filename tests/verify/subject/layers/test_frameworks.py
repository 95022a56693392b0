import jax.numpy as jnp
import pytest

import verify

FEW = {"cases": 20, "xla": 0, "certified": 0}


def test_an_autograd_function():
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, dout):
            (x,) = ctx.saved_tensors
            return dout * x * factor

    shapes = {"x": "n d"}
    for factor, verdict in ((2, "verified"), (2.001, "wrong")):  # noqa: B007 - the class reads it
        report = verify.check_backward(Square, reference=lambda x: x * x, shapes=shapes, **FEW)
        assert report.verdict == verdict


def test_a_modules_parameters():
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")

    def call(x, w, b):
        module = torch.nn.Linear(*w.shape, dtype=x.dtype)
        return torch.func.functional_call(module, {"weight": w.T, "bias": b}, (x,))

    report = verify.check_backward(verify.torch_layer(call), reference="affine", **FEW)
    assert report.ok, str(report)


def test_what_is_no_function_of_tensors_is_refused():
    pytest.importorskip("torch", reason="PyTorch is an optional peer")
    with pytest.raises(TypeError, match=r"must be an autograd.Function"):
        verify.torch_layer(3)


def test_a_jax_function_against_another():
    report = verify.check_backward(
        verify.jax_layer(lambda x: jnp.where(x > 0, x, 0.0)), reference="relu", **FEW
    )
    assert report.ok, str(report)
