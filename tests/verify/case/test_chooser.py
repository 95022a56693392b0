"""Strings of bytes choose cases, whoever draws them."""

from verify.case.case import Case
from verify.case.cases import case_chooser
from verify.reference.spec import Spec


def test_a_seed_draws_the_strings_that_choose_cases():
    chosen = case_chooser(Spec("relu"), dtypes=("float32",))
    first, again, other = (chosen.drawn(50, seed) for seed in (1, 1, 2))
    assert first == again != other
    drawn = [chosen.case(string) for string in first]
    assert len(set(drawn)) == 50
    assert {case.dtype for case in drawn} == {"float32"}
    assert len({case.regime for case in drawn}) > 5
    assert chosen.case(bytes(chosen.length)) == Case((2, 2), 2, "float32")


def test_the_simplest_case_is_the_first():
    chosen = case_chooser(Spec("relu"))
    first = chosen.first(20, 3)
    assert first == [bytes(chosen.length), *chosen.drawn(19, 3)]
    assert chosen.case(first[0]) == Case((2, 2), 2)
    assert chosen.first(1, 3) == first[:1]
