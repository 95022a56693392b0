"""The catalogue: each entry is a wrong gradient, plain, bounded, and found by the oracle."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import verify
from verify.case.case import Case
from verify.commands.mistakes import command as mistakes_command
from verify.commands.mistakes import criteria
from verify.commands.mistakes.certified_equal import certified_equal, small_cases
from verify.commands.mistakes.score import CONFIGURATIONS, cases_until_caught
from verify.diagnosis.bounded import bounded
from verify.diagnosis.mistakes import CATALOGUE, compatible, wrong_gradient
from verify.diagnosis.mistakes.right_backprop import RIGHT, backprop_gradient
from verify.reference.judge import judge
from verify.reference.spec import HIDDEN, OUTPUT_LOSSES, REDUCTIONS, Spec
from verify.reference.tensors import layers_of_tensors
from verify.reference.truth import Truth, tensors_of

NAMED = {mistake.name: mistake for mistake in CATALOGUE}
SPECS = [
    Spec(hidden, output, loss, reduction, l2)
    for hidden in HIDDEN
    for (output, loss), reduction, l2 in zip(OUTPUT_LOSSES, REDUCTIONS, (0, 0.1) * 3, strict=True)
]


def usual_labels(spec):
    return {"distribution": "one_hot", "probability": "binary", "real": "real"}[spec.targets]


def in_bounds(function, case):
    """The result of a function of the case's numbers, which carry bounds."""
    *params, x, y = (bounded(array, case.dtype) for array in case.inputs())
    return function(layers_of_tensors(params), x, y)


def test_the_catalogue_is_a_table_that_can_be_read():
    assert len(CATALOGUE) >= 80
    assert len(NAMED) == len(CATALOGUE)
    for mistake in CATALOGUE:
        texts = (mistake.name, mistake.family, mistake.wrong, mistake.right, mistake.story, mistake.hides)
        assert all(texts), mistake.name
        assert mistake.wrong != mistake.right, mistake.name
        assert mistake.touched, mistake.name
        assert any(mistake.counts(spec) for spec in CONFIGURATIONS), mistake.name


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_without_a_mistake_the_backpropagation_is_right(spec):
    for seed, dtype in enumerate(("float64", "float32")):
        case = Case((3, 4, 3), 4, dtype, labels=usual_labels(spec), seed=seed)
        truth = Truth.of(spec, case.inputs(), dtype)
        assert (
            judge(truth.tensors, tensors_of(wrong_gradient(spec)(*case.arrays())), dtype).verdict
            == "verified"
        )


@pytest.mark.parametrize(
    "name", ["softmax_diagonal", "bias_mean", "slope_twice", "single_deltas", "gradient_clipped"]
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_bounded_prediction_holds_the_plain_result_and_not_the_right_one(name, dtype):
    spec, case = Spec(), Case((3, 4, 3), 4, dtype, seed=5)
    function = wrong_gradient(spec, NAMED[name])
    predicted = tensors_of(in_bounds(function, case))
    assert all(
        p.contains(got) for p, got in zip(predicted, tensors_of(function(*case.arrays())), strict=True)
    )
    if name == "single_deltas" and dtype == "float32":
        return  # rounding float32 to float32 changes nothing
    if name == "gradient_clipped":
        return  # this case has no entry beyond the limit
    right = tensors_of(backprop_gradient(RIGHT, spec, *case.arrays()))
    assert not all(p.contains(got) for p, got in zip(predicted, right, strict=True))


@pytest.mark.parametrize("spec", CONFIGURATIONS, ids=str)
def test_every_prediction_holds_what_the_mistake_computes(spec):
    case = Case((3, 4, 4, 3), 4, labels=usual_labels(spec), seed=2)
    tried = 0
    for mistake in CATALOGUE:
        if mistake.counts(spec) and not mistake.draws and mistake.name != "weight_random":
            try:
                got = tensors_of(wrong_gradient(spec, mistake)(*case.arrays()))
            except ValueError:  # shapes that do not fit: so must it be with bounds
                with pytest.raises((ValueError, IndexError)):
                    in_bounds(wrong_gradient(spec, mistake), case)
                continue
            predicted = tensors_of(in_bounds(wrong_gradient(spec, mistake), case))
            assert all(p.contains(t) for p, t in zip(predicted, got, strict=True)), mistake.name
            tried += 1
    assert tried > 80


@pytest.mark.parametrize("family", sorted({mistake.family for mistake in CATALOGUE}))
def test_the_oracle_catches_every_mistake_of_a_family(family):
    spec = Spec("leaky_relu", "sigmoid", "binary_cross_entropy", "sum", l2=0.1)
    missed = [
        mistake.name
        for mistake in CATALOGUE
        if mistake.family == family
        and mistake.counts(spec)
        and not cases_until_caught(spec, mistake, cases=200)[0]
    ]
    assert missed == []


def test_a_mistake_that_a_repeated_case_does_not_show_is_caught_where_it_was_seen():
    def once(gradient, spec):
        calls = iter(range(10**6))

        def stateful(params, x, y):
            layers = gradient(params, x, y)
            return [type(a)(-a.weight, a.bias) for a in layers] if next(calls) == 0 else layers

        return stateful

    mistake = replace(NAMED["accumulated"], name="negated_once", state=once)
    after, case, check = cases_until_caught(Spec(), mistake, cases=20)
    assert (after, check) == (1, "gradient")
    assert case is not None


def test_variants_are_the_same_objects_each_time():
    # What is known of a hypothesis is remembered by the identity of its mistakes.
    for mistake in CATALOGUE:
        assert all(a is b for a, b in zip(mistake.variants, mistake.variants, strict=True))


def test_the_page_in_the_documentation_has_every_entry_as_it_is():
    text = (Path(__file__).parents[4] / "docs" / "mistakes.md").read_text(encoding="utf-8")
    for m in CATALOGUE:
        assert f"| `{m.name}` | `{m.wrong}` | `{m.right}` | {m.story} | {m.hides} |" in text, m.name
    assert text.count("\n| `") == len(CATALOGUE)


def test_mistakes_in_the_same_piece_are_not_made_together():
    assert not compatible(NAMED["bias_mean"], NAMED["bias_none"])
    assert compatible(NAMED["bias_mean"], NAMED["softmax_diagonal"], NAMED["accumulated"])
    with pytest.raises(ValueError, match="different pieces to be made together; got bias_mean, bias_none"):
        wrong_gradient(Spec(), NAMED["bias_mean"], NAMED["bias_none"])


def test_two_mistakes_are_made_together():
    spec, case = Spec(), Case((3, 4, 3), 4, seed=1)
    both = wrong_gradient(spec, NAMED["sum_for_mean"], NAMED["bias_none"])(*case.arrays())
    summed = wrong_gradient(spec, NAMED["sum_for_mean"])(*case.arrays())
    for layer, other in zip(both, summed, strict=True):
        np.testing.assert_array_equal(layer.weight, other.weight, strict=True)
        assert not layer.bias.any()
        assert other.bias.any()


def test_a_memory_is_forgotten_by_a_new_function():
    spec, case = Spec(), Case((3, 4, 3), 4)
    function = wrong_gradient(spec, NAMED["accumulated"])
    first = function(*case.arrays())[0].weight
    np.testing.assert_array_equal(function(*case.arrays())[0].weight, 2 * first, strict=True)
    again = wrong_gradient(spec, NAMED["accumulated"])(*case.arrays())[0].weight
    np.testing.assert_array_equal(again, first, strict=True)


def test_equality_with_the_right_gradient_is_certified():
    cases = [Case((2, 3, 2), 2, labels="real", seed=1), Case((3, 3, 3), 3, labels="real", seed=2)]
    identity = Spec("identity", "identity", "squared_error")
    assert certified_equal(identity, [NAMED["slope_dropped"]], cases) is True
    assert (
        certified_equal(Spec("tanh", "identity", "squared_error"), [NAMED["slope_dropped"]], cases) is False
    )
    assert certified_equal(identity, [NAMED["single_deltas"]], cases) is None
    assert certified_equal(identity, [NAMED["accumulated"]], cases) is None


def test_two_names_for_one_gradient_are_certified():
    spec = Spec()
    twice = [NAMED["weights_divided_again"], NAMED["bias_mean"]]
    assert certified_equal(spec, twice, small_cases(spec), [NAMED["divided_twice"]]) is True
    assert certified_equal(spec, twice[:1], small_cases(spec), [NAMED["divided_twice"]]) is False


@pytest.mark.parametrize("name", ["np.allclose", "finite difference"])
def test_a_criterion_accepts_what_is_right_and_rejects_what_is_not(name):
    spec, case = Spec(), Case((3, 4, 2), 3)
    criterion = criteria.CRITERIA[name]
    assert not criteria.criterion_rejects(criterion, wrong_gradient(spec), spec, [case])
    assert criteria.criterion_rejects(criterion, wrong_gradient(spec, NAMED["swapped_sign"]), spec, [case])
    # What the tolerance forgives: a delta that went through float32.
    assert not criteria.criterion_rejects(
        criterion, wrong_gradient(spec, NAMED["single_deltas"]), spec, [case]
    )


@pytest.mark.parametrize("spec", CONFIGURATIONS, ids=str)
def test_the_loss_that_finite_differences_probe_is_the_loss(spec):
    case = Case((3, 4, 2), 3, labels=usual_labels(spec))
    params, x, y = case.arrays()
    value, bound = Truth.of(spec, case.inputs(), "float64").loss
    assert abs(criteria.loss_for_criteria(spec, params, x, y) - value) <= bound


class TestCommand:
    def run(self, *arguments):
        import argparse

        parser = argparse.ArgumentParser()
        mistakes_command.add_arguments(parser)
        return mistakes_command.run(parser.parse_args(arguments))

    def test_it_prints_a_table_and_writes_its_figures(self, capsys, tmp_path):
        path = tmp_path / "figures.json"
        status = self.run(
            *(
                "--configurations",
                "1",
                "--only",
                "bias_mean",
                "swapped_sign",
                "--pairs",
                "1",
                "--json",
                str(path),
            )
        )
        printed = capsys.readouterr().out
        assert status == 0
        assert "bias_mean" in printed
        assert "singles   caught 2 of 2, 2 within 50 cases" in printed
        assert "named 2 of 2 (100.0%), alone 2; named but not there: 0" in printed
        assert "pairs     caught 1 of 1" in printed
        assert "right     diagnosed 0 of 1 right gradients" in printed
        figures = json.loads(path.read_text())
        assert [row["diagnosed"] for row in figures["singles"]] == [["swapped_sign"], ["bias_mean"]]

    def test_it_writes_a_page(self, tmp_path):
        path = tmp_path / "page.md"
        assert self.run("--configurations", "1", "--only", "bias_mean", "--page", str(path)) == 0
        text = path.read_text()
        assert "- Mistakes: 1 of 1 caught, after " in text
        assert f"\n{len(CATALOGUE)} ways to get" in text

    def test_an_unknown_name_is_refused_with_the_families(self, capsys):
        assert self.run("--only", "nonsense") == 2
        message = capsys.readouterr().err
        assert (
            "--only takes names of mistakes, or of families (output delta, output activation, reduction"
            in message
        )
        assert "got nonsense" in message

    def test_a_file_that_cannot_be_written_is_refused_before_anything_runs(self, capsys, tmp_path):
        assert self.run("--json", str(tmp_path / "missing" / "file.json")) == 2
        assert self.run("--page", str(tmp_path)) == 2
        message = capsys.readouterr().err
        assert "--json must be a file in a folder that exists; got " in message
        assert f"--page must be a file in a folder that exists; got {tmp_path}" in message

    def test_a_count_below_one_is_refused(self, capsys):
        with pytest.raises(SystemExit, match="2"):
            self.run("--cases", "0")
        assert "must be 1 or larger; got 0" in capsys.readouterr().err


def test_a_report_of_check_says_what_was_wrong():
    report = verify.check(wrong_gradient(Spec(), NAMED["bias_mean"]), cases=30, xla=0, certified=0)
    assert report.findings[0].mistakes == ("bias_mean",)
    assert "yours  dbias = dz.mean(axis=0)" in str(report)


def test_a_gradient_that_is_no_list_of_layers_is_not_diagnosed():
    found = verify.explain(lambda *_: None)
    assert (found.mistakes, found.unobserved) == ((), True)
    assert found.text == "no diagnosis: no call returned a gradient that could be compared"
