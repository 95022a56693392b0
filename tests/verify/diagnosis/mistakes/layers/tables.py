"""Tests that every table of mistakes in layers must pass."""

import numpy as np
import pytest

from verify.case.layers.case import LayerCall
from verify.case.layers.cases import layer_cases
from verify.case.runner import drawn_cases
from verify.diagnosis.layer_mistake_program import layer_mistake_program
from verify.evaluate.bounds import Arithmetic, evaluate_with_bounds
from verify.reference.layers import NAMES, reference_in_table

CASES = 40


def require_different(table):
    """The test that each mistake of a table gives another gradient than the right one, in the first of its layers."""
    made = [(mistake, (mistake.layers or ("affine",))[0]) for mistake in table]
    ids = [f"{mistake.name}-{layer}" for mistake, layer in made]

    @pytest.mark.parametrize(("mistake", "layer"), made, ids=ids)
    def test_another_gradient_than_the_right_one(mistake, layer):
        assert layer in NAMES
        reference = reference_in_table(layer)
        regimes = ("ordinary", "ties")
        for case in drawn_cases(layer_cases(reference, regimes=regimes, dtypes=("float64",)), CASES, 0):
            setting = case.setting(reference)
            inputs = LayerCall(reference, case).inputs()
            try:
                program = layer_mistake_program(mistake, setting)
            except (TypeError, ValueError, IndexError):  # it cannot be made at these sizes
                continue
            wrong = evaluate_with_bounds(program, inputs, Arithmetic.judging("float64", {}))
            right = setting.truth(inputs, "float64").tensors
            with np.errstate(all="ignore"):
                if any(np.any(abs(a - b) > ea + eb) for (a, ea), (b, eb) in zip(wrong, right, strict=True)):
                    return
        pytest.fail(f"{mistake.name} is right in all of {CASES} cases")

    return test_another_gradient_than_the_right_one
