import jax.numpy as jnp
import numpy as np
import pytest

from verify.reference.reference import Reference


def double(x, *, scale):
    return x * scale


def test_a_setting_has_the_functions_derivative_with_bounds():
    reference = Reference.of(double, {"x": "n"}, {"scale": (3.0,)})
    setting = reference.at({"n": 2}, {"scale": 3.0})
    truth = setting.truth([np.array([1.0, 2.0]), np.array([0.5, -1.0])], np.float64)
    [(out, _)], [(dx, bound)] = truth.outputs, truth.tensors
    assert out.tolist() == [3.0, 6.0]
    assert dx.tolist() == [1.5, -3.0]
    assert np.all(bound < 1e-14)


def test_what_is_not_differentiated_is_not_judged():
    reference = Reference.of(
        lambda x, y, t: x * y * t, {"x": "n", "y": "n", "t": "n"}, constants=("y",), choices={"t": (0.0, 1.0)}
    )
    assert reference.gradient_names == ("x",)
    setting = reference.at({"n": 1}, {})
    assert len(setting.truth([np.ones(1)] * 4, np.float64).tensors) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shapes": {}}, "shapes must map"),
        ({"shapes": {"x": "n"}, "integers": {"y": 3}}, "integers names 'y'"),
        ({"shapes": {"x": "n"}, "integers": {"x": "c"}}, "no input is differentiated"),
        ({"shapes": {"x": "n", "y": "n"}, "integers": {"y": "c"}}, "no shape has 'c'"),
        ({"shapes": {"x": "n"}, "options": {"groups": "g"}}, "no shape has 'g'"),
        ({"shapes": {"x": "n"}, "options": {"stride": ()}}, "must be a list of values"),
        ({"shapes": {"x": "n"}, "constants": "x"}, "must be a list of inputs"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Reference.of(lambda x: jnp.sin(x), **arguments)


def test_a_reference_that_is_no_function_is_refused():
    with pytest.raises(TypeError, match="reference must be a JAX function"):
        Reference.of(3, {"x": "n"})
