"""A budget is a number of seconds, and its stages have no more than it has left."""

import math

import pytest

from verify.evaluate.budget import Budget


@pytest.fixture(autouse=True)
def patience():
    """The budgets as they are."""


def test_a_budget_without_seconds_is_never_spent():
    assert Budget().left == math.inf
    assert not Budget().spent


def test_nothing_is_left_of_no_seconds():
    assert Budget(0).spent
    assert Budget(-1).left < 0


def test_a_stage_has_no_more_than_the_whole():
    assert Budget(0).stage(1000).spent
    assert 0 < Budget(1000).stage(1).left <= 1
    assert 0 < Budget().stage(1000).left <= 1000
