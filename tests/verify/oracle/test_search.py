"""The search judges every case once, gives each a follow-up, and keeps the simplest failure of each kind."""

from collections import Counter
from functools import partial
from types import SimpleNamespace

import pytest

from mlp_ref import loss_and_gradient
from verify.case.case import Case
from verify.case.cases import case_chooser
from verify.checks.examine import examine_case
from verify.checks.table import FOLLOW_UPS
from verify.evaluate.budget import Budget
from verify.oracle import search as searching
from verify.oracle.search import Search, follow_up_of
from verify.oracle.time_alarm import TimeUp
from verify.reference.spec import Spec
from verify.subject.answered_call import CALL_TIMES
from verify.subject.target import Target


def right(params, x, y):
    return loss_and_gradient(params, x, y)[1]


def test_each_case_has_one_follow_up_and_each_follow_up_its_share():
    search = Search(partial(examine_case, Target(right), Spec()), 200)
    search.run(case_chooser(), 0)
    assert len(search.seen) == search.judged.total() == 200
    assert len(set(search.seen)) == 200
    shares = Counter(follow_up_of(case) for case in search.seen)
    assert set(shares) == set(FOLLOW_UPS)
    assert min(shares.values()) > 20
    assert {follow_up_of(case, ("repeat",)) for case in search.seen} == {"repeat"}


def test_failures_of_different_kinds_are_simplified_apart():
    def gradient(params, x, y):
        if len(params) > 2:
            raise ValueError("too deep")
        return [(dw, -db) for dw, db in right(params, x, y)]

    search = Search(partial(examine_case, Target(gradient), Spec()), 200)
    search.run(case_chooser(regimes=["ordinary", "saturated"]), 0)
    simplest = {finding.check: finding.case for finding in search.findings}
    assert simplest["gradient"] == Case((2, 2), 2)
    assert simplest["runs"] == Case((2, 2, 2, 2), 2)


def test_a_sample_is_spread_over_what_was_judged():
    search = Search(partial(examine_case, Target(right), Spec()), 30)
    search.run(case_chooser(regimes=["no_hidden"]), 0)
    assert search.sample(3) == search.seen[::10]
    assert search.sample(0) == []


def test_the_sample_of_a_search_without_failures_is_known_before_it():
    chooser = case_chooser(regimes=["no_hidden"])
    search = Search(partial(examine_case, Target(right), Spec()), 30)
    expected = [search.expected_sample(chooser, 4, n) for n in (0, 2, 30)]
    assert search.expected_sample(chooser.strategy, 4, 2) == []
    search.run(chooser, 4)
    assert expected == [search.sample(n) for n in (0, 2, 30)]
    assert [len(sample) for sample in expected] == [0, 2, 30]


def test_nothing_is_judged_once_the_budget_is_spent():
    search = Search(partial(examine_case, Target(right), Spec()), 30, budget=Budget(0))
    search.run(case_chooser(), 0)
    assert search.judged.total() == 0
    assert search.findings == []
    assert search.survey(case_chooser(), 0, "gradient") == (0, 0)


def test_the_simplest_case_known_is_kept_when_the_budget_ends_the_search():
    class Calls(Budget):
        """A budget of calls, not of seconds: no test waits for a clock."""

        calls = 12

        @property
        def spent(self):
            self.calls -= 1
            return self.calls < 0

        def stage(self, seconds):
            return self

    seen = []

    def doubled(params, x, y):
        seen.append((len(params), sum(len(layer.bias) for layer in params) + x.shape[1] + len(x)))
        return [(2 * dw, 2 * db) for dw, db in right(params, x, y)]

    search = Search(partial(examine_case, Target(doubled), Spec()), 1000, budget=Calls())
    search.run(case_chooser(regimes=["ordinary"]), 0)
    [finding] = search.findings
    assert len(seen) == 12
    sizes = finding.case.layer_sizes
    assert (len(sizes) - 1, sum(sizes) + finding.case.batch) == min(seen)


def test_several_kinds_are_kept_when_the_budget_ends_as_they_are_repeated():
    class Calls(Budget):
        """A budget of calls, not of seconds."""

        def __init__(self, most):
            super().__init__()
            self.calls, self.most = 0, most

        @property
        def spent(self):
            self.calls += 1
            return self.calls > self.most

        def stage(self, seconds):
            return self

    def gradient(params, x, y):
        if len(params) > 2:
            raise ValueError("too deep")
        return [(dw, -db) for dw, db in right(params, x, y)]

    def found(most):
        budget = Calls(most)
        search = Search(partial(examine_case, Target(gradient), Spec()), 200, budget=budget)
        search.run(case_chooser(regimes=["ordinary", "saturated"]), 0)
        assert {finding.check for finding in search.findings} == {"gradient", "runs"}
        return budget.calls

    needed = found(10_000)
    for missing in (1, 2):  # in the end, Hypothesis repeats the simplest case of each kind
        found(needed - missing)


def test_a_call_hangs_that_takes_many_times_as_long_as_any_before(monkeypatch):
    monkeypatch.setattr(searching, "time", SimpleNamespace(perf_counter=lambda: 1000.0))
    search = Search(partial(examine_case, Target(right), Spec()), 1)
    assert search.waited() == (0.0, False)  # it is in no call
    for ago, longest, hangs in ((100.0, 50.0, False), (100.0, 0.1, True), (100.0, 0.0, True)):
        CALL_TIMES.began, CALL_TIMES.longest = 1000.0 - ago, longest
        assert search.waited() == (ago, hangs)
    Search(partial(examine_case, Target(right), Spec()), 1)
    assert (CALL_TIMES.began, CALL_TIMES.longest) == (None, 0.0)


def test_a_call_that_is_broken_off_in_a_case_of_practical_size_is_told():
    def broken_off(case, follow_up):
        raise TimeUp

    search = Search(broken_off, 1)
    with pytest.raises(TimeUp):
        search.run_also([Case((2, 2), 2)])
    assert search.at_work == Case((2, 2), 2)
    spent = Search(broken_off, 1, budget=Budget(0))
    spent.run_also([Case((2, 2), 2)])  # none is begun
    assert spent.at_work is None
