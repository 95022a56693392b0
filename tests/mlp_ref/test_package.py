import subprocess
import sys

import pytest

import mlp_ref


def test_every_public_name_is_there():
    assert [name for name in mlp_ref.__all__ if not hasattr(mlp_ref, name)] == []


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'mlp_ref' has no attribute 'nonsense'"):
        _ = mlp_ref.nonsense


def test_the_import_brings_numpy_and_the_standard_library_only():
    program = (
        "import sys, numpy; before = set(sys.modules); import mlp_ref;"
        "new = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "['mlp_ref']\n"
