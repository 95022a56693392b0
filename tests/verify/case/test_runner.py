"""One runner draws, simplifies and ends for everybody."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase

from verify.case.runner import RunnerBeginning, drawn_cases, run_cases


def test_the_same_seed_draws_the_same_cases():
    first, again, other = (drawn_cases(st.integers(), 20, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 20


def test_a_failure_ends_the_run_on_the_simplest_case_where_asked():
    def fails_from_ten(n):
        seen.append(n)
        if n >= 10:
            raise ValueError(n)

    for simplify in (False, True):
        seen = []
        with pytest.raises(ValueError, match=r"^\d+$") as raised:
            run_cases(st.integers(0, 10**6), fails_from_ten, cases=50, seed=0, simplify=simplify)
        assert (raised.value.args[0] == 10) == simplify
        assert sum(n >= 10 for n in seen) > 1 or not simplify


def test_each_kind_of_failure_is_simplified_apart():
    def fails(n):
        if n >= 1000:
            raise KeyError(n)
        if n >= 10:
            raise ValueError(n)

    with pytest.raises(ExceptionGroup) as raised:
        run_cases(st.integers(0, 10**6), fails, cases=300, seed=0, simplify=True)
    assert {error.args for error in raised.value.exceptions} == {(10,), (1000,)}


OBSERVED = """
from verify.case.cases import cases
from verify.case.runner import run_cases
from verify.reference.spec import Spec
run_cases(cases(Spec(), regimes=["ties"], dtypes=["float32"]), lambda case: None, cases=5, seed=0)
"""


def test_hypothesis_writes_each_case_with_its_features_where_asked(tmp_path):
    environment = {
        **os.environ,
        "HYPOTHESIS_EXPERIMENTAL_OBSERVABILITY": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    subprocess.run([sys.executable, "-c", OBSERVED], cwd=tmp_path, env=environment, check=True)
    (file,) = (tmp_path / ".hypothesis" / "observed").glob("*_testcases.jsonl")
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    cases = [line for line in lines if line["type"] == "test_case"]
    assert len(cases) == 5
    assert {case["features"]["regime"] for case in cases} == {"ties"}
    assert {case["features"]["dtype"] for case in cases} == {"float32"}
    # What the documentation of Hypothesis asks of a line, for its viewers: each field, and no other.
    for case in cases:
        assert set(case) == {
            "type", "status", "status_reason", "representation", "arguments", "how_generated", "features",
            "coverage", "timing", "metadata", "property", "run_start",
        }  # fmt: skip
        assert case["status"] == "passed"
        assert "layer_sizes" in case["arguments"]["case"]


def fails_at_77(drawn):
    if drawn[3] == 77 and drawn[0] > 5:
        raise ValueError(drawn)


STRINGS = st.binary(min_size=9, max_size=9)


def test_a_search_begins_with_a_draw_that_is_known_to_fail():
    known = bytes([200, 200, 200, 77, 99, 99, 99, 99, 99])
    run_cases(STRINGS, fails_at_77, cases=2, seed=0, simplify=True)
    with pytest.raises(ValueError, match=r"77|M") as raised:
        run_cases(STRINGS, fails_at_77, cases=2, seed=0, simplify=True, database=RunnerBeginning(known))
    assert raised.value.args == (bytes([6, 0, 0, 77, 0, 0, 0, 0, 0]),)


def test_a_database_remembers_a_failure():
    database = InMemoryExampleDatabase()
    with pytest.raises(ValueError, match=r"77|M"):
        run_cases(STRINGS, fails_at_77, cases=5000, seed=0, simplify=True, database=database)
    with pytest.raises(ValueError, match=r"77|M") as raised:
        run_cases(STRINGS, fails_at_77, cases=1, seed=1, database=database)
    assert raised.value.args == (bytes([6, 0, 0, 77, 0, 0, 0, 0, 0]),)
