import pytest

import verify
from verify.diagnosis.reproduce import reproducing_call, reproduction
from verify.reference.spec import Spec
from verify.subject.target import Target


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (verify.Case((2, 2), 3), "verify.Case((2, 2), 3)"),
        (verify.Case((2, 2), 3, seed=4), "verify.Case((2, 2), 3, seed=4)"),
        (verify.Case((2, 2), 3, "float32", "ties"), "verify.Case((2, 2), 3, dtype='float32', regime='ties')"),
        (Spec(), "verify.Spec()"),
        (Spec("relu", l2=0.1), "verify.Spec(hidden='relu', l2=0.1)"),
    ],
)
def test_a_literal_is_short_and_gives_the_value_back(value, text):
    assert reproducing_call(value) == text
    assert eval(text) == value


def test_the_lines_bring_everything_into_scope():
    lines = reproduction(
        Target(print, name="mine", source="from net import mine"), Spec(), verify.Case((2, 2), 1), "repeat"
    )
    assert lines == (
        "import verify\nfrom net import mine\ncase = verify.Case((2, 2), 1)\nspec = verify.Spec()\n"
        'print(verify.examine(mine, case, spec, check="repeat"))'
    )


def test_a_target_whose_name_is_no_identifier_is_called_gradient():
    assert "verify.examine(gradient, case" in reproduction(
        Target(print, name="a b"), Spec(), verify.Case((2, 2), 1), "gradient"
    )


def test_a_jax_loss_is_named():
    def my_loss(params, x, y):
        return 0.0

    lines = reproduction(Target(print), my_loss, verify.Case((2, 2), 1), "gradient")
    assert "spec = my_loss  # the JAX loss you gave" in lines
