"""The examples in other languages are verified, and their wrong twins are named."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import verify
from verify.commands.vectors.choose import choose_vectors
from verify.commands.vectors.files import write_vector_files
from verify.commands.vectors.layers.choose import choose_layer_vectors
from verify.commands.vectors.layers.files import write_layer_files
from verify.reference.layers import reference_in_table

EXAMPLES = Path(__file__).parents[1] / "examples"


def compiler(*names):
    for name in names:
        found = shutil.which(name) or shutil.which(name, path=str(Path.home() / ".cargo" / "bin"))
        if found:
            return found
    pytest.skip(f"needs {' or '.join(names)}, which is not installed")


def c(directory):
    command = [compiler("cc", "gcc", "clang"), "-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O2"]
    subprocess.run([*command, "-o", directory / "mlp", EXAMPLES / "c" / "mlp.c", "-lm"], check=True)
    return [str(directory / "mlp")]


def javascript(directory):
    return [compiler("node"), str(EXAMPLES / "javascript" / "mlp.js")]


def rust(directory):
    command = [compiler("rustc"), "--edition", "2021", "-D", "warnings", "-O"]
    subprocess.run([*command, "-o", directory / "mlp", EXAMPLES / "rust" / "mlp.rs"], check=True)
    return [str(directory / "mlp")]


@pytest.fixture(params=[c, javascript, rust], scope="module")
def example(request, tmp_path_factory):
    return request.param.__name__, request.param(tmp_path_factory.mktemp("built"))


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu", "identity"])
def test_it_is_verified(example, hidden):
    with verify.Program(example[1]) as program:
        report = verify.check(program, verify.Spec(hidden), cases=100)
    assert report.ok, report
    assert report.notes[0].startswith("the program mlp.")


def test_its_wrong_twin_is_named(example):
    named = {"c": "bias_first_row", "javascript": "extra_slope", "rust": "slope_missing_in_first_layer"}
    language, command = example
    with verify.Program([*command, "--wrong"]) as program:
        found = verify.explain(program.target(verify.Spec("tanh")), verify.Spec("tanh"))
    assert found.mistakes == (named[language],)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    directory = tmp_path_factory.mktemp("vectors")
    write_vector_files(
        [
            *choose_vectors(verify.Spec("relu"), "float64", 12, 0),
            *choose_vectors(verify.Spec("tanh"), "float32", 12, 0),
        ],
        directory,
    )
    return directory


def test_it_passes_the_vectors_and_its_wrong_twin_does_not(example, vectors):
    _, command = example
    for wrong in ([], ["--wrong"]):
        done = subprocess.run(
            [*command, "--vectors", vectors, *wrong], capture_output=True, text=True, check=False
        )
        passed, failed, others = (int(part.split()[0]) for part in done.stdout.splitlines()[-1].split(", "))
        assert (done.returncode, done.stderr) == (1 if wrong else 0, "")
        assert (failed > 0) == bool(wrong)
        assert passed + failed == len((vectors / "index.txt").read_text(encoding="utf-8").splitlines())
        assert others == 0


def test_the_fragment_for_a_layer_passes_and_a_wrong_one_does_not(tmp_path):
    page = (EXAMPLES.parent / "docs" / "vectors.md").read_text(encoding="utf-8")
    (fragment,) = re.findall(r"```c\n(.*?)```", page, re.DOTALL)
    vectors = choose_layer_vectors(reference_in_table("rms_norm"), "float64", 28, 0)
    write_layer_files(
        [*choose_layer_vectors(reference_in_table("affine"), "float64", 7, 0), *vectors], tmp_path
    )
    term = " - x[j] * along * r * r * r / d"
    assert term in fragment
    for source, status in ((fragment, 0), (fragment.replace(term, ""), 1)):
        (tmp_path / "rms_norm.c").write_text(source, encoding="utf-8")
        command = [compiler("cc", "gcc", "clang"), "-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]
        subprocess.run([*command, "-o", "rms_norm", "rms_norm.c", "-lm"], check=True, cwd=tmp_path)
        done = subprocess.run(
            [tmp_path / "rms_norm"], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        passed, failed = (int(part.split()[0]) for part in done.stdout.splitlines()[-1].split(", "))
        assert (done.returncode, failed > 0, passed + failed) == (status, bool(status), len(vectors)), done


def test_every_file_has_less_than_200_lines():
    files = [file for file in EXAMPLES.rglob("*.*") if file.is_file()]
    assert files
    assert not [file for file in files if len(file.read_text(encoding="utf-8").splitlines()) >= 200]
