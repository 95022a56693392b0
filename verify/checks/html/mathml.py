"""Formulas of the catalogue, which are lines of NumPy, as MathML."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from markupsafe import Markup

    Element = ElementTree.Element[str]

_SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "−", ast.USub: "−", ast.Mult: "⋅",
    ast.Gt: ">", ast.Lt: "<", ast.GtE: "≥", ast.LtE: "≤", ast.Eq: "=",
}  # fmt: skip
_LEVELS: dict[type[ast.operator], int] = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.MatMult: 2}
_TIGHT = 3
"""Above the level of every operator: what stands there needs brackets."""

_AXES = {0: "rows", 1: "columns"}


def formula_as_mathml(formula: str) -> Markup:
    """A formula as MathML, where it is one in Python's syntax; words after a comma stay words; else as code."""
    from markupsafe import Markup

    head, _, tail = formula.partition(", ")
    for text, words in ((formula, ""), (head, tail)):
        readable = re.sub(r"sum_k (\w+) (\w+)", r"sum_k(\1 * \2)", text).replace("f'", "f_prime")
        try:
            (statement,) = ast.parse(readable.strip()).body
            math = _element("math", _statement(statement))
        except (SyntaxError, ValueError, KeyError):
            continue
        written = Markup(ElementTree.tostring(math, encoding="unicode"))
        return written + (Markup("<span>, {}</span>").format(words) if words else Markup(""))
    return Markup("<code>{}</code>").format(formula)


def _element(tag: str, *inside: Element | str) -> Element:
    element = ElementTree.Element(tag)
    for item in inside:
        if isinstance(item, str):
            element.text = item
        else:
            element.append(item)
    return element


def _sign(text: str) -> Element:
    return _element("mo", text)


def _row(*parts: Element) -> Element:
    return _element("mrow", *parts)


def _fenced(*parts: Element, fences: str = "()") -> Element:
    return _row(_sign(fences[0]), *parts, _sign(fences[1]))


def _listed(items: list[ast.expr]) -> list[Element]:
    return [part for item in items for part in (_sign(","), _of(item))][1:]


def _name(name: str) -> Element:
    base, _, index = name.partition("_")
    if name == "f_prime":
        return _element("msup", _element("mi", "f"), _sign("′"))
    if len(index) == 1:
        return _element("msub", _element("mi", base), _element("mi", index))
    return _element("mi", name)


def _statement(node: ast.stmt) -> Element:
    if isinstance(node, ast.Assign):
        (target,) = node.targets
        return _row(_of(target), _sign("="), _of(node.value))
    if isinstance(node, ast.AugAssign):
        return _row(_of(node.target), _sign(_SIGNS[type(node.op)] + "="), _of(node.value))
    if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Name):
        return _of(node.value)
    raise ValueError("no formula")


def _of(node: ast.expr, level: int = 0) -> Element:
    """An expression, in brackets where it stands under an operator that binds tighter than its own."""
    if isinstance(node, ast.Name):
        return _name(node.id)
    if isinstance(node, ast.Constant):
        return _element("mn", str(node.value))
    if isinstance(node, ast.UnaryOp):
        inside = _row(_sign(_SIGNS[type(node.op)]), _of(node.operand, 2))
        return _fenced(inside) if level > 1 else inside
    if isinstance(node, ast.BinOp):
        return _binary(node, level)
    if isinstance(node, ast.Compare):
        (sign,), (right,) = node.ops, node.comparators
        inside = _row(_of(node.left), _sign(_SIGNS[type(sign)]), _of(right))
        return _fenced(inside) if level else inside
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return _element("msup", _of(node.value, _TIGHT), _element("mi", "T"))
    if isinstance(node, ast.Subscript):
        return _element("msub", _of(node.value, _TIGHT), _of(node.slice))
    if isinstance(node, ast.Tuple):
        return _fenced(*_listed(node.elts))
    if isinstance(node, ast.Call):
        return _call(node)
    raise ValueError("no formula")


def _binary(node: ast.BinOp, level: int) -> Element:
    if isinstance(node.op, ast.Div):
        return _element("mfrac", _of(node.left), _of(node.right))
    if isinstance(node.op, ast.Pow):
        return _element("msup", _of(node.left, _TIGHT), _of(node.right))
    own = _LEVELS[type(node.op)]
    between = _element("mspace") if isinstance(node.op, ast.MatMult) else _sign(_SIGNS[type(node.op)])
    if between.tag == "mspace":
        between.set("width", "0.3em")
    right = own + isinstance(node.op, (ast.Sub, ast.MatMult))
    inside = _row(_of(node.left, own), between, _of(node.right, right))
    return _fenced(inside) if level > own else inside


def _call(node: ast.Call) -> Element:
    function, words = node.func, {word.arg: word.value for word in node.keywords}
    if isinstance(function, ast.Attribute) and function.attr in ("sum", "mean") and not node.args:
        axis = words.pop("axis", None)
        if words or not isinstance(axis, (ast.Constant, type(None))):
            raise ValueError("no formula")
        index = _AXES[axis.value] if axis is not None and isinstance(axis.value, int) else ""
        return _over(function.attr, index, _of(function.value, 2))
    if not isinstance(function, ast.Name) or words:
        raise ValueError("no formula")
    if function.id == "abs":
        return _fenced(*_listed(node.args), fences="||")
    if function.id == "sqrt":
        return _element("msqrt", *_listed(node.args))
    if function.id in ("sum", "sum_k"):
        return _over("sum", function.id.partition("_")[2], _of(node.args[0], 2))
    return _row(_name(function.id), _fenced(*_listed(node.args)))


def _over(what: str, index: str, inside: Element) -> Element:
    sign = _sign("∑") if what == "sum" else _element("mi", "mean")
    return _row(_element("munder", sign, _element("mi", index)) if index else sign, inside)
