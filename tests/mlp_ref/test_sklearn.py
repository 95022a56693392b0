import pickle
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn, whose estimators these are, is not installed")

from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from mlp_ref.sklearn import VerifiedMLPClassifier, VerifiedMLPRegressor

PAIRS = {
    "classifier": (VerifiedMLPClassifier, MLPClassifier),
    "regressor": (VerifiedMLPRegressor, MLPRegressor),
}
each_estimator = pytest.mark.parametrize("estimator", [VerifiedMLPClassifier, VerifiedMLPRegressor])
each_pair = pytest.mark.parametrize("kind", PAIRS)
ignore_no_convergence = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def problem(kind="classifier", dtype=np.float64, rows=60):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 5)).astype(dtype)
    if kind == "regressor":
        return x, x[:, 0] + np.sin(x[:, 1])
    return x, np.array(["low", "middle", "top"])[np.digitize(x[:, 0], [-0.5, 0.5])]


@each_estimator
@pytest.mark.parametrize("options", [{}, {"solver": "sgd"}, {"solver": "lbfgs", "max_iter": 50}], ids=str)
def test_every_check_of_scikit_learn_s_passes(estimator, options):
    """All of them, none expected to fail; some are skipped where pandas is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks give numbers that warn
        results = check_estimator(estimator(**options), on_skip=None, on_fail="raise")
    statuses = [result["status"] for result in results]
    assert set(statuses) <= {"passed", "skipped"}
    assert statuses.count("passed") > 50


def as_trained_by_nobody(estimator, x, y, layers):
    """Return an estimator of scikit-learn's or ours whose parameters are those given, which fit goes on from."""
    one_epoch = clone(estimator).set_params(max_iter=1, learning_rate_init=1e-300, alpha=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        one_epoch.fit(x, y)
    for mine, given in zip((*one_epoch.coefs_, *one_epoch.intercepts_), layers, strict=True):
        mine[...] = given
    return one_epoch.set_params(**estimator.get_params())


@each_pair
@pytest.mark.parametrize(
    "options",
    [
        {"momentum": 0.0, "nesterovs_momentum": False},
        {"momentum": 0.9, "nesterovs_momentum": False},
        {"momentum": 0.9},
        {"alpha": 0.5},
        {"learning_rate": "adaptive", "momentum": 0.0, "tol": 1e-2, "n_iter_no_change": 2},
        {"activation": "logistic", "batch_size": 60},
    ],
)
def test_an_epoch_is_that_of_scikit_learn_s_network(kind, options):
    """From the same parameters, the rows in the same order, the parameters and the losses are the same."""
    ours, theirs = PAIRS[kind]
    x, y = problem(kind)
    settings = {
        "hidden_layer_sizes": (4,), "solver": "sgd", "shuffle": False, "batch_size": 20, "max_iter": 30, "tol": 1e-9,
        "learning_rate_init": 0.05, "warm_start": True, **options,
    }  # fmt: skip
    outputs = 3 if kind == "classifier" else 1
    rng = np.random.default_rng(1)
    layers = [rng.normal(size=shape) for shape in ((5, 4), (4, outputs), (4,), (outputs,))]
    trained = []
    for estimator in (ours(**settings), theirs(**settings)):
        network = as_trained_by_nobody(estimator, x, y, layers)
        network.loss_curve_, network.best_loss_ = [], np.inf
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            trained.append(network.fit(x, y))
    mine, other = trained
    assert mine.n_iter_ == other.n_iter_
    np.testing.assert_allclose(mine.loss_curve_, other.loss_curve_, rtol=1e-9)
    for a, b in zip((*mine.coefs_, *mine.intercepts_), (*other.coefs_, *other.intercepts_), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-10, strict=True)


@each_pair
def test_what_scikit_learn_s_networks_take_and_say(kind):
    """Every parameter of theirs is one of ours, but the regressor's loss; and so is every attribute after a fit."""
    ours, theirs = PAIRS[kind]
    assert set(theirs().get_params()) - set(ours().get_params()) <= {"loss"}
    for name, value in ours().get_params().items():
        if name != "class_weight":
            assert value == theirs().get_params()[name]
    x, y = problem(kind)
    if kind == "classifier":  # scikit-learn 1.6 cannot stop early with labels that are strings
        y = np.unique(y, return_inverse=True)[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mine, other = (estimator(max_iter=3, early_stopping=True).fit(x, y) for estimator in (ours, theirs))
    for name in vars(other):
        if name.endswith("_"):
            assert (getattr(mine, name) is None) == (getattr(other, name) is None), name
    assert [a.shape for a in mine.coefs_] == [a.shape for a in other.coefs_]


@ignore_no_convergence
class TestFit:
    @each_estimator
    def test_float32_stays_float32(self, estimator):
        x, y = problem("regressor" if estimator is VerifiedMLPRegressor else "classifier", np.float32)
        fitted = estimator(max_iter=2).fit(x, y)
        assert {part.dtype for part in (*fitted.coefs_, *fitted.intercepts_)} == {np.dtype(np.float32)}

    def test_the_same_seed_gives_the_same_bits_and_another_other_ones(self):
        x, y = problem()
        one, two, three = (
            VerifiedMLPClassifier(max_iter=3, random_state=seed).fit(x, y) for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(one.coefs_[0], two.coefs_[0], strict=True)
        assert not np.array_equal(one.coefs_[0], three.coefs_[0])

    def test_warm_start_goes_on(self):
        x, y = problem()
        warm = VerifiedMLPClassifier(max_iter=5, warm_start=True, random_state=0).fit(x, y)
        first = warm.loss_curve_[0]
        warm.fit(x, y)
        assert len(warm.loss_curve_) == 10
        assert warm.loss_curve_[5] < first
        cold = warm.set_params(warm_start=False).fit(x, y)
        assert len(cold.loss_curve_) == 5
        assert cold.loss_curve_[0] == first

    def test_a_warm_start_with_a_new_class_is_refused(self):
        x, y = problem()
        warm = VerifiedMLPClassifier(max_iter=2, warm_start=True).fit(x, y)
        with pytest.raises(ValueError, match=r"y must hold labels among .* got \['new'\] too"):
            warm.fit(x, np.where(y == "low", "new", y))

    @pytest.mark.parametrize("solver", ["sgd", "adam"])
    def test_partial_fit_is_an_epoch_and_keeps_the_optimiser_s_memory(self, solver):
        x, y = problem()
        options = {"solver": solver, "shuffle": False, "random_state": 0, "n_iter_no_change": 99}
        bit_by_bit = VerifiedMLPClassifier(**options)
        for _ in range(4):
            bit_by_bit.partial_fit(x, y, classes=np.unique(y))
        at_once = VerifiedMLPClassifier(max_iter=4, **options).fit(x, y)
        np.testing.assert_array_equal(bit_by_bit.coefs_[0], at_once.coefs_[0], strict=True)
        assert bit_by_bit.loss_curve_ == at_once.loss_curve_
        assert (bit_by_bit.n_iter_, bit_by_bit.t_) == (1, at_once.t_)

    def test_partial_fit_may_see_a_class_late(self):
        x, y = problem()
        some = y != "top"
        net = VerifiedMLPClassifier().partial_fit(x[some], y[some], classes=["low", "middle", "top"])
        assert net.partial_fit(x, y).predict_proba(x).shape == (60, 3)

    def test_partial_fit_says_what_it_needs(self):
        x, y = problem()
        with pytest.raises(ValueError, match="classes must be passed in the first call of partial_fit"):
            VerifiedMLPClassifier().partial_fit(x, y)
        with pytest.raises(ValueError, match="classes must be those of the first call"):
            VerifiedMLPClassifier().partial_fit(x, y, classes=np.unique(y)).partial_fit(x, y, classes=["low"])
        with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
            VerifiedMLPClassifier(early_stopping=True).partial_fit(x, y, classes=np.unique(y))
        assert not hasattr(VerifiedMLPClassifier(solver="lbfgs"), "partial_fit")
        assert not hasattr(VerifiedMLPRegressor(solver="lbfgs"), "partial_fit")

    def test_early_stopping_keeps_the_best_and_says_how_it_went(self):
        x, y = load_digits(return_X_y=True)
        net = VerifiedMLPClassifier(early_stopping=True, random_state=0, n_iter_no_change=4).fit(x / 16, y)
        assert net.n_iter_ < 200
        assert len(net.validation_scores_) == len(net.validation_loss_curve_) == net.n_iter_
        assert net.best_validation_score_ == max(net.validation_scores_) > 0.9
        assert net.best_loss_ is None

    def test_a_regressor_s_validation_score_is_r_squared(self):
        x, y = load_diabetes(return_X_y=True)
        net = make_pipeline(
            StandardScaler(),
            VerifiedMLPRegressor(early_stopping=True, random_state=0, learning_rate_init=0.01),
        ).fit(x, y)[-1]
        assert 0.2 < net.best_validation_score_ < 1
        assert np.argmax(net.validation_scores_) == np.argmin(net.validation_loss_curve_)

    def test_no_convergence_is_a_warning(self):
        with pytest.warns(ConvergenceWarning, match="max_iter=2 iterations and had not converged yet"):
            VerifiedMLPClassifier(max_iter=2).fit(*problem())

    def test_verbose_prints_the_loss_of_every_epoch(self, capsys):
        net = VerifiedMLPRegressor(max_iter=2, verbose=True, random_state=0).fit(*problem("regressor"))
        lines = capsys.readouterr().out.splitlines()
        assert lines == [f"Iteration {i + 1}, loss = {loss:.8f}" for i, loss in enumerate(net.loss_curve_)]

    def test_classes_may_weigh_more(self):
        x, y = problem()
        plain, weighted = (
            VerifiedMLPClassifier(max_iter=20, class_weight=weight, random_state=0).fit(x, y)
            for weight in (None, {"low": 1, "middle": 100, "top": 1})
        )
        assert (weighted.predict(x) == "middle").sum() > (plain.predict(x) == "middle").sum()

    @each_estimator
    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            (
                {"activation": "sigmoid"},
                ValueError,
                "activation must be one of 'identity', 'logistic', 'tanh', 'relu'",
            ),
            ({"solver": "newton"}, ValueError, "solver must be one of 'sgd', 'adam', 'lbfgs', got 'newton'"),
            (
                {"learning_rate": "linear"},
                ValueError,
                "learning_rate must be one of 'constant', 'invscaling'",
            ),
            ({"alpha": -1}, ValueError, "alpha must be a finite number, at least 0, got -1"),
            (
                {"hidden_layer_sizes": (3, 0)},
                ValueError,
                "hidden_layer_sizes must be a positive integer, got 0",
            ),
            (
                {"hidden_layer_sizes": 2.5},
                TypeError,
                "hidden_layer_sizes must be a positive integer, got 2.5",
            ),
            ({"batch_size": 0}, ValueError, "batch_size must be a positive integer, got 0"),
            ({"max_iter": 0}, ValueError, "max_iter must be a positive integer, got 0"),
            (
                {"validation_fraction": 1},
                ValueError,
                "validation_fraction must be a finite number, more than 0 and",
            ),
            (
                {"momentum": 1.5, "solver": "sgd"},
                ValueError,
                "momentum must be a finite number, at least 0 and less",
            ),
        ],
    )
    def test_bad_parameters_are_named(self, estimator, options, error, message):
        x, y = problem("regressor" if estimator is VerifiedMLPRegressor else "classifier")
        with pytest.raises(error, match=message):
            estimator(**options).fit(x, y)

    def test_a_fraction_that_holds_out_one_row_is_refused(self):
        message = "validation_fraction must hold out two rows or more, but 0.01 of 60 rows are 1: increase it"
        with pytest.raises(ValueError, match=message):
            VerifiedMLPRegressor(early_stopping=True, validation_fraction=0.01).fit(*problem("regressor"))

    def test_targets_that_are_not_supported_say_so(self):
        x, _ = problem()
        with pytest.raises(
            ValueError, match=r"y must hold one label a row, got shape .*several labels a row"
        ):
            VerifiedMLPClassifier().fit(x, np.ones((60, 2), int))

    def test_a_batch_larger_than_the_data_is_a_warning(self):
        with pytest.warns(UserWarning, match="batch_size=100 is more than the 60 rows"):
            VerifiedMLPClassifier(max_iter=1, batch_size=100).fit(*problem())


@ignore_no_convergence
class TestPredict:
    def test_probabilities_belong_to_the_classes(self):
        x, y = problem()
        net = VerifiedMLPClassifier(max_iter=50, learning_rate_init=0.01, random_state=0).fit(x, y)
        p = net.predict_proba(x)
        np.testing.assert_allclose(p.sum(axis=1), np.ones(60), rtol=1e-14)
        np.testing.assert_array_equal(net.classes_[p.argmax(axis=1)], net.predict(x))
        np.testing.assert_array_equal(net.predict_log_proba(x), np.log(p))
        assert net.score(x, y) > 0.9

    def test_several_outputs(self):
        x, y = problem("regressor")
        net = VerifiedMLPRegressor(max_iter=3).fit(x, np.column_stack([y, -y]))
        assert net.predict(x).shape == (60, 2)
        assert VerifiedMLPRegressor(max_iter=3).fit(x, y).predict(x).shape == (60,)

    def test_plain_rows_and_others_give_the_same(self):
        x, y = problem()
        net = VerifiedMLPClassifier(max_iter=3).fit(x, y)
        expected = net.predict_proba(x)
        for rows in (x.tolist(), np.asfortranarray(x), np.ma.MaskedArray(x), x.astype(object)):
            np.testing.assert_allclose(net.predict_proba(rows), expected, rtol=1e-12)

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_bad_rows_are_refused_in_scikit_learn_s_words(self, bad):
        x, y = problem()
        net = VerifiedMLPClassifier(max_iter=1).fit(x, y)
        with pytest.raises(ValueError, match="X has 4 features, but VerifiedMLPClassifier is expecting 5"):
            net.predict(x[:, :4])
        x[3, 2] = bad
        with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
            net.predict(x)
        with pytest.raises(NotFittedError):
            VerifiedMLPClassifier().predict(x)


@ignore_no_convergence
class TestTogether:
    def test_in_a_pipeline_a_search_and_a_cross_validation(self):
        x, y = load_digits(return_X_y=True)
        pipeline = make_pipeline(
            StandardScaler(), VerifiedMLPClassifier(max_iter=15, learning_rate_init=0.01, random_state=0)
        )
        assert cross_val_score(pipeline, x[:600], y[:600], cv=3).mean() > 0.75
        search = GridSearchCV(pipeline, {"verifiedmlpclassifier__alpha": [1e-4, 100.0]}, cv=2).fit(
            x[:300], y[:300]
        )
        assert search.best_params_ == {"verifiedmlpclassifier__alpha": 1e-4}

    @each_estimator
    def test_a_pickled_estimator_predicts_the_same(self, estimator):
        x, y = problem("regressor" if estimator is VerifiedMLPRegressor else "classifier")
        net = estimator(max_iter=3).fit(x, y)
        twin = pickle.loads(pickle.dumps(net))
        np.testing.assert_array_equal(twin.predict(x), net.predict(x))

    def test_importing_the_package_does_not_import_scikit_learn(self):
        import subprocess
        import sys

        program = "import sys, mlp_ref; print('sklearn' in sys.modules, 'scipy' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert done.stdout == "False False\n"
