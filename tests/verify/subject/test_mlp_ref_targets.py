"""The network that ships, as the oracle meets it."""

import mlp_ref
import verify
from verify.case.case import Case
from verify.subject import mlp_ref_targets


def test_every_activation_and_loss_of_the_network_has_its_spec():
    names = [target.name for target, _ in mlp_ref_targets.all_mlp_ref_targets()]
    assert len(names) == len(set(names)) == 12 == len(mlp_ref_targets.SPECS)
    assert mlp_ref_targets.SPECS["relu", "mse"] == verify.Spec(
        "relu", "identity", "squared_error", "mean_all"
    )


def test_each_is_verified_under_its_spec_and_under_no_other():
    options = {"cases": 6, "xla": 0, "certified": 0, "regimes": ["ordinary"], "diagnose": False}
    for target, spec in mlp_ref_targets.all_mlp_ref_targets():
        assert verify.check(target, spec, **options).ok, target.name
    other = verify.check(
        mlp_ref_targets.mlp_ref_target("tanh", "cross_entropy"), verify.Spec("sigmoid"), **options
    )
    assert other.verdict == "wrong"


def test_its_source_brings_it_into_scope():
    target = mlp_ref_targets.mlp_ref_target("relu", "softmax_mse")
    scope = {}
    exec(target.source, scope)
    case = Case((3, 4, 2), 5)
    for a, b in zip(scope["gradient"](*case.arrays()), target.gradient(*case.arrays()), strict=True):
        assert a.weight.tobytes() == b.weight.tobytes()
    assert target.loss(*case.arrays()) == mlp_ref.loss_and_gradient(*case.arrays(), "relu", "softmax_mse")[0]
