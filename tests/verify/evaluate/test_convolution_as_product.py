"""Convolutions as products of matrices beside JAX's."""

import jax
import numpy as np
import pytest
from jax import lax

from verify.evaluate.convolution_as_product import (
    convolution_as_product,
    convolution_columns,
    convolution_of_product,
    convolution_terms,
)

from .bounds.test_window_rules import CONVOLUTIONS, products
from .test_windows import integers


@pytest.mark.parametrize(("lhs", "rhs", "parameters"), CONVOLUTIONS)
def test_a_convolution_is_jaxs(lhs, rhs, parameters):
    a, b = integers(lhs), integers(rhs, 1)
    given = {key: value for key, value in parameters.items() if key not in ("out_shape", "dimension_numbers")}
    with jax.enable_x64(True):
        numbers = lax.ConvDimensionNumbers(*parameters["dimension_numbers"])
        expected = np.asarray(lax.conv_general_dilated(a, b, **given, dimension_numbers=numbers))
    np.testing.assert_array_equal(convolution_as_product({}, parameters, a, b), expected, strict=True)


@pytest.mark.parametrize(("lhs", "rhs", "parameters"), CONVOLUTIONS)
def test_how_many_products_each_place_sums(lhs, rhs, parameters):
    terms = convolution_terms({}, parameters, lhs, rhs)
    columns = convolution_columns(parameters, np.zeros(rhs))
    spread = np.broadcast_to(terms, (len(columns), len(terms), columns.shape[2]))
    found = convolution_of_product({}, parameters, spread)
    for place, pairs in products(lhs, rhs, parameters).items():
        assert found[place] == len(pairs)
