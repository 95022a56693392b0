import jax
import numpy as np
import pytest

import verify

FEW = {"cases": 5, "xla": 0, "certified": 0}


def leaky(dout, x, *, slope):
    return np.where(x > 0, dout, dout * x.dtype.type(slope))


def with_mode(dout, x, *, slope, mode):
    assert mode == "train"
    return leaky(dout, x, slope=slope)


def with_any(dout, x, **options):
    return leaky(dout, x, slope=options["slope"])


def forward(x, param):
    return np.where(x > 0, x, x * x.dtype.type(param["slope"])), (x, param)


def backward(dout, cache):
    x, param = cache
    return leaky(dout, x, slope=param["slope"])


class Leaky:
    def __init__(self, slope):
        self.slope = slope

    def forward(self, x):
        self.x = x
        return forward(x, {"slope": self.slope})[0]

    def backward(self, dout):
        return leaky(dout, self.x, slope=self.slope)


@jax.custom_vjp
def ruled(x, slope):
    return jax.numpy.where(x > 0, x, x * slope)


ruled.defvjp(lambda x, slope: (ruled(x, slope), (x, slope)), lambda kept, g: (g, 0.0))

HAS = r"^leaky_relu has no option 'slopes' \(it has slope\), and {} no parameter of that name; did you mean 'slope'\?$"


@pytest.mark.parametrize(
    ("given", "cached", "names"),
    [
        (leaky, None, "leaky"),
        (with_any, None, "with_any"),
        (backward, forward, "forward and backward"),
        (Leaky, None, "Leaky"),
        (ruled, None, "ruled"),
    ],
)
def test_a_misspelt_option_is_refused(given, cached, names):
    with pytest.raises(ValueError, match=HAS.format(names)):
        verify.check_backward(
            given, forward=cached, reference="leaky_relu", options={"slopes": (0.1,)}, **FEW
        )


def test_an_option_that_no_function_takes_is_refused():
    with pytest.raises(
        ValueError,
        match=r"^relu has no option 'mode' \(it has none\), and <lambda> no parameter of that name$",
    ):
        verify.check_backward(
            lambda dout, x: dout * (x > 0), reference="relu", options={"mode": ("train",)}, **FEW
        )


@pytest.mark.parametrize(
    ("given", "cached", "name"),
    [(with_mode, None, "with_mode"), (with_any, None, "with_any"), (backward, forward, "forward")],
)
def test_the_report_says_what_was_drawn_and_what_went_to_the_function_alone(given, cached, name):
    options = {"mode": ("train",), "slope": (0.2,)}
    report = verify.check_backward(given, forward=cached, reference="leaky_relu", options=options, **FEW)
    assert report.ok, str(report)
    assert report.notes[1:3] == (
        f"the option mode went to {name} alone: leaky_relu has none",
        "options drawn: slope 0.2; mode 'train'",
    )


def test_a_function_may_take_what_another_of_the_same_name_does_not():
    report = verify.check_backward(
        lambda dout, cache: backward(dout, cache),
        forward=lambda x, *, slope, mode: forward(x, {"slope": slope}),
        reference="leaky_relu",
        options={"mode": ("train",)},
        **FEW,
    )
    assert report.ok, str(report)


def test_options_that_are_sizes_are_said_in_order():
    report = verify.check_backward(
        lambda dout, x, *, count: dout * x.dtype.type(count),
        reference=lambda x, *, count: x * count,
        shapes={"x": "n d"},
        options={"count": "d"},
        **FEW | {"cases": 12},
    )
    assert report.ok, str(report)
    [line] = [note for note in report.notes if note.startswith("options drawn: count ")]
    values = [int(value) for value in line.removeprefix("options drawn: count ").split(", ")]
    assert values == sorted(set(values))
    assert len(values) > 1


def test_a_reference_that_calls_numpy_is_refused():
    with pytest.raises(
        ValueError, match=r"^reference: halves calls NumPy; it must be written in jax.numpy, "
    ):
        verify.check_backward(backward, forward=forward, reference=halves, shapes={"x": "n"}, **FEW)


def halves(x):
    return np.exp(x) / 2
