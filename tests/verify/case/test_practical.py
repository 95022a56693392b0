"""Networks as people train them."""

import pytest

from verify.case.case import DTYPES, PRACTICAL
from verify.case.practical import FIRST, OTHERS, practical_cases
from verify.reference.spec import Spec

MNIST = (784, 16, 16, 10)


def test_every_run_has_the_first_and_one_of_the_others_in_each_dtype():
    found = practical_cases(Spec(), 0, dtypes=DTYPES)
    assert [case.dtype for case in found] == ["float64", "float64", "float32", "float32"]
    assert found[0].layer_sizes == found[2].layer_sizes == MNIST == FIRST[0]
    assert {(case.layer_sizes, case.batch) for case in found[1::2]} <= set(OTHERS)
    assert {case.regime for case in found} == {PRACTICAL}
    assert found == practical_cases(Spec(), 0, dtypes=DTYPES)


def test_every_run_has_a_batch_of_more_rows_than_any_other_regime_draws():
    for seed in range(20):
        assert max(case.batch for case in practical_cases(Spec(), seed, dtypes=["float32"])) > 64


def test_seeds_and_specs_choose_others():
    seen = {practical_cases(Spec(), seed, dtypes=["float32"])[1].layer_sizes for seed in range(40)}
    assert seen == {sizes for sizes, _ in OTHERS}
    assert len({practical_cases(Spec(hidden), 0, dtypes=["float32"])[1] for hidden in ("relu", "tanh")}) == 2


@pytest.mark.parametrize(
    ("layers", "expected"), [(1, {2}), (2, {3}), (3, {4}), (4, set()), (None, {2, 3, 4})]
)
def test_only_what_the_target_can_have(layers, expected):
    found = [
        case for seed in range(30) for case in practical_cases(Spec(), seed, dtypes=DTYPES, layers=layers)
    ]
    assert {len(case.layer_sizes) for case in found} == expected


def test_targets_suit_the_output():
    sigmoid = Spec(output="sigmoid", loss="binary_cross_entropy")
    for spec, labels, expected in (
        (Spec(), "rows", "one_hot"),
        (Spec(), "integer", "integer"),
        (sigmoid, "rows", "binary"),
        (len, "rows", "one_hot"),
    ):
        [case, *_] = practical_cases(spec, 0, dtypes=["float32"], labels=labels)
        assert case.labels == expected
        params, x, y = case.arrays()
        assert params[0].weight.shape == (784, 16)
        assert len(x) == len(y) == 32
