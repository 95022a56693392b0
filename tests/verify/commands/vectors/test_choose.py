"""Few vectors catch what many cases catch."""

import pytest

from verify.commands.vectors.choose import RELEASE, choose_vectors, mistakes_to_catch, vectors_to_choose_from
from verify.commands.vectors.vector import failed_vectors
from verify.diagnosis.mistakes import wrong_gradient
from verify.reference.spec import HIDDEN, OUTPUT_LOSSES, REDUCTIONS, Spec

SPEC = Spec("relu")


@pytest.fixture(scope="module")
def group():
    return choose_vectors(SPEC, "float64", 40, 0)


def test_the_release_set_has_every_activation_output_loss_and_reduction():
    assert {spec.hidden for spec in RELEASE} == set(HIDDEN)
    assert {(spec.output, spec.loss) for spec in RELEASE} == set(OUTPUT_LOSSES)
    assert {spec.reduction for spec in RELEASE} == set(REDUCTIONS)


def test_candidates_are_small_and_the_same_for_the_same_seed():
    cases = vectors_to_choose_from(SPEC, "float32", 40, 3)
    assert (
        cases
        == vectors_to_choose_from(SPEC, "float32", 40, 3)
        != vectors_to_choose_from(SPEC, "float32", 40, 4)
    )
    assert max(max(case.layer_sizes) for case in cases) <= 5
    assert len({case.regime for case in cases}) == 11


def test_a_group_catches_nearly_all_of_the_catalogue_and_says_which(group):
    names = {mistake.name for mistake in mistakes_to_catch(SPEC)}
    flags = {name for each in group for name in each.flags}
    assert flags <= names
    assert len(flags) >= 0.98 * len(names)
    assert len(group) <= 20
    assert failed_vectors(group, wrong_gradient(SPEC)) == [False] * len(group)


def test_flags_hold_when_the_group_is_carried_out(group):
    for mistake in mistakes_to_catch(SPEC)[::7]:
        if mistake.draws or sum(m.name == mistake.name for m in mistakes_to_catch(SPEC)) > 1:
            continue
        fails = failed_vectors(group, wrong_gradient(SPEC, mistake))
        assert [mistake.name in each.flags for each in group] == fails


def test_caches_show_since_two_have_the_same_shapes(group):
    flags = {name for each in group for name in each.flags}
    assert {"stale_gradient", "stale_inputs", "stale_batch_size", "reused_buffers", "accumulated"} <= flags
