"""One runner draws, simplifies and ends for every caller."""

import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase

from verify.case.chooser import CaseChooser
from verify.case.runner import RunnerBeginning, drawn_cases, run_cases, search_cases


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
from verify.case.cases import case_chooser
from verify.case.runner import search_cases
from verify.reference.spec import Spec
chooser, seen = case_chooser(Spec(), regimes=["ties"], dtypes=["float32"]), []
search_cases(chooser{}, seen.append, cases=5, seed=0)
assert len(seen) == 5
first = set(map(chooser.case, chooser.first(5, 0)))
assert (set(seen) == first) == (not "{}")
"""


@pytest.mark.parametrize("source", ["", ".strategy"])
def test_hypothesis_writes_each_case_with_its_features_where_asked(source, tmp_path):
    environment = {
        **os.environ,
        "HYPOTHESIS_EXPERIMENTAL_OBSERVABILITY": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    subprocess.run(
        [sys.executable, "-c", OBSERVED.format(source, source)], cwd=tmp_path, env=environment, check=True
    )
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


CHOOSER = CaseChooser(9, lambda choices: choices)


def test_a_search_puts_what_its_seed_draws_and_the_simplest_first():
    seen = []
    search_cases(CHOOSER, seen.append, cases=30, seed=5)
    assert seen == CHOOSER.first(30, 5) == drawn_cases(CHOOSER, 30, 5)


def test_a_search_without_hypothesis_ends_on_the_simplest_case_too():
    seen = []

    def fails(drawn):
        seen.append(drawn)
        fails_at_77(drawn)

    with pytest.raises(ValueError, match=r"77|M") as raised:
        search_cases(CHOOSER, fails, cases=5000, seed=0)
    assert raised.value.args == (bytes([6, 0, 0, 77, 0, 0, 0, 0, 0]),)
    before = next(i for i, drawn in enumerate(seen) if drawn[3] == 77 and drawn[0] > 5)
    assert seen[: before + 1] == CHOOSER.first(5000, 0)[: before + 1]


def test_a_search_without_hypothesis_simplifies_each_kind_apart_and_goes_on_for_as_long_as_it_took():
    drawn = CHOOSER.first(1000, 0)
    seen = []

    def fails(choices):
        seen.append(choices)
        if choices == drawn[30]:
            raise KeyError(choices)
        if choices in drawn[50:]:
            raise ValueError(choices)

    with pytest.raises(ExceptionGroup) as raised:
        search_cases(CHOOSER, fails, cases=1000, seed=0)
    assert {type(error) for error in raised.value.exceptions} == {KeyError, ValueError}
    # 30 passed before the first failure, 50 before the first of another kind; then as many again.
    assert seen[:102] == drawn[:102]
    assert seen[102] != drawn[102]


def test_a_search_puts_ten_cases_at_least_and_no_more_than_it_was_asked_for():
    for cases in (1, 4, 300):
        seen = []

        def fails(choices, seen=seen):
            seen.append(choices)
            raise ValueError(choices)

        with pytest.raises(ValueError, match="x00"):
            search_cases(CHOOSER, fails, cases=cases, seed=0)
        assert seen[: min(cases, 10)] == CHOOSER.first(300, 0)[: min(cases, 10)]
        assert CHOOSER.first(300, 0)[10] not in seen


def test_what_fails_once_alone_is_raised_all_the_same():
    failures = [ValueError("once")]

    def fails_once(choices):
        if failures:
            raise failures.pop()

    with pytest.raises(ValueError, match="once"):
        search_cases(CHOOSER, fails_once, cases=20, seed=0)


def test_a_search_without_hypothesis_keeps_failures_in_a_database_and_tries_them_first():
    database, seen = InMemoryExampleDatabase(), []
    search_cases(CHOOSER, seen.append, cases=20, seed=0, database=database)
    assert seen == CHOOSER.first(20, 0)  # it remembers nothing yet
    with pytest.raises(ValueError, match=r"77|M"):
        search_cases(CHOOSER, fails_at_77, cases=5000, seed=0, database=database)

    def fails(drawn):
        seen.append(drawn)
        fails_at_77(drawn)

    seen.clear()
    with pytest.raises(ValueError, match=r"77|M"):
        search_cases(CHOOSER, fails, cases=1, seed=1, database=database)
    assert set(seen) == {bytes([6, 0, 0, 77, 0, 0, 0, 0, 0])}
    seen.clear()
    search_cases(
        CHOOSER, seen.append, cases=20, seed=0, database=database
    )  # it fails no more, and is forgotten
    assert seen[-20:] == CHOOSER.first(20, 0)
    seen.clear()
    search_cases(CHOOSER, seen.append, cases=20, seed=0, database=database)
    assert seen == CHOOSER.first(20, 0)


def test_global_generators_draw_the_same_at_each_case_and_are_left_as_they_were():
    def draw(_):
        drawn.append((random.random(), np.random.random()))  # noqa: NPY002 - the global one
        if len(drawn) == 12:
            raise KeyboardInterrupt

    for source in (CHOOSER, STRINGS):
        drawn = []
        random.seed(77)
        np.random.seed(77)  # noqa: NPY002 - the global one
        with pytest.raises(KeyboardInterrupt):
            search_cases(source, draw, cases=20, seed=0)
        assert set(drawn) == {(random.Random(0).random(), np.random.RandomState(0).random())}
        after = random.random(), np.random.random()  # noqa: NPY002 - the global one
        assert after == (random.Random(77).random(), np.random.RandomState(77).random())
