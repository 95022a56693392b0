"""Every regime is what its line says, and every layout has the flags that it claims."""

import itertools

import numpy as np
import pytest

from mlp_ref.params import Layer
from verify.case.arrays import array_in_layout
from verify.case.case import DTYPES, LAYOUTS, Case

SEEDS = range(8)


def logits(case, layers=None):
    params, x, _ = case.arrays()
    a, zs = x, []
    for weight, bias in params[:layers]:
        zs.append(a @ weight + bias)
        with np.errstate(over="ignore"):
            a = 1 / (1 + np.exp(-zs[-1]))
    return zs


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", SEEDS)
def test_saturated_units_are_saturated(dtype, seed):
    hidden = logits(Case((5, 6, 6, 3), 6, dtype, "saturated", seed=seed))[:-1]
    slope = np.concatenate([1 / (1 + np.exp(np.minimum(abs(z), 700.0))) for z in hidden])
    assert np.mean(slope < 1e-3) > 0.6
    ordinary = logits(Case((5, 6, 6, 3), 6, dtype, "ordinary", seed=seed))[:-1]
    assert all(abs(z).max() < 8 for z in ordinary)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", SEEDS)
def test_extreme_logits_overflow_a_plain_softmax(dtype, seed):
    case = Case((4, 5, 3), 4, dtype, "extreme_logits", seed=seed)
    z = logits(case)[-1]
    overflow = np.log(np.finfo(dtype).max)
    assert abs(z).max() > overflow
    assert np.ptp(z, axis=1).max() > overflow
    rows = case.arrays().y
    wrong_by = z.max(axis=1) - (z * rows).sum(axis=1)
    assert wrong_by[0] > 1  # the first row is far from right: its gradient is not beyond all digits


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("sizes", [(4, 5, 3), (3, 2), (2, 6, 4, 2)])
def test_ties_are_exact(dtype, seed, sizes):
    case = Case(sizes, 4, dtype, "ties", seed=seed)
    params, x, y = case.arrays()
    z = logits(case)
    if len(sizes) > 2:
        assert z[0][0, 0] == 0
        assert np.count_nonzero(z[0]) > 1
    equal = np.array_equal(params[-1].weight[:, 0], params[-1].weight[:, -1])
    assert (
        equal == (params[-1].bias[0] == params[-1].bias[-1]) == (sizes[-1] > 2)
    )  # of two alone, nothing shows below
    np.testing.assert_array_equal(x[-1], x[0])
    np.testing.assert_array_equal(y[-1], y[0])
    assert all(layer.bias.any() for layer in params)


@pytest.mark.parametrize("seed", SEEDS)
def test_tiny_is_a_thousandth(seed):
    params, x, _ = Case((5, 6, 3), 6, "float64", "tiny", seed=seed).arrays()
    for array in (*itertools.chain(*params), x):
        assert 0 < abs(array).max() < 5e-3


@pytest.mark.parametrize("labels", ["one_hot", "integer", "soft"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_missing_class_is_missing(labels, seed):
    rows = Case((3, 4), 12, "float64", "missing_class", labels, seed=seed).inputs()[-1]
    assert not rows[:, 0].any()
    np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-15)


@pytest.mark.parametrize(
    ("labels", "holds"),
    [
        ("one_hot", lambda y: set(np.unique(y)) == {0, 1} and np.all(y.sum(axis=1) == 1)),
        ("soft", lambda y: np.all((y > 0) & (y < 1)) and np.allclose(y.sum(axis=1), 1, rtol=1e-14)),
        ("binary", lambda y: set(np.unique(y)) == {0, 1}),
        ("probability", lambda y: np.all((y >= 0) & (y < 1)) and len(np.unique(y)) == y.size),
        ("real", lambda y: y.min() < 0 and y.max() > 1),
    ],
)
def test_labels_are_what_they_are_called(labels, holds):
    assert holds(Case((3, 4), 30, labels=labels, seed=5).arrays().y)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_have_the_flags_they_claim(layout):
    array = np.arange(12.0).reshape(3, 4)
    [layer] = array_in_layout([Layer(array, array[0])], layout)
    for copy, original in (
        (array_in_layout(array, layout), array),
        (layer.weight, array),
        (layer.bias, array[0]),
    ):
        np.testing.assert_array_equal(copy, original, strict=True)
        assert not np.shares_memory(copy, original)
        step = copy.strides[-1] // copy.itemsize
        assert copy.flags.writeable is (layout != "read_only")
        if layout in ("C", "read_only"):
            assert copy.flags.c_contiguous
        elif layout == "fortran":
            assert copy.flags.f_contiguous
        else:
            assert step == {"strided": 2, "reversed": -1}[layout]
    if layout == "fortran":
        assert not array_in_layout(array, layout).flags.c_contiguous
