import numpy as np
import pytest

from mlp_ref import checks
from mlp_ref.params import Layer

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)


def layer(n_in, n_out, dtype=np.float64):
    return Layer(np.zeros((n_in, n_out), dtype), np.zeros(n_out, dtype))


@pytest.mark.parametrize("sizes", [[3, 2], (3, 2), np.array([3, 2]), [np.int8(3), 2]])
def test_layer_sizes_become_a_tuple_of_ints(sizes):
    checked = checks.check_layer_sizes(sizes)
    assert checked == (3, 2)
    assert all(type(size) is int for size in checked)


@pytest.mark.parametrize(
    ("sizes", "error"),
    [
        ([3], ValueError),
        ([], ValueError),
        ([784, 0, 10], ValueError),
        ([3, -1], ValueError),
        ([3, 2.0], TypeError),
        ([3, True], TypeError),
        ("32", TypeError),
        (3, TypeError),
        (None, TypeError),
        ([[3, 2]], TypeError),
    ],
)
def test_bad_layer_sizes_are_refused(sizes, error):
    with pytest.raises(error) as caught:
        checks.check_layer_sizes(sizes)
    assert str(caught.value) == f"layer_sizes must be at least two positive integers, got {sizes!r}"


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (None, TypeError, r"params must be a list of Layer\(weight, bias\), got NoneType"),
        ([], ValueError, "params must hold at least one Layer"),
        ([3], TypeError, r"params\[0\] must be a Layer\(weight, bias\), got int"),
        ([(np.zeros((2, 2)),)], TypeError, r"params\[0\] must be a Layer"),
        ([(np.zeros(2), np.zeros(2))], ValueError, r"params\[0\].weight must have shape \(n_in, n_out\), got \(2,\)"),
        ([layer(2, 3), (np.zeros((3, 2)), np.zeros(3))], ValueError,
         r"params\[1\].bias must have shape \(2,\), got \(3,\)"),
        ([layer(2, 3), layer(2, 3)], ValueError,
         r"params\[1\].weight must have one row per output of params\[0\]: it is \(2, 3\)"),
        ([layer(2, 3), layer(3, 3, np.float32)], TypeError,
         r"params\[1\].weight is float32 and params\[0\].weight is float64"),
        ([layer(2, 3, int)], TypeError, r"params\[0\].weight must be float32 or float64, got int64"),
        ([(np.zeros((2, 1)), np.array([np.nan]))], ValueError, r"params\[0\].bias must be finite"),
    ],
)  # fmt: skip
def test_bad_params_are_refused(params, error, message):
    with pytest.raises(error, match=message):
        checks.check_params(params)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (
            np.zeros(3),
            ValueError,
            r"x must have shape \(batch, 3\), got \(3,\); a single row is x\[None, :\]",
        ),
        (np.zeros((2, 4)), ValueError, r"x must have shape \(batch, 3\), got \(2, 4\)"),
        (np.zeros((0, 3)), ValueError, r"x must have at least one row, got shape \(0, 3\)"),
        (
            np.zeros((2, 3), np.float32),
            TypeError,
            "x must have the dtype of the parameters, float64, got float32",
        ),
        (np.zeros((2, 3), int), TypeError, r"x must be float32 or float64, got int64; convert it"),
        (np.zeros((2, 3), complex), TypeError, "x must be float32 or float64, got complex128$"),
        ([[1, 2, 3]], TypeError, "x must be float32 or float64, got int64"),
        (np.array([[0, 0, 0], [0, np.inf, 0.0]]), ValueError, r"x must be finite, but x\[1, 1\] is inf"),
    ],
)
def test_bad_inputs_are_refused(x, error, message):
    with pytest.raises(error, match=message):
        checks.check_inputs(x, 3, F64)


def test_lists_of_floats_are_taken_where_numpy_makes_them_fit():
    np.testing.assert_array_equal(
        checks.check_inputs([[1.0, 2.0]], 2, F64), np.array([[1.0, 2.0]]), strict=True
    )


@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), (-1, ValueError), (1.0, TypeError), (True, TypeError), (None, TypeError)],
)
def test_counts_are_positive_integers(value, error):
    with pytest.raises(error, match=f"epochs must be a positive integer, got {value!r}"):
        checks.check_positive(value, "epochs")
    assert checks.check_positive(np.uint8(3), "epochs") == 3


@pytest.mark.parametrize("value", [0, -0.1, np.nan, np.inf, 1e39, 1e-60])
def test_a_learning_rate_is_positive_and_finite_in_its_dtype(value):
    with pytest.raises(ValueError, match=r"learning_rate must be positive and finite in float32, got "):
        checks.check_learning_rate(value, F32)


@pytest.mark.parametrize("value", ["0.1", True, None, 1j, np.ones(1)])
def test_a_learning_rate_is_a_number(value):
    with pytest.raises(TypeError, match="learning_rate must be a positive number, got "):
        checks.check_learning_rate(value, F32)


@pytest.mark.parametrize(
    ("seed", "error"), [(-1, ValueError), (1.5, TypeError), (True, TypeError), ("1", TypeError)]
)
def test_bad_seeds_are_refused(seed, error):
    with pytest.raises(error, match="seed must "):
        checks.check_seed(seed)


@pytest.mark.parametrize("dtype", [None, int, "float16", ">f4", "nonsense", complex])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(TypeError, match="dtype must be float32 or float64, got "):
        checks.check_dtype(dtype)


@pytest.mark.parametrize("dtype", ["float32", np.float32, F32, "f4"])
def test_every_spelling_of_a_dtype_is_taken(dtype):
    assert checks.check_dtype(dtype) == F32
