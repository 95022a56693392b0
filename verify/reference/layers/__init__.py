"""References by name: the layers and losses that people differentiate by hand, each in JAX.

`reference_in_table` finds one; `NAMES` lists them.
"""

from verify.reference.layers.table import NAMES, REFERENCES, reference_in_table

__all__ = ["NAMES", "REFERENCES", "reference_in_table"]
