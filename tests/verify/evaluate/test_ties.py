import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from verify.evaluate import bounds
from verify.evaluate.backward_program import traced_backward
from verify.evaluate.decided_ties import decide_ties
from verify.evaluate.program import Operation, Program
from verify.evaluate.tie_choices import tie_choice_outcomes
from verify.evaluate.ties import (
    Tie,
    tie_directions,
    tie_outcomes_towards,
    tied_operations,
    ties_of,
)


def choices(function, x, cotangent):
    """The gradient of ``function`` at x for each choice at ties, and JAX's own."""
    backward = traced_backward(function, (x,))
    inputs = backward.inputs((x,), cotangent)
    at = bounds.Arithmetic.judging(np.float64, {})
    ties = tied_operations(backward.program, inputs)
    found = {"JAX": bounds.evaluate_with_bounds(backward.program, inputs, at)[1][0].tolist()}
    for name, direction in tie_directions([x.shape]):
        program = decide_ties(
            backward.program, ties, tie_outcomes_towards(backward.program, inputs, direction, ties)
        )
        found[name] = bounds.evaluate_with_bounds(program, inputs, at)[1][0].tolist()
    return found


def test_a_kink_has_the_slopes_of_both_sides():
    found = choices(lambda x: jnp.maximum(x, 0.0), np.array([-1.0, 0.0, 2.0]), np.array([3.0, 5.0, 7.0]))
    assert found["JAX"] == [0, 2.5, 7]
    assert found["from below"] == [0, 0, 7]
    assert found["from above"] == [0, 5, 7]


def test_the_maximum_of_equal_numbers_may_be_any_one_of_them():
    found = choices(lambda x: jnp.max(x, axis=0), np.array([2.0, 1.0, 2.0]), np.array(4.0))
    assert found["JAX"] == [2, 0, 2]
    assert found["the first of equals"] == [4, 0, 0]
    assert found["the last of equals"] == [0, 0, 4]
    assert all(sum(gradient) == 4 for gradient in found.values())


def test_the_minimum_of_equal_numbers_may_be_any_one_of_them():
    found = choices(lambda x: jnp.min(x, axis=0), np.array([1.0, 3.0, 1.0]), np.array(4.0))
    assert found["JAX"] == [2, 0, 2]
    assert [4, 0, 0] in found.values()
    assert [0, 0, 4] in found.values()


@pytest.mark.parametrize(("extreme", "end"), [(lax.max, -np.inf), (lax.min, np.inf)])
def test_of_the_equal_numbers_of_a_window_any_one_may_be_taken(extreme, end):
    x, cotangent = np.array([2.0, 2.0, 2.0, 5.0]), np.array([3.0, 7.0, 11.0])
    if extreme is lax.min:
        x = -x
    found = choices(lambda x: lax.reduce_window(x, end, extreme, (2,), (1,), "VALID"), x, cotangent)
    assert found["JAX"] == [3, 7, 0, 11]
    assert [0, 3, 7, 11] in found.values()
    assert all(sum(gradient) == 21 for gradient in found.values())


@pytest.mark.parametrize("x", [np.array([1.0, -2.0]), np.array([0.5, 1e-300])])
def test_without_a_tie_there_is_no_choice(x):
    found = choices(lambda x: jnp.maximum(x, 0.0), x, np.array([3.0, 5.0]))
    assert all(gradient == found["JAX"] for gradient in found.values())


def test_integers_that_are_equal_are_no_tie():
    labels = np.array([0, 1])
    backward = traced_backward(lambda x, y: jnp.where(y == 1, x, 2.0 * x), (np.ones(2), labels))
    assert tied_operations(backward.program, backward.inputs((np.ones(2), labels), np.ones(2))) == {}


ONE_OF_EQUALS = [
    "one of equals, by rows: last row, first column",
    "one of equals, by rows: first row, last column",
    "one of equals, by columns: last row, last column",
    "one of equals, by columns: last row, first column",
    "one of equals, by columns: first row, last column",
    "one of equals, by columns: first row, first column",
]


def test_the_directions_have_names():
    assert [name for name, _ in tie_directions([(2, 3)])] == [
        "from below",
        "from above",
        "the first of equals",
        "the last of equals",
        *ONE_OF_EQUALS,
    ]
    assert [name for name, _ in tie_directions([(2,), (3,)])][2:4] == [
        "the first input of equals",
        "the last input of equals",
    ]


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("from below", (-1, -1, -1)),
        ("from above", (1, 1, 1)),
        ("the first input of equals", (-1, -2, -3)),
        ("the last input of equals", (1, 2, 3)),
    ],
)
def test_each_input_moves_as_a_whole(name, steps):
    shapes = [(2,), (), (3, 1)]
    direction = dict(tie_directions(shapes))[name]
    for array, shape, step in zip(direction, shapes, steps, strict=True):
        np.testing.assert_array_equal(array, np.full(shape, step), strict=True)


@pytest.mark.parametrize("shape", [(), (4,), (3, 4), (2, 3, 4), (2, 2, 3, 2)])
def test_of_equals_the_first_or_the_last_gets_the_largest_step(shape):
    directions = dict(tie_directions([shape]))
    [last], [first] = directions["the last of equals"], directions["the first of equals"]
    assert last.shape == first.shape == shape
    assert (np.diff(last.ravel()) == 1).all()
    assert (np.diff(first.ravel()) == -1).all()


def test_a_single_number_is_moved():
    directions = dict(tie_directions([()]))
    assert directions["the last of equals"][0] > 0
    assert directions["the first of equals"][0] < 0


@pytest.mark.parametrize("name", ONE_OF_EQUALS)
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (2, 2, 4, 3)])
def test_of_equals_in_rows_and_columns_the_largest_step_is_at_a_corner(shape, name):
    row = 1 if "last row" in name else -1
    column = 1 if "last column" in name else -1

    def place_in_order(index):
        *before, i, j = index
        earlier = [row * k for k in before]  # they count most
        return (*earlier, row * i, column * j) if "by rows" in name else (*earlier, column * j, row * i)

    [direction] = dict(tie_directions([shape]))[name]
    steps = [direction[index] for index in sorted(np.ndindex(shape), key=place_in_order)]
    assert (np.diff(steps) > 0).all()


@pytest.mark.parametrize("name", ONE_OF_EQUALS)
def test_in_one_dimension_the_largest_step_is_at_an_end(name):
    [direction] = dict(tie_directions([(4,)]))[name]
    assert (np.diff(direction) * (1 if "last column" in name else -1) > 0).all()


def tied(function, *arrays):
    """Where each kind of comparison in a function's backward pass ties, by the name of the operation."""
    backward = traced_backward(function, arrays)
    cotangent = np.ones(backward.output_leaves[0].shape)
    found = tied_operations(backward.program, backward.inputs(arrays, cotangent))
    return {backward.program.operations[i].name: where.tolist() for i, where in found.items()}


def test_comparisons_tie_where_numbers_are_equal():
    assert tied(jax.nn.relu, np.array([-1.0, 0.0, 2.0])) == {"gt": [False, True, False]}
    assert tied(lambda x: jax.nn.relu(-jnp.flip(x)), np.array([-1.0, 0.0, 0.0])) == {
        "gt": [True, True, False]
    }
    assert tied(jax.nn.relu, np.array([-1.0, 2.0])) == {}
    assert tied(jnp.sin, np.zeros(2)) == {}


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: jnp.maximum(0.1 * a, b),
        lambda a, b: jnp.maximum(b, 0.1 * a),
        lambda a, b: jnp.maximum(0.1 * a, 0.1 * a) + b,
    ],
)
def test_equal_numbers_that_may_be_rounded_are_no_tie(function):
    assert tied(function, np.array([20.0]), np.array([2.0])) == {}
    assert 0.1 * 20.0 == 2.0


@pytest.mark.parametrize(
    ("extreme", "name", "sign"), [(jnp.max, "is_largest", 1), (jnp.min, "is_smallest", -1)]
)
def test_the_largest_entries_tie_where_there_are_several(extreme, name, sign):
    x = sign * np.array([[1.0, 2.0, 2.0], [3.0, 1.0, 2.0], [4.0, 4.0, 4.0]])
    where = [[False, True, True], [False, False, False], [True, True, True]]
    [found] = tied(lambda x: extreme(x, axis=1), x).values()
    assert found == where
    [found] = tied(lambda x: extreme(x, axis=0), x.T).values()
    assert found == np.transpose(where).tolist()


def test_of_the_largest_entries_those_that_may_be_rounded_are_in_no_tie():
    def function(x, y):
        return jnp.max(jnp.concatenate([x, 0.1 * y]))

    assert list(tied(function, np.array([2.0, 2.0]), np.array([20.0])).values()) == [[True, True, False]]
    assert tied(function, np.array([2.0, 1.0]), np.array([20.0])) == {}


@pytest.mark.parametrize(("extreme", "end", "sign"), [(lax.max, -np.inf, 1), (lax.min, np.inf, -1)])
def test_entries_tie_in_their_window(extreme, end, sign):
    x = sign * np.array([[1.0, 2.0, 0.0], [2.0, 0.0, 0.0]])
    [found] = tied(lambda x: lax.reduce_window(x, end, extreme, (2, 2), (1, 1), "VALID"), x).values()
    assert found == [[[False, True, True, False], [False, False, False, False]]]


@pytest.mark.parametrize(("extreme", "end", "sign"), [(lax.max, -np.inf, 1), (lax.min, np.inf, -1)])
def test_what_lies_outside_of_the_array_ties_with_nothing(extreme, end, sign):
    def function(x):
        return lax.reduce_window(x, end, extreme, (3,), (1,), [(1, 1)])

    assert list(tied(function, sign * np.array([-2.0, -2.0])).values()) == [
        [[False, True, True], [True, True, False]]
    ]
    assert tied(function, sign * np.array([-2.0, -3.0])) == {}


def outcomes_towards(function, arrays, name):
    """What the comparisons that tie say a step away, by the name of the operation."""
    backward = traced_backward(function, arrays)
    program = backward.program
    inputs = backward.inputs(arrays, np.ones(backward.output_leaves[0].shape))
    ties = tied_operations(program, inputs)
    shapes = [inputs[program.inputs.index(slot)].shape for slot in program.differentiated]
    outcomes = tie_outcomes_towards(program, inputs, dict(tie_directions(shapes))[name], ties)
    assert list(outcomes) == list(ties)
    return {program.operations[i].name: outcome.tolist() for i, outcome in outcomes.items()}


@pytest.mark.parametrize("end", [1.0, 2.0**1023, 2.0**-700, 2.0**-1020])
def test_a_step_is_smaller_than_any_number(end):
    """Just above -end, |x| is less than the end; it is more from a step of twice the end on."""

    def function(x):
        return jnp.maximum(jnp.abs(x), end)

    above = outcomes_towards(function, (np.array([-end]),), "from above")
    below = outcomes_towards(function, (np.array([-end]),), "from below")
    assert above == {"ge": [False], "le": [True]}
    assert below == {"ge": [True], "le": [False]}


def test_inputs_that_move_alike_stay_equal():
    arrays = np.array([1.0, 3.0]), np.array([1.0, 3.0])
    expected = {"ge": [True, True], "le": [True, True]}
    assert outcomes_towards(jnp.maximum, arrays, "from above") == expected
    assert outcomes_towards(jnp.maximum, arrays, "from below") == expected


def test_one_input_may_move_past_another():
    arrays = np.array([1.0]), np.array([1.0])
    assert outcomes_towards(jnp.maximum, arrays, "the first input of equals") == {"ge": [True], "le": [False]}
    assert outcomes_towards(jnp.maximum, arrays, "the last input of equals") == {"ge": [False], "le": [True]}


def test_integers_do_not_move():
    arrays = np.array([2, 2]), np.array([2.0, 1.0])

    def function(n, x):
        return jax.nn.relu(x - n.astype(x.dtype))

    assert outcomes_towards(function, arrays, "from above")["gt"][0] is True
    assert outcomes_towards(function, arrays, "from below")["gt"][0] is False


COMPARISONS = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}


def comparing(*operations, constants=(), differentiated=(0,)):
    """A program of comparisons, with two inputs in the slots 0 and 1."""
    made = tuple(Operation(name, {}, operands, (10 + i,)) for i, (name, *operands) in enumerate(operations))
    return Program(made, constants, (0, 1), (10,), 10 + len(made), differentiated=differentiated)


ONE_TIE = np.array([False, True])


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("constants", [(), ((1, 0.0),)])
def test_a_comparison_has_the_outcomes_of_both_sides_of_what_is_differentiated(name, constants):
    """With 0 in place of the other number, these are -1 and 1."""
    compare = COMPARISONS[name]
    for operands, below, above in [
        ((0, 1), compare(-1, 0), compare(1, 0)),
        ((1, 0), compare(0, -1), compare(0, 1)),
    ]:
        [tie] = ties_of(comparing((name, *operands), constants=constants), {0: ONE_TIE})
        assert tie.choices == (
            ("as the reference", ()),
            ("from below", ((0, 1, below),)),
            ("from above", ((0, 1, above),)),
        )


def test_of_two_that_are_differentiated_the_one_in_the_lower_slot_is_below():
    for differentiated in [(0, 1), (1,), (0,)]:
        below = differentiated == (1,)
        [tie] = ties_of(comparing(("gt", 0, 1), differentiated=differentiated), {0: ONE_TIE})
        assert tie.choices[1] == ("from below", ((0, 1, below),))


def test_what_depends_on_a_differentiated_input_is_the_one_that_is_below():
    program = comparing(("neg", 1), ("gt", 0, 10), differentiated=(1,))
    [tie] = ties_of(program, {1: ONE_TIE})
    assert tie.choices[1] == ("from below", ((1, 1, True),))


def test_a_number_beside_itself():
    [tie] = ties_of(comparing(("ge", 0, 0)), {0: ONE_TIE})
    assert tie.choices[1:] == (("from below", ((0, 1, False),)), ("from above", ((0, 1, True),)))


def test_comparisons_of_the_same_numbers_are_decided_together():
    program = comparing(("ge", 0, 1), ("gt", 1, 0))
    first, second = ties_of(program, {0: np.array([True, True]), 1: ONE_TIE})
    assert first.site == second.site
    assert [choice for _, choice in first.choices] == [(), ((0, 0, False),), ((0, 0, True),)]
    assert [choice for _, choice in second.choices] == [
        (),
        ((0, 1, False), (1, 1, True)),
        ((0, 1, True), (1, 1, False)),
    ]


def test_constants_are_the_same_where_their_numbers_are():
    def sites(constants, names=(("gt", 0, 5), ("lt", 6, 0)), shapes=((2,), (2,))):
        ties = ties_of(
            comparing(*names, constants=constants), {i: np.ones(s, bool) for i, s in enumerate(shapes)}
        )
        return len({tie.site for tie in ties})

    assert sites(((5, 0.0), (6, np.array(0.0)))) == 1
    assert sites(((5, 0.0), (6, 1.0))) == 2
    assert sites(((5, np.zeros(2)), (6, np.zeros(2)))) == 2
    assert sites(((5, 0.0), (6, 0.0)), shapes=((2,), (2, 1))) == 2


def test_one_tie_of_each_place():
    where = {0: np.array([[True, False], [True, True]])}
    ties = ties_of(comparing(("gt", 0, 1)), where)
    assert [tie.choices[1] for tie in ties] == [("from below", ((0, k, False),)) for k in (0, 2, 3)]


@pytest.mark.parametrize("across", [False, True])
def test_any_one_of_the_largest_entries_may_be_taken(across):
    where = np.array([[False, True, True, False], [False, False, False, False], [True, True, True, True]])
    number = np.arange(12).reshape(where.shape)  # of each place
    if across:
        where, number = where.T, np.arange(12).reshape(4, 3).T
    operation = Operation("is_largest", {"axes": (0 if across else 1,), "smallest": False}, (0,), (1,))
    program = Program((operation,), (), (0,), (1,), 2, differentiated=(0,))
    two, four = ties_of(program, {0: where})
    assert two.site == four.site == 0
    a, b = (int(k) for k in number[0, 1:3])
    assert two.choices == (
        ("as the reference", ()),
        ("the first of equals", ((0, a, True), (0, b, False))),
        ("the last of equals", ((0, a, False), (0, b, True))),
    )
    assert [name for name, _ in four.choices] == [
        "as the reference",
        "the first of equals",
        "one of equals",
        "one of equals",
        "the last of equals",
    ]
    for chosen, (_, outcomes) in zip(number[2], four.choices[1:], strict=True):
        assert outcomes == tuple((0, int(k), bool(k == chosen)) for k in number[2])


def test_any_one_of_the_largest_entries_of_a_window_may_be_taken():
    where = np.zeros((2, 2, 4), bool)
    where[0, 1, [0, 3]] = where[1, 0, [1, 2]] = True
    program = Program(
        (Operation("largest_in_window", {"smallest": False}, (0,), (1,)),),
        (),
        (0,),
        (1,),
        2,
        differentiated=(0,),
    )
    assert [tie.choices[1] for tie in ties_of(program, {0: where})] == [
        ("the first of equals", ((0, 4, True), (0, 7, False))),
        ("the first of equals", ((0, 9, True), (0, 10, False))),
    ]


def slopes(function, x):
    """The gradient of each choice at the ties of a function of one array, by the name of the choice."""
    backward = traced_backward(function, (x,))
    inputs = backward.inputs((x,), np.ones(x.shape))
    where = tied_operations(backward.program, inputs)
    ties: list[Tie] = ties_of(backward.program, where)
    found = {}
    for number, (name, _) in enumerate(ties[0].choices):
        outcomes = tie_choice_outcomes(ties, (number,) * len(ties), where)
        program = decide_ties(backward.program, where, outcomes)
        at = bounds.Arithmetic.judging(np.float64, {})
        found[name] = bounds.evaluate_with_bounds(program, inputs, at)[1][0].tolist()
    return found


def test_from_below_is_the_slope_on_the_left():
    assert slopes(jax.nn.relu, np.zeros(1)) == {"as the reference": [0], "from below": [0], "from above": [1]}
    assert slopes(jnp.abs, np.zeros(1)) == {"as the reference": [1], "from below": [-1], "from above": [1]}
    found = slopes(lambda x: jnp.clip(x, -0.5, 0.5), np.array([-0.5, 0.5]))
    assert found == {"as the reference": [0.5, 0.5], "from below": [0, 1], "from above": [1, 0]}
