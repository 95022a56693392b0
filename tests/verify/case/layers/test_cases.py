import pytest

from verify.case.layers.cases import layer_case_refusal, layer_cases
from verify.case.layers.values import REGIMES
from verify.case.runner import drawn_cases
from verify.reference.layers import reference_in_table
from verify.reference.reference import Reference


def test_every_regime_dtype_layout_and_option_is_drawn():
    cases = drawn_cases(layer_cases(reference_in_table("conv2d")), 300, 0)
    assert {case.regime for case in cases} == set(REGIMES)
    assert {case.dtype for case in cases} == {"float64", "float32"}
    assert len({case.layout for case in cases}) == 5
    assert {dict(case.options)["pad"] for case in cases} == {0, 1, 2}
    assert 1 in {dict(case.sizes)["h"] for case in cases}


def test_windows_overlap_and_do_not_divide():
    cases = drawn_cases(layer_cases(reference_in_table("max_pool2d")), 300, 0)
    found = [(dict(case.options), dict(case.sizes)) for case in cases]
    assert any(o["stride"] < o["size"] for o, _ in found)
    assert any((s["h"] - o["size"]) % o["stride"] for o, s in found)


def test_sizes_at_which_the_reference_cannot_be_called_are_not_drawn():
    reference = reference_in_table("max_pool2d")
    assert "no window of 3 x 3" in layer_case_refusal(
        reference, (("n", 1), ("c", 1), ("h", 2), ("w", 2)), (("size", 3), ("stride", 1))
    )
    for case in drawn_cases(layer_cases(reference), 100, 0):
        assert min(dict(case.sizes)["h"], dict(case.sizes)["w"]) >= dict(case.options)["size"]


def test_an_option_may_be_a_symbol():
    for case in drawn_cases(layer_cases(reference_in_table("group_norm")), 30, 0):
        assert dict(case.options)["groups"] == dict(case.sizes)["g"]


def test_unknown_names_are_refused():
    reference = Reference.of(lambda x: x, {"x": "n"})
    with pytest.raises(ValueError, match="regimes must be a non-empty list"):
        layer_cases(reference, regimes=["wild"])
