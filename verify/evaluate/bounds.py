"""JAX's derivative in NumPy, every number with a bound on the rounding error that it can carry.

A rule of the table takes operands as pairs (value, error) and returns the pair of its result; what a pair says, and
why ``at.rounded`` is what one rounding costs, stands in `verify.evaluate.arithmetic`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from verify.evaluate import structure
from verify.evaluate.arithmetic import (
    EXACT,
    LIBRARY_ULPS,
    REFERENCE_ROUNDOFF,
    SIGMOID_ULPS,
    SMALLEST,
    Arithmetic,
    Array,
    Pair,
)
from verify.evaluate.program import NoRule, Program, require_rules, run

__all__ = ["EXACT", "RULES", "Arithmetic", "Array", "Pair", "evaluate", "literal"]

# In the rules below the operands are pairs (a, ea), (b, eb). A result in square brackets is the error before its
# own rounding, which `rounded` adds. "Exact" means that the operation itself never rounds.

Rule = Callable[..., Pair]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a rule into the table under the names of its primitives."""

    def enter(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return enter


def _full(v: Array, e: Array) -> Array:
    """The errors in the shape of the values."""
    return e if e.shape == v.shape else np.broadcast_to(e, v.shape)


def _surely(e: Array) -> Array:
    """An error with what its own arithmetic may have rounded off, for where it is subtracted or compared.

    Elsewhere every term is positive and the slack in `evaluate` covers that, some thousands of 2**-53.
    """
    return e * (1 + 2.0**-30)


def _integral(parameters: Mapping[str, Any]) -> bool:
    """Whether a result is an integer, such as an index: then nothing rounds."""
    dtype = parameters.get("out_dtype")
    return dtype is not None and dtype.kind in "iu"


# --- arithmetic


@rule("add", "add_any")
def _add(at: Arithmetic, parameters: Mapping[str, Any], a: Pair, b: Pair) -> Pair:  # [ea + eb]
    v, e = a[0] + b[0], a[1] + b[1]
    return (v, e) if _integral(parameters) else at.rounded(v, e)


@rule("sub")
def _sub(at: Arithmetic, parameters: Mapping[str, Any], a: Pair, b: Pair) -> Pair:  # [ea + eb]
    v, e = a[0] - b[0], a[1] + b[1]
    return (v, e) if _integral(parameters) else at.rounded(v, e)


@rule("mul")
def _mul(at: Arithmetic, parameters: Mapping[str, Any], a: Pair, b: Pair) -> Pair:
    """[|a| eb + ea (|b| + eb)], from (a + da) (b + db) - a b."""
    v = a[0] * b[0]
    if b[1] is EXACT:  # one term is left
        e = a[1] * abs(b[0])
    elif a[1] is EXACT:
        e = abs(a[0]) * b[1]
    else:
        e = abs(a[0]) * b[1] + a[1] * (abs(b[0]) + b[1])
    return (v, e) if _integral(parameters) else at.rounded(v, e)


@rule("div")
def _div(at: Arithmetic, parameters: Mapping[str, Any], a: Pair, b: Pair) -> Pair:
    """[(ea + |q| eb) / (|b| - eb)], infinite if b may be 0: a'/b' - q = (a' - q b') / b', with q = a/b."""
    quotient = a[0] / b[0]
    if _integral(parameters):
        return _truncated(quotient, np.where((a[1] > 0) | (b[1] > 0), np.inf, 0.0))
    room = abs(b[0]) - _surely(b[1])
    error = np.where(room > 0, (a[1] + abs(quotient) * b[1]) / room, np.inf)
    return at.rounded(quotient, error)


@rule("neg")
def _neg(at: Arithmetic, _: Any, a: Pair) -> Pair:  # exact
    return -a[0], a[1]


@rule("abs")
def _abs(at: Arithmetic, _: Any, a: Pair) -> Pair:  # exact; ||a+da| - |a|| <= |da|
    return abs(a[0]), a[1]


@rule("square")
def _square(at: Arithmetic, _: Any, a: Pair) -> Pair:  # as a * a
    return _mul(at, _, a, a)


@rule("one_minus_square")
def _one_minus_square(at: Arithmetic, _: Any, a: Pair) -> Pair:  # as (1 - a) (1 + a), JAX's own way
    one = (np.ones(()), EXACT)
    return _mul(at, {}, _sub(at, {}, one, a), _add(at, {}, one, a))


@rule("integer_pow")
def _integer_pow(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
    """A power by repeated products, in any order of squarings: |y| - 1 of them round, then one division if y < 0.

    [(|a| + ea)^n - |a|^n], n = |y|, as the sum ea (|a|+ea)^k |a|^(n-1-k), which does not cancel; the roundings of
    n - 1 products together are (1 + u)^(n-1) - 1 of the result, plus one underflow each, grown by later factors.
    (A square of what underflowed adds twice a product with a number below eta: less than another underflow.)
    """
    exponent = parameters["y"]
    n = abs(exponent)
    largest, magnitude = abs(a[0]) + a[1], abs(a[0])
    power, powers, large_powers = np.ones_like(a[0]), [np.ones_like(magnitude)], [np.ones_like(largest)]
    for _ in range(n):  # not ``**``, whose error is a library's
        power = power * a[0]
        powers.append(powers[-1] * magnitude)
        large_powers.append(large_powers[-1] * largest)
    error = np.zeros_like(largest)
    for k in range(n):
        error = error + a[1] * large_powers[k] * powers[n - 1 - k]
    if n > 1:
        error += at.share(large_powers[n], float(np.expm1((n - 1) * np.log1p(at.u))))
        error += at.eta * sum(large_powers[: n - 1])
    if exponent < 0:
        return _div(at, {}, (np.ones(()), EXACT), (power, error))
    return power, error


@rule("reduce_sum")
def _reduce_sum(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
    """[sum e], and (n - 1) u sum(|v| + e) for n - 1 additions in any order.

    Rump, Error estimation of floating-point summation and dot product, BIT 52 (2012), theorem 3.1.
    """
    axes = parameters["axes"]
    total = np.add.reduce(a[0], axes)
    n = a[0].size // max(total.size, 1)
    error = np.add.reduce(_full(*a), axes) if a[1].ndim else n * a[1]
    if n == 1 or _integral(parameters):
        return total, error
    largest = np.add.reduce(abs(a[0]), axes) + error
    return total, error + (at.share(largest, (n - 1) * at.u) + (n - 1) * at.eta)


@rule("dot_general")
def _dot_general(at: Arithmetic, parameters: Mapping[str, Any], a: Pair, b: Pair) -> Pair:
    """[|A| Eb + Ea (|B| + Eb)], and n u (|A| + Ea)(|B| + Eb) for inner products of size n in any order.

    Jeannerod and Rump, Improved error bounds for inner products in floating-point arithmetic, SIAM J. Matrix
    Anal. Appl. 34 (2013). Both terms are gathered into two products of matrices. An underflow in a product leaves
    nothing to add, so that there are n underflows at most and not 2 n - 1.
    """
    A, B = structure.left_matrices(parameters, a[0]), structure.right_matrices(parameters, b[0])
    Eb = structure.right_matrices(parameters, _full(*b)) if b[1].ndim else b[1]
    n = A.shape[-1]
    largest_b = abs(B) + Eb
    error = abs(A) @ (Eb + (n * at.u) * largest_b)
    if a[1].ndim or a[1]:
        error += structure.left_matrices(parameters, _full(*a)) @ ((1 + n * at.u) * largest_b)
    # The error holds n u of the largest partial sums: infinite where these overflow.
    if at.headroom != 1:
        error = at.share(error / (n * at.u), n * at.u)
    error += n * at.eta
    return structure.restored(parameters, A @ B, a[0], b[0]), structure.restored(
        parameters, error, a[0], b[0]
    )


# --- functions: the error comes from the derivative's largest value between a - ea and a + ea


# Exponentials that underflow here are taken to be SMALLEST: a large ea may lift them from there.


@rule("exp")
def _exp(at: Arithmetic, _: Any, a: Pair) -> Pair:  # [v expm1(ea)]: exp(a+d) - exp(a) = exp(a) (exp(d) - 1)
    v = np.exp(a[0])
    return at.rounded(v, np.maximum(v, SMALLEST) * np.expm1(a[1]), LIBRARY_ULPS)


@rule("expm1")
def _expm1(at: Arithmetic, _: Any, a: Pair) -> Pair:  # [exp(a) expm1(ea)], as for exp
    error = np.maximum(np.exp(a[0]), SMALLEST) * np.expm1(a[1])
    return at.rounded(np.expm1(a[0]), error, LIBRARY_ULPS)


@rule("log")
def _log(at: Arithmetic, _: Any, a: Pair) -> Pair:
    """[-log(1 - ea/a)], which is log(a) - log(a - ea); infinite if a may be 0."""
    return at.rounded(np.log(a[0]), _log_error(a[0], a[1]), LIBRARY_ULPS)


@rule("log1p")
def _log1p(at: Arithmetic, _: Any, a: Pair) -> Pair:  # [-log(1 - ea/(1+a))], as for log
    return at.rounded(np.log1p(a[0]), _log_error(1 + a[0], a[1]), LIBRARY_ULPS)


def _log_error(a: Array, ea: Array) -> Array:
    share = _surely(ea) / a
    return np.where((a > 0) & (share < 1), -np.log1p(-share), np.inf)


@rule("sqrt")
def _sqrt(at: Arithmetic, _: Any, a: Pair) -> Pair:
    """[ea / sqrt(a)]: sqrt(a+d) - sqrt(a) = d / (sqrt(a+d) + sqrt(a)); infinite if a may be below 0."""
    v = np.sqrt(a[0])
    error = np.where(_surely(a[1]) <= a[0], a[1] / v, np.inf)
    return at.rounded(v, np.where((a[0] == 0) & (a[1] == 0), 0.0, error))


@rule("logistic")
def _logistic(at: Arithmetic, _: Any, a: Pair) -> Pair:
    """[v (1 - v) expm1(ea), at most 1]: s(a+d) - s(a) = s(a+d) (1 - s(a)) (1 - exp(-d)), s(a+d) <= s(a) exp(d).

    1 - v is s(-a), without cancellation.
    """
    small = np.exp(-abs(a[0]))
    larger = 1 / (1 + small)
    v = np.where(a[0] < 0, small * larger, larger)
    error = np.maximum(small, SMALLEST) * larger * larger * np.expm1(a[1])
    return at.rounded(v, np.minimum(error, 1.0), SIGMOID_ULPS)


@rule("tanh")
def _tanh(
    at: Arithmetic, _: Any, a: Pair
) -> Pair:  # [2 s(2a) (1 - s(2a)) expm1(2 ea), at most 2]: tanh(a) = 2 s(2a) - 1
    small = np.exp(-2 * abs(a[0]))
    error = 2 * np.maximum(small, SMALLEST) / (1 + small) ** 2 * np.expm1(2 * a[1])
    return at.rounded(np.tanh(a[0]), np.minimum(error, 2.0), LIBRARY_ULPS)


# --- choices: a comparison is a pair (outcome, doubt), where doubt marks outcomes that either side may have


@rule("max")
def _max(
    at: Arithmetic, _: Any, a: Pair, b: Pair
) -> Pair:  # exact; the error of the larger, or of either in doubt
    return np.maximum(a[0], b[0]), _extreme_error(a[0] - b[0], a[1], b[1])


@rule("min")
def _min(at: Arithmetic, _: Any, a: Pair, b: Pair) -> Pair:  # exact, as max
    return np.minimum(a[0], b[0]), _extreme_error(b[0] - a[0], a[1], b[1])


def _extreme_error(lead: Array, ea: Array, eb: Array) -> Array:
    """The error of max(a, b) where a leads b by ``lead``: max moves no more than the argument that it may take."""
    in_doubt = _surely(ea + eb)
    return np.where(lead > in_doubt, ea, np.where(-lead > in_doubt, eb, np.maximum(ea, eb)))


@rule("clamp")
def _clamp(at: Arithmetic, _: Any, low: Pair, a: Pair, high: Pair) -> Pair:  # exact, as max
    return np.clip(a[0], low[0], high[0]), np.maximum(a[1], np.maximum(low[1], high[1]))


@rule("reduce_max")
def _reduce_max(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:  # exact, as max
    axes = parameters["axes"]
    return a[0].max(axis=axes), _full(*a).max(axis=axes)


@rule("reduce_min")
def _reduce_min(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:  # exact, as max
    axes = parameters["axes"]
    return a[0].min(axis=axes), _full(*a).max(axis=axes)


def _comparison(outcome: Callable[[Array, Array], Array]) -> Rule:
    def compare(at: Arithmetic, _: Any, a: Pair, b: Pair) -> Pair:
        """In doubt where the intervals overlap, or an error is NaN; a number compared with itself never is."""
        result = outcome(a[0], b[0])
        if a is b:
            return result, np.zeros_like(result)
        doubt = _surely(a[1] + b[1])
        return result, ~(abs(a[0] - b[0]) > doubt) & (doubt != 0)

    return compare


RULES.update(
    gt=_comparison(np.greater),
    ge=_comparison(np.greater_equal),
    lt=_comparison(np.less),
    le=_comparison(np.less_equal),
    eq=_comparison(np.equal),
    ne=_comparison(np.not_equal),
)


@rule("and")
def _and(at: Arithmetic, _: Any, a: Pair, b: Pair) -> Pair:
    return a[0] & b[0], a[1] | b[1]


@rule("or")
def _or(at: Arithmetic, _: Any, a: Pair, b: Pair) -> Pair:
    return a[0] | b[0], a[1] | b[1]


@rule("not")
def _not(at: Arithmetic, _: Any, a: Pair) -> Pair:
    return ~a[0], a[1]


@rule("select_n")
def _select_n(at: Arithmetic, _: Any, which: Pair, *branches: Pair) -> Pair:
    """The chosen branch; in doubt, also the distance to the other. This makes a kink of relu exact."""
    if len(branches) != 2:
        raise NoRule(
            "the gradient of this loss uses select_n among more than two branches: nest jnp.where instead"
        )
    (v0, e0), (v1, e1) = branches
    v = np.where(which[0], v1, v0)
    own = np.where(which[0], e1, e0)
    either = np.maximum(abs(v - v0) + e0, abs(v - v1) + e1)
    return v, np.where(which[1], either, own)


@rule("sign")
def _sign(at: Arithmetic, _: Any, a: Pair) -> Pair:  # in doubt (by 2) where the interval reaches 0
    return np.sign(a[0]), np.where(~(abs(a[0]) > _surely(a[1])) & (a[1] != 0), 2.0, 0.0)


@rule("is_finite")
def _is_finite(at: Arithmetic, _: Any, a: Pair) -> Pair:  # in doubt where nothing is known
    return np.isfinite(a[0]), ~np.isfinite(a[1])


# --- structure: these move numbers and do not round, so bounds move along


def _moved(move: structure.Move) -> Rule:
    def moved(at: Arithmetic, parameters: Mapping[str, Any], *pairs: Pair) -> Pair:
        v = move(at.sizes, parameters, *[v for v, _ in pairs])
        if all(e is EXACT for _, e in pairs):
            return v, EXACT
        return v, move(at.sizes, parameters, *[_full(v, e) for v, e in pairs])

    return moved


RULES.update({name: _moved(move) for name, move in structure.MOVES.items()})


def _cancelling_shift(at: Arithmetic, _: Any, a: Pair) -> Pair:
    """A shift m that the result does not depend on: another evaluation, at m' = m + d, gives the same function.

    All its exponentials are those at m times exp(-d), so relative errors are the same. What remains of d: z - m' is
    rounded instead of z - m, which is u ea, and so is the logarithm of the sum of the exponentials, which is
    2 LIBRARY_ULPS u ea. Twice the sum of both enters with m, and from there every exponential. An underflow is
    scaled by exp(-d) too; so this holds for d up to 1/2, which `Arithmetic.eta` has room for.
    """
    return a[0], np.where(a[1] <= 0.5, 2 * (1 + 2 * LIBRARY_ULPS) * at.u * a[1], a[1])


@rule("convert_element_type")
def _convert_element_type(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
    """Sizes and outcomes become floats exactly (an outcome in doubt is off by 1); floats stay as they are.

    A size beyond the format's integers, and a conversion to a narrower float, would round. A float that becomes
    an integer loses its fraction.
    """
    target = np.dtype(parameters["new_dtype"])
    if a[0].dtype == bool:
        return a[0].astype(float), a[1].astype(float)
    if target.kind in "iu":
        return _truncated(*a)
    if target.kind == "f" and np.any(abs(a[0]) > 1 / at.u):
        return at.rounded(a[0], a[1])
    if target.kind == "f" and np.finfo(target.type).eps / 2 > REFERENCE_ROUNDOFF:
        return at.rounded(a[0], a[1] + np.finfo(target.type).eps / 2 * abs(a[0]))
    return a


def _truncated(v: Array, e: Array) -> Pair:  # towards 0; off by what lies between the truncated ends
    low, high = np.trunc(v - _surely(e)), np.trunc(v + _surely(e))
    return np.trunc(v), np.where(low == high, 0.0, high - low)


_RULES_OF_SHIFTS = {**RULES, "stop_gradient": _cancelling_shift}


def literal(at: Arithmetic, value: Any) -> Pair:
    """A constant of the formula: exact where the judged format holds it, else off by its rounding.

    [u abs(c) + eta], infinite where it overflows. Constants below the smallest normal number may be flushed to 0.
    """
    constant = np.asarray(value, dtype=None if np.asarray(value).dtype == bool else float)
    if constant.dtype == bool:
        return constant, np.zeros((), dtype=bool)
    with np.errstate(over="ignore"):
        inexact = (constant.astype(at.dtype) != constant) | ((abs(constant) < at.eta) & (constant != 0))
    if not inexact.any():
        return constant, EXACT
    with np.errstate(over="ignore"):
        return constant, np.where(inexact, at.rounded(constant, EXACT)[1], 0.0)


@functools.lru_cache(maxsize=1024)
def _literals(program: Program, at: Arithmetic) -> list[tuple[int, Pair]]:
    """The program's constants by slot; they are the same for every size."""
    return [(slot, literal(at, value)) for slot, value in program.constants]


def evaluate(program: Program, inputs: list[Array], at: Arithmetic) -> list[Pair]:
    """The loss and the gradient's tensors, in the program's order, as pairs (value, bound).

    Parameters
    ----------
    program
        JAX's derivative: `verify.evaluate.program.traced`.
    inputs
        weight, bias, weight, bias, ..., x, y: what the judged code was given, held in float64 without rounding.
    at
        The arithmetic that the bounds are for.

    Returns
    -------
    list of (value, bound)
        float64 arrays of one shape. A bound is infinite where nothing can be said.

    Raises
    ------
    NoRule
        When the program has a primitive without a rule.
    """
    require_rules(program, RULES, "the bound")
    values: list[Any] = [None] * program.slots
    for slot, pair in _literals(program, at):
        values[slot] = pair
    for slot, array in zip(program.inputs, inputs, strict=True):
        values[slot] = (array, EXACT)
    with np.errstate(all="ignore"):
        pairs = run(program, _RULES_OF_SHIFTS if program.shifts_cancel else RULES, at, values)
        slack = 1 / (1 - _bound_roundings(program, inputs) * REFERENCE_ROUNDOFF)
        return [_finished(value, bound, slack) for value, bound in pairs]


def _bound_roundings(program: Program, inputs: list[Array]) -> int:
    """How often the arithmetic of a bound itself can round, one after the other.

    Every term of a bound is positive (where one is subtracted, `_surely` looks after it), so k roundings change it
    by a factor of at most 1 / (1 - k u). A rule has at most 64, counting eight for a function of NumPy's; a sum or
    a product of matrices as many more as it has terms, at most one for each entry of a layer's activations.
    """
    longest = max(max(array.shape, default=1) for array in inputs)
    return len(program.operations) * (64 + longest**2)


def _finished(value: Array, bound: Array, slack: float) -> Pair:
    """The bound in the shape of the value, with its slack; infinite where either is not a number."""
    return value, np.where(np.isfinite(value) & (bound >= 0), bound * slack, np.inf)
