"""Judge by the files of ``python -m verify vectors DIR`` alone: ``python benchmarks/layer_vectors.py DIR``.

The right backward passes in NumPy that the tests have must pass every test of ``DIR/layers.json``. No oracle takes
part: the reader is the one of the tests, some forty lines without JAX. Exit status 1 where one is rejected.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.verify.commands.vectors.layers import reader
from tests.verify.reference.layers.right import RIGHT


def main(directory: str) -> int:
    """Print the tests that a right backward pass does not pass, and how many it does."""
    tests = rejected = 0
    for layer, dtype, members in reader.groups_of(Path(directory) / "layers.json"):
        for test in members:
            tests += 1
            if not reader.passes(RIGHT[layer], test, dtype):
                rejected += 1
                print(f"{layer} {dtype}: test {test['id']} ({test['comment']}) is not passed")
    print(f"right backward passes (NumPy) rejected: {rejected} of {tests}")
    return int(rejected > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else __doc__)
