"""``python -m verify vectors``: the files, the score, and what cannot be used."""

import pytest

from verify.__main__ import main
from verify.commands.vectors.files import vectors_from_json
from verify.commands.vectors.layers.files import layer_vectors_from_json as layers_from_json
from verify.reference.spec import Spec


def test_one_spec_is_written_and_scored(tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["vectors", str(out), "--hidden", "tanh", "--dtypes", "float64", "--readmemh"]) == 0
    said = capsys.readouterr().out
    vectors = vectors_from_json((out / "vectors.json").read_text())
    assert {each.group for each in vectors} == {(Spec("tanh"), "float64")}
    assert sorted(file.name for file in out.iterdir()) == [
        *("float64.bin", "float64.mem", "index.txt", "vectors.json", "vectors.schema.json")
    ]
    assert f"{len(vectors)} vectors in 1 groups\n" in said
    assert " (100.0%)\n" in said
    assert f"right gradients (NumPy) rejected: 0 of {len(vectors)}\n" in said


def test_layers_are_written_and_scored(tmp_path, capsys):
    asked = ["--reference", "affine", "mse", "--dtypes", "float32", "--cases", "21"]
    assert main(["vectors", str(tmp_path), *asked, "--readmemh"]) == 0
    said = capsys.readouterr().out
    vectors = layers_from_json((tmp_path / "layers.json").read_text())
    assert {each.group for each in vectors} == {("affine", "float32"), ("mse", "float32")}
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        *("layers.float32.bin", "layers.float32.mem", "layers.json", "layers.schema.json", "layers.txt")
    ]
    assert f"{len(vectors)} vectors of 2 layers in 2 groups\n" in said
    assert "\n  affine                    float32 11 of 11\n" in said
    assert "\n  together 20 of 20 (100.0%)\n" in said


def test_what_is_missed_of_a_layer_is_named(tmp_path, capsys):
    assert (
        main(["vectors", str(tmp_path), "--reference", "dropout", "--dtypes", "float64", "--cases", "1"]) == 1
    )
    assert "of 9; missed: dropout_scale_of_dropped\n" in capsys.readouterr().out  # which is right at p = 0.5


def test_what_is_missed_is_named_and_is_not_a_success(tmp_path, capsys):
    assert main(["vectors", str(tmp_path), "--hidden", "tanh", "--dtypes", "float32", "--cases", "1"]) == 1
    said = capsys.readouterr().out
    assert "missed: " in said
    assert "hard_labels" in said.partition("missed: ")[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cases", "0"], "--cases must be 1 or larger and --seed 0 or larger; got 0 and 0"),
        (["--reference", "conv2d", "con2d"], "reference must be a JAX function or one of affine, "),
        (
            ["--reference", "conv2d", "--hidden", "relu"],
            "--reference takes the place of the options of a spec: give one or the other",
        ),
        (["--dtypes", "float16"], "--dtypes takes names from float64, float32; got 'float16'"),
        (["--output", "tanh", "--loss", "cross_entropy"], "output and loss must belong together: "),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, capsys, arguments, message):
    assert main(["vectors", str(tmp_path / "out"), *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"python -m verify vectors: {message}")
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_directory(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["vectors", str(tmp_path / "file")]) == 2
    assert "OUT must be a directory; " in capsys.readouterr().err
