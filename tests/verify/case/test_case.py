"""A recipe gives the same bits each time; what is drawn is varied, and simplified to what is small and ordinary."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis import strategies as st

from mlp_ref.params import Layer
from verify.case.case import DTYPES, LABELS, REGIMES, SUITED, Case, labels_of_case
from verify.case.cases import cases, suitable_regimes
from verify.case.runner import drawn_cases
from verify.reference.spec import Spec


def flat(case):
    params, x, y = case.arrays()
    return [*itertools.chain(*params), x, y]


@given(cases())
def test_the_same_recipe_gives_the_same_bits(case):
    first, second = flat(case), flat(case)
    for a, b in zip(first, second, strict=True):
        assert a.tobytes() == b.tobytes()
        assert not np.shares_memory(a, b)
    assert any(a.tobytes() != b.tobytes() for a, b in zip(first, flat(_other(case)), strict=True))


def _other(case):
    return Case(
        case.layer_sizes, case.batch, case.dtype, case.regime, case.labels, case.layout, case.seed + 1
    )


@given(cases())
def test_shapes_dtypes_and_biases(case):
    params, x, y = case.arrays()
    assert isinstance(params[0], Layer)
    assert [layer.weight.shape for layer in params] == list(itertools.pairwise(case.layer_sizes))
    assert [layer.bias.shape for layer in params] == [(n,) for n in case.layer_sizes[1:]]
    assert x.shape == (case.batch, case.layer_sizes[0])
    assert y.shape == (case.batch, case.layer_sizes[-1])
    assert {array.dtype for array in flat(case)} == {np.dtype(case.dtype)}
    assert all(layer.bias.any() for layer in params)
    assert all(np.isfinite(array).all() for array in flat(case))


@given(cases())
def test_inputs_are_the_arrays_in_float64_exactly(case):
    for array, held in zip(flat(case), case.inputs(), strict=True):
        assert held.dtype == np.float64
        np.testing.assert_array_equal(held, array)


def test_integer_labels_become_rows_for_the_reference():
    case = Case((3, 4), 5, labels="integer", seed=2)
    y = case.arrays().y
    assert y.shape == (5,)
    assert y.dtype.kind == "i"
    np.testing.assert_array_equal(case.inputs()[-1], np.eye(4)[y], strict=True)


def test_caches_do_not_leak_what_a_caller_changes():
    case = Case((3, 2), 2)
    before = [array.copy() for array in case.inputs()]
    for array in (*flat(case), *case.inputs()):
        array[...] = 0
    for array, expected in zip(case.inputs(), before, strict=True):
        np.testing.assert_array_equal(array, expected, strict=True)


@given(cases(regimes=["batch_1", "width_1", "no_hidden", "deep", "wide", "soft_labels"]))
def test_regimes_of_shape(case):
    holds = {
        "batch_1": case.batch == 1,
        "width_1": 1 in case.layer_sizes[:-1],
        "no_hidden": len(case.layer_sizes) == 2,
        "deep": len(case.layer_sizes) - 1 in range(5, 9),
        "wide": max(case.layer_sizes) in range(33, 65),
        "soft_labels": case.labels == "soft",
    }
    assert holds[case.regime]


@pytest.mark.parametrize(
    ("spec", "labels"),
    [
        (Spec(output="sigmoid", loss="binary_cross_entropy"), ("binary", "probability")),
        (Spec(output="identity", loss="squared_error"), ("real", "real")),
        (Spec(), ("one_hot", "soft")),
        (len, ("one_hot", "soft")),
    ],
)
def test_labels_suit_the_output(spec, labels):
    assert (
        find(cases(spec), lambda case: case.regime != "soft_labels", settings=_NO_DATABASE).labels
        == labels[0]
    )
    assert (
        find(cases(spec), lambda case: case.regime == "soft_labels", settings=_NO_DATABASE).labels
        == labels[1]
    )


_NO_DATABASE = settings(database=None)


def test_shrinking_ends_at_a_small_ordinary_case():
    smallest = find(cases(), lambda case: case.batch > 1, settings=_NO_DATABASE)
    assert smallest == Case((2, 2), 2)
    hidden = find(cases(), lambda case: len(case.layer_sizes) > 2, settings=_NO_DATABASE)
    assert hidden == Case((2, 2, 2), 2)
    narrow = find(cases(), lambda case: case.dtype == "float32", settings=_NO_DATABASE)
    assert (narrow.layer_sizes, narrow.regime, narrow.layout) == ((2, 2), "ordinary", "C")


def test_every_regime_and_dtype_is_drawn_alike_and_soon():
    drawn = []

    @seed(0)
    @settings(
        max_examples=1200, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(cases())
    def collect(case):
        drawn.append(case)

    collect()
    kinds = list(itertools.product(REGIMES, DTYPES))
    counts = Counter((case.regime, case.dtype) for case in drawn)
    assert all(25 < counts[kind] < 85 for kind in kinds)  # of 1200 in 24 kinds
    assert {case.regime for case in drawn[:50]} == set(REGIMES)
    assert len({case.layer_sizes for case in drawn if case.regime == "ordinary"}) > 60
    depths = Counter(len(case.layer_sizes) - 1 for case in drawn if case.regime == "deep")
    assert set(depths) == {5, 6, 7, 8}


def test_a_byte_is_a_choice_and_zero_the_simplest():
    assert find(cases(), lambda case: True, settings=_NO_DATABASE) == Case((2, 2), 2)
    tied = find(
        cases(), lambda case: case.regime == "ties" and case.layout == "reversed", settings=_NO_DATABASE
    )
    assert tied == Case((2, 2), 2, "float64", "ties", "one_hot", "reversed")
    wide = find(cases(), lambda case: max(case.layer_sizes) > 40, settings=_NO_DATABASE)
    assert (sorted(wide.layer_sizes), wide.batch) == ([2, 41], 2)


@given(st.data())
def test_the_number_of_layers_can_be_fixed(data):
    layers = data.draw(st.integers(1, 6))
    case = data.draw(cases(layers=layers))
    assert len(case.layer_sizes) == layers + 1


def test_what_suits_is_a_matter_of_labels_and_layers():
    assert suitable_regimes(tuple(REGIMES), labels="rows", layers=None) == tuple(REGIMES)
    assert set(REGIMES) - set(suitable_regimes(tuple(REGIMES), labels="integer", layers=2)) == {
        "soft_labels",
        "no_hidden",
        "deep",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regimes": ["odd"]}, r"regimes must be a non-empty list from ordinary, .*; got \['odd'\]"),
        ({"regimes": []}, r"regimes must be a non-empty list"),
        ({"regimes": "tiny"}, r"got 'tiny'"),
        (
            {"dtypes": ["float128"]},
            r"dtypes must be a non-empty list from float64, float32, bfloat16, float16; got \['float128'\]",
        ),
        ({"layouts": ["C", 3]}, r"layouts must be a non-empty list from C, fortran"),
        ({"labels": "words"}, r"labels must be one of rows, integer, one_hot, .*; got 'words'"),
        ({"layers": 0}, r"layers must be a positive integer; got 0"),
        ({"layers": True}, r"layers must be a positive integer; got True"),
        ({"regimes": ["deep"], "layers": 2}, r"none of the regimes deep is possible with .*layers=2"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        cases(**options)


def test_labels_must_suit_the_loss():
    message = r"labels='real' do not suit the loss, whose targets are integer, one_hot, soft"
    with pytest.raises(ValueError, match=message):
        cases(Spec(), labels="real")


@pytest.mark.parametrize("targets", SUITED)
def test_declared_labels_are_the_only_ones(targets):
    assert labels_of_case(targets) == LABELS[targets]
    for labels in SUITED[targets]:
        assert labels_of_case(targets, labels) == (labels, labels)


def test_class_labels_are_drawn_for_sigmoids_and_are_the_rows_that_the_reference_has():
    spec = Spec("tanh", "sigmoid", "binary_cross_entropy")
    drawn = drawn_cases(cases(spec, labels="integer"), 60, 0)
    assert {case.labels for case in drawn} == {"integer"}
    assert min(case.layer_sizes[-1] for case in drawn) > 1
    for case in drawn[:20]:
        *_, y = case.inputs()
        np.testing.assert_array_equal(y, np.eye(case.layer_sizes[-1])[case.arrays().y], strict=True)
