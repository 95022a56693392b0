"""A correct backward pass in NumPy for every reference by name: ``name(dout, *inputs, **options)``."""

from types import ModuleType

from tests.verify.reference.layers.right import (
    activations,
    attention,
    convolution,
    dense,
    losses,
    norms,
    pooling,
    recurrent,
)

MODULES: tuple[ModuleType, ...] = (
    activations,
    attention,
    convolution,
    dense,
    losses,
    norms,
    pooling,
    recurrent,
)
RIGHT = {name: function for module in MODULES for name, function in module.RIGHT.items()}
