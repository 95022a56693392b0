import numpy as np
import pytest

from mlp_ref import Workspace, loss_and_gradient, products
from mlp_ref.params import as_layers, flatten, parameter_count

# Large enough for blocks; prime batches and odd widths, which do not divide into any.
SHAPES = [(256, 256, 256), (32, 1024, 600), (64, 784, 300), (127, 131, 137), (100, 784, 64), (16, 300, 1000)]
SHAPES += [(128, 784, 16), (256, 784, 10)]  # narrow


WAYS = [products.whole_product, products.product_in_blocks, products.product_of_few_rows_or_columns]


def operands(shape, kind, dtype=np.float64):
    """The operands of a layer's three products: forward, gradient of the weight, gradient of the input."""
    m, k, n = shape
    rng = np.random.default_rng(0)
    x, weight, dz = (rng.normal(size=size).astype(dtype) for size in ((m, k), (k, n), (m, n)))
    return {"forward": (x, weight), "weight": (x.T, dz), "input": (dz, weight.T)}[kind]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["forward", "weight", "input"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("multiply", WAYS)
def test_a_product_lies_within_its_bound_and_in_the_memory_given(multiply, shape, kind, dtype):
    a, b = operands(shape, kind, dtype)
    out = np.full((a.shape[0], b.shape[1]), np.nan, dtype)
    product = multiply(a, b, out)
    assert np.shares_memory(product, out)
    assert (product.shape, product.dtype) == (out.shape, out.dtype)
    exact = np.einsum("ij,jk->ik", a.astype(np.longdouble), b.astype(np.longdouble))
    # Any order of n terms: n u |a| |b|.
    bound = a.shape[1] * np.finfo(dtype).eps / 2 * (np.abs(a).astype(float) @ np.abs(b).astype(float))
    assert np.all(np.abs(product - exact) <= bound)


@pytest.mark.parametrize("multiply", WAYS)
def test_a_product_into_a_part_of_a_vector_leaves_the_rest_alone(multiply):
    a, b = operands((64, 784, 256), "weight")
    flat = np.zeros(10 + a.shape[0] * b.shape[1] + 10)
    multiply(a, b, flat[10:-10].reshape(a.shape[0], b.shape[1]))
    np.testing.assert_allclose(flat[10:-10].reshape(a.shape[0], -1), a @ b, rtol=0, atol=1e-11, strict=True)
    assert not flat[:10].any()
    assert not flat[-10:].any()


@pytest.mark.parametrize("multiply", WAYS)
@pytest.mark.parametrize("shape", [(256, 256, 256), (8, 300, 300)])
@pytest.mark.parametrize("kind", ["forward", "input"])
def test_without_memory_given_a_product_is_new(multiply, shape, kind):
    a, b = operands(shape, kind)
    np.testing.assert_allclose(multiply(a, b, None), a @ b, rtol=0, atol=1e-11, strict=True)


@pytest.mark.parametrize("kind", ["forward", "weight", "input"])
def test_blas_is_given_blocks_that_it_takes_as_they_lie_and_every_number_once(monkeypatch, kind):
    a, b = operands((64, 784, 320), kind)
    given = []

    def multiplied(left, right, out):
        given.append(out.size)
        assert left.shape[-2] * left.shape[-1] * right.shape[-1] <= products.UNPACKED
        assert right.flags.c_contiguous or right.strides[-1] == right.itemsize or kind == "input"
        return matmul(left, right, out=out)

    matmul = np.matmul
    monkeypatch.setattr(np, "matmul", multiplied)
    out = np.empty((a.shape[0], b.shape[1]))
    products.product_in_blocks(a, b, out)
    assert sum(given) == out.size
    assert len(given) == (5 if kind == "forward" else 1)


@pytest.mark.parametrize("kind", ["forward", "weight", "input"])
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != (127, 131, 137)])
def test_blocks_divide_the_result_and_are_small_enough_for_blas_to_take_as_they_lie(shape, kind):
    a, b = operands(shape, kind)
    (m, k), n = a.shape, b.shape[1]
    straight, b_straight = a.flags.c_contiguous and b.flags.c_contiguous, b.flags.c_contiguous
    block = products._block(m, k, n, straight, b_straight)
    if block is not None:
        rows, columns = block
        assert m % rows == 0
        assert straight or n % columns == 0
        assert rows * columns * k <= products.UNPACKED
        assert b_straight or rows * columns <= products.UNPACKED_TRANSPOSED


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ((100, 100, 100), "BLAS takes it as it lies"),
        ((1024, 2048, 64), "no cache holds it"),
        ((127, 256, 256), "no block divides a prime batch"),
    ],
)
def test_there_are_no_blocks_where_they_do_not_help(shape, why):
    assert products._block(*shape, True, True) is None, why


def test_short_sums_with_a_transposed_matrix_have_no_blocks():
    assert products._block(1024, products.LONG, 784, False, False) is not None
    assert products._block(1024, products.LONG - 1, 784, False, False) is None


def test_small_networks_multiply_by_the_plain_method():
    assert products.fastest_product([784, 16, 16, 10], 32) is np.ndarray.dot


@pytest.mark.parametrize(
    ("threads", "kernel", "amds", "expected"),
    [
        (1, "SkylakeX", True, products.product_in_blocks),
        (1, "Cooperlake", True, products.product_in_blocks),
        (2, "SkylakeX", True, products.whole_product),
        (1, "Haswell", True, products.whole_product),
        (1, "", True, products.whole_product),
        (1, "SkylakeX", False, products.product_of_few_rows_or_columns),
        (2, "SkylakeX", False, products.whole_product),
    ],
)
def test_large_networks_multiply_in_blocks_where_openblas_has_avx512_on_amds_processors_and_one_thread(
    monkeypatch, threads, kernel, amds, expected
):
    monkeypatch.setattr("mlp_ref.blas.is_amd_processor", lambda: amds)
    monkeypatch.setattr("mlp_ref.blas.blas_kernel", lambda: kernel)
    monkeypatch.setattr("mlp_ref.blas.blas_threads", lambda: threads)
    assert products.fastest_product([784, 128, 10], 128) is expected


@pytest.mark.parametrize("hidden", ["sigmoid", "relu"])
def test_the_gradient_is_the_same_up_to_rounding_in_blocks(hidden):
    sizes, batch = [784, 128, 64, 10], 128
    rng = np.random.default_rng(0)
    params = as_layers(rng.normal(size=parameter_count(sizes)) / 28, sizes)
    x, y = rng.normal(size=(batch, 784)), rng.integers(0, 10, batch)
    results = []
    for multiply in (products.whole_product, products.product_in_blocks):
        workspace = Workspace(sizes, batch, x.dtype)
        workspace.multiply = multiply
        value, grads = loss_and_gradient(params, x, y, hidden, workspace=workspace)
        results.append((value, flatten(grads)))
    (value, grads), (value_in_blocks, grads_in_blocks) = results
    assert value_in_blocks == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(grads_in_blocks, grads, rtol=0, atol=1e-14, strict=True)


@pytest.mark.parametrize(
    ("rows", "columns", "kind", "dtype", "blocks"),
    [
        (64, 300, "weight", "float32", True),
        (65, 300, "weight", "float32", False),
        (64, 300, "forward", "float32", False),
        (64, 300, "input", "float32", False),
        (1024, 16, "forward", "float32", True),
        (1024, 17, "forward", "float32", False),
        (256, 16, "weight", "float32", True),
        (257, 16, "weight", "float32", False),
        (1024, 16, "weight", "float64", True),
        (1025, 16, "weight", "float64", False),
        (1024, 16, "input", "float64", False),
    ],
)
def test_on_other_processors_blocks_are_for_narrow_results_and_the_gradient_of_a_weight_over_few_rows(
    monkeypatch, rows, columns, kind, dtype, blocks
):
    used = []
    monkeypatch.setattr(products, "product_in_blocks", lambda *given: used.append(True))
    monkeypatch.setattr(products, "whole_product", lambda *given: used.append(False))
    products.product_of_few_rows_or_columns(*operands((rows, 784, columns), kind, dtype), None)
    assert used == [blocks]
