"""The score of vectors of layers: which mistakes of the chapter they catch, by the bounds in the files alone."""

from __future__ import annotations

from collections.abc import Sequence

from verify.commands.vectors.layers.choose import layer_mistakes_to_catch, layer_vectors_failed_by
from verify.commands.vectors.layers.files import group_for_layer_files
from verify.commands.vectors.layers.vector import LayerVector
from verify.reference.layers import reference_in_table


def print_layer_score(vectors: Sequence[LayerVector]) -> bool:
    """Print the score of vectors of layers, a line for each layer; return True where they catch every mistake."""
    caught: dict[str, dict[str, set[str]]] = {}
    for (layer, dtype), members in group_for_layer_files(vectors):
        found = {
            mistake.name
            for mistake in layer_mistakes_to_catch(reference_in_table(layer))
            if any(layer_vectors_failed_by(mistake, members))
        }
        caught.setdefault(layer, {})[dtype] = found
    print("\nmistakes in layers caught, by the bounds in the files alone")
    total = missing = 0
    for layer, of_dtype in caught.items():
        names = [mistake.name for mistake in layer_mistakes_to_catch(reference_in_table(layer))]
        lost = [name for name in names if name not in set().union(*of_dtype.values())]
        parts = [f"{dtype} {len(found)}" for dtype, found in of_dtype.items()]
        said = f"{', '.join(parts)} of {len(names)}"
        print(f"  {layer:26}{said}{'; missed: ' * bool(lost)}{', '.join(lost)}")
        total, missing = total + len(names), missing + len(lost)
    print(f"  together {total - missing} of {total} ({1 - missing / total:.1%})")
    return not missing
