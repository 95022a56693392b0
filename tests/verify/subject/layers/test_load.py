import pytest

from verify.reference.reference import Reference
from verify.subject.layers.load import as_layer_target, as_reference, smallest_setting


def test_a_named_reference_with_other_shapes_and_options():
    reference = as_reference(
        "conv2d", shapes={"x": "1 c h w", "w": "f c 3 3", "b": "f"}, options={"stride": (1,), "pad": 1}
    )
    assert reference.options == {"stride": (1,), "pad": (1,)}
    assert reference.symbols == ("c", "h", "w", "f")


def test_the_smallest_sizes_suit_the_reference():
    assert smallest_setting(as_reference("max_pool2d")).outputs[0][0] == 2


def test_a_reference_that_can_never_be_called_is_said():
    def broken(x):
        raise KeyError("no such thing")

    with pytest.raises(ValueError, match="cannot be called at its shapes: KeyError"):
        smallest_setting(Reference.of(broken, {"x": "n"}))


def test_forward_beside_a_layer_is_refused():
    class Layer:
        def forward(self, x): ...

        def backward(self, dout): ...

    with pytest.raises(ValueError, match="forward must not be given"):
        as_layer_target(Layer, lambda x: x, as_reference("relu"))


def test_what_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="backward must be a function"):
        as_layer_target(3, None, as_reference("relu"))
