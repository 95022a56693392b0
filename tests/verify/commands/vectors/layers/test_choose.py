"""Few vectors of a layer catch its chapter, and right backward passes meet their bounds."""

import numpy as np
import pytest

from tests.verify.commands.vectors.layers import reader
from tests.verify.commands.vectors.layers.failing import failed_layer_vectors
from tests.verify.reference.layers.right import RIGHT
from verify.case.layers.values import REGIMES
from verify.commands.vectors.layers.choose import (
    choose_layer_vectors,
    layer_cases_to_choose_from,
    layer_mistakes_to_catch,
    layer_vectors_failed_by,
)
from verify.commands.vectors.layers.files import write_layer_files
from verify.diagnosis.mistakes.layers import LAYER_CATALOGUE
from verify.reference.layers import reference_in_table

LAYERS = ("affine", "relu", "cross_entropy", "layer_norm", "max_pool2d")


@pytest.fixture(scope="module")
def groups():
    return {
        (name, dtype): choose_layer_vectors(reference_in_table(name), dtype, 35, 0)
        for name in LAYERS
        for dtype in ("float64", "float32")
    }


def test_candidates_are_small_and_the_same_for_the_same_seed():
    conv2d = reference_in_table("conv2d")
    cases = layer_cases_to_choose_from(conv2d, "float32", 63, 3)
    assert (
        cases
        == layer_cases_to_choose_from(conv2d, "float32", 63, 3)
        != layer_cases_to_choose_from(conv2d, "float32", 63, 4)
    )
    assert max(size for case in cases for _, size in case.sizes) <= 4
    assert {case.regime for case in cases} == set(REGIMES)
    assert {case.options for case in cases} == {
        (("stride", stride), ("pad", pad)) for stride in (1, 2, 3) for pad in (0, 1, 2)
    }


def test_a_mistake_that_changes_nothing_is_none():
    counted = {m.name for m in LAYER_CATALOGUE if m.counts(reference_in_table("cross_entropy"))}
    assert counted - {m.name for m in layer_mistakes_to_catch(reference_in_table("cross_entropy"))} == {
        "divided_by_batch"
    }


def test_groups_catch_every_mistake_and_say_which(groups):
    for (name, dtype), group in groups.items():
        names = {mistake.name for mistake in layer_mistakes_to_catch(reference_in_table(name))}
        assert {flag for each in group for flag in each.flags} == names, (name, dtype)
        assert {each.comment for each in group} >= set(REGIMES) - {"ties"}
        assert len(group) <= 25


def test_flags_hold_when_the_group_is_carried_out(groups):
    for (name, _), group in groups.items():
        for mistake in layer_mistakes_to_catch(reference_in_table(name))[::5]:
            assert [mistake.name in each.flags for each in group] == layer_vectors_failed_by(mistake, group)


def test_the_first_two_have_the_same_shapes_and_other_numbers(groups):
    for group in groups.values():
        first, second, *_ = group
        assert (first.sizes, first.options) == (second.sizes, second.options)
        assert any(not np.array_equal(a, b) for a, b in zip(first.inputs, second.inputs, strict=True))


def test_right_backward_passes_are_accepted(groups):
    for (name, _), group in groups.items():
        assert failed_layer_vectors(group, RIGHT[name]) == [False] * len(group), name


def test_only_where_numbers_tie_are_there_several_answers(groups):
    several = {
        (name, each.comment) for (name, _), group in groups.items() for each in group if each.answers[1:]
    }
    assert ("max_pool2d", "ties") in several
    assert several <= {("max_pool2d", "ties"), ("max_pool2d", "constant")}


def test_a_stale_cache_shows(groups):
    kept = []

    def stale(dout, x, w, b):
        key = x.shape, w.shape
        if not kept or kept[-1][0] != key:
            kept.append((key, RIGHT["affine"](dout, x, w, b)))
        return kept[-1][1]

    assert failed_layer_vectors(groups["affine", "float64"], stale)[:2] == [False, True]


def test_a_reader_of_the_file_judges_as_we_do(groups, tmp_path):
    vectors = [each for group in groups.values() for each in group]
    path, *_ = write_layer_files(vectors, tmp_path)
    read = reader.groups_of(path)
    assert [(name, dtype) for name, dtype, _ in read] == list(groups)
    for name, dtype, tests in read:
        assert all(reader.passes(RIGHT[name], test, dtype) for test in tests), name

        def halved(*arguments, right=RIGHT[name], **options):
            found = right(*arguments, **options)
            return tuple(d / 2 for d in found) if isinstance(found, tuple) else found / 2

        assert [reader.passes(halved, test, dtype) for test in tests] == [
            "halved" not in test["flags"] for test in tests
        ]
