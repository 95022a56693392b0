"""The benchmark's command: what it refuses, what it writes, and how that reads."""

import argparse
import json
import math
from pathlib import Path

import pytest

from verify.commands.bench import command, page, plot
from verify.commands.bench.measure import MeasuredSpread
from verify.commands.bench.peers import OURS
from verify.commands.bench.results import BenchResults
from verify.commands.bench.rows import BenchRow
from verify.commands.bench.scale import ScaleLine
from verify.commands.bench.startup import Startup
from verify.commands.bench.true_results import BOUNDED

# --- what is shown


def results(ours_wrong=False):
    one = MeasuredSpread(1e-5, 0.9e-5, 1.1e-5)
    rows = [
        BenchRow(
            kind,
            "16-16-16@8",
            "float32",
            1,
            BOUNDED,
            5,
            {OURS: one, peer: MeasuredSpread(3e-3, 2e-3, 4e-3)},
            {peer: MeasuredSpread(1.25, 1.2, 1.3)},
            {"sklearn": "not possible: no such network", **({OURS: "wrong: loss"} if ours_wrong else {})},
        )
        for kind, peer in (("gradient", "jax_jit"), ("epoch", "jax_scan"), ("prediction", "onnxruntime"))
    ]
    line = ScaleLine("batch", "rows", [1, 10, 100], [one] * 3, [one] * 3, [900] * 3, [1_000, 10_000, 100_000])
    return BenchResults(
        {"date": "today", "processor": "a fast one"},
        rows[:1],
        rows[1:2],
        rows[2:],
        [line],
        Startup(one, one, one),
    )


def test_the_page_shows_ratios_first_and_the_machine():
    text = page.bench_page(results(), Path("somewhere/picture.png"))
    assert "![Ratios as a heat map](picture.png)" in text
    assert "1.25 ±0.05" in text
    assert text.index("1.25 ±0.05") < text.index("10 µs") < text.index("a fast one")
    assert "- 16-16-16@8: scikit-learn not timed, not possible: no such network" in text
    assert "| JAX jit" in text
    assert "3 ms" in text
    assert "100 kB" in text
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_results_survive_their_file(tmp_path):
    path = tmp_path / "results.json"
    results().save(path)
    assert BenchResults.load([path]) == results()
    both = BenchResults.load([path, path])
    assert len(both.gradients) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"machine": {}, "gradients": [{}]}', "null"])
def test_a_foreign_file_is_refused(tmp_path, text):
    path = tmp_path / "foreign.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"foreign.json is not a file that --json wrote"):
        BenchResults.load([path])


def test_results_of_two_machines_are_not_mixed(tmp_path):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    results().save(first)
    other = results()
    other.machine["processor"] = "a slow one"
    other.save(second)
    with pytest.raises(
        ValueError, match=r"second.json: processor is a slow one, but a fast one in .*first.json"
    ):
        BenchResults.load([first, second])


def test_the_picture_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "picture.png"
    plot.plot_ratios(results().gradients, path)
    assert path.read_bytes().startswith(b"\x89PNG")


# --- the command


def run(*arguments):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(argument) for argument in arguments]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cells", "784"], "error: a cell must be layer sizes @ batch"),
        (["--threads", "0"], "error: threads must be between 1 and"),
        (["--seconds", "0"], "error: --seconds must be positive, got 0.0"),
        (["--seconds", "nan"], "error: --seconds must be positive, got nan"),
        (
            ["--peers", "tensorflow"],
            "error: --peers must be of mlp_ref, mlp_ref_call, workspace, products, torch_products",
        ),
        (["--plot", "picture.txt"], "error: --plot must end in .png, .svg or .pdf, got picture.txt"),
        (
            ["--json", "no/such/directory/x.json"],
            "error: --json must name a file in a directory that exists; got no/such/directory/x.json",
        ),
        (["--show", "missing.json"], "error: [Errno 2] No such file or directory: 'missing.json'"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_measured(arguments, message, capsys):
    if "--plot" in arguments:
        pytest.importorskip("matplotlib")
    assert run(*arguments) == 2
    assert capsys.readouterr().err.startswith(message)


def test_earlier_results_are_shown_without_measuring(tmp_path, capsys):
    results().save(tmp_path / "results.json")
    assert run("--show", tmp_path / "results.json", "--page", tmp_path / "page.md") == 0
    assert capsys.readouterr().out == (tmp_path / "page.md").read_text()


def test_a_wrong_result_of_ours_fails_the_run(tmp_path, capsys):
    results(ours_wrong=True).save(tmp_path / "results.json")
    assert run("--show", tmp_path / "results.json") == 1
    assert "mlp_ref not timed, wrong: loss" in capsys.readouterr().out


def test_a_small_run_from_end_to_end(tmp_path, capsys):
    path = tmp_path / "results.json"
    arguments = ["--cells", "5-4-3@6", "--peers", "jax_jit", "jax_scan", "--dtypes", "float64", "--quick"]
    assert run(*arguments, "--json", path) == 0
    (row,) = BenchResults.load([path]).gradients
    assert (row.cell, row.dtype, row.threads, row.checked, row.notes) == (
        "5-4-3@6",
        "float64",
        1,
        BOUNDED,
        {},
    )
    assert set(row.ratios) == {"jax_jit"}
    assert row.rounds >= 3
    assert all(0 < s.low <= s.median <= s.high < math.inf for s in row.seconds.values())
    machine = json.loads(path.read_text())["machine"]
    assert {"date", "processor", "Python", "numpy", "jax"} <= set(machine)
    captured = capsys.readouterr()
    assert "[1/1] gradient 5-4-3@6 float64, 1 thread(s): JAX jit " in captured.err
    assert captured.out.startswith("# Benchmarks")
