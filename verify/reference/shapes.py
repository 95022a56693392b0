"""Shapes with symbols, such as ``"n g*c h w"``: parsed, and given sizes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Tree = Any
"""Shapes in the structure of an argument: a shape, or a dictionary, list or tuple of such."""


class Shape:
    """The shape of one array: a size or an expression of symbols for each axis.

    Parameters
    ----------
    text
        The axes, separated by spaces: names, integers, and their sums, differences and products without spaces
        between. Empty: a number.
    where
        What it is the shape of, for messages.

    Raises
    ------
    ValueError
        When an axis is none of these.
    """

    def __init__(self, text: str, where: str = "shape") -> None:
        self.text = text
        self.symbols: list[str] = []
        self._axes = [self._parsed(axis, where) for axis in text.split()]

    def _parsed(self, axis: str, where: str) -> Any:
        try:
            tree = ast.parse(axis, mode="eval")
        except SyntaxError:
            raise ValueError(
                f"{where} must be axes separated by spaces; got {axis!r} in {self.text!r}"
            ) from None
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                self.symbols.append(node.id)
            elif not isinstance(node, _ALLOWED) or (
                isinstance(node, ast.Constant) and type(node.value) is not int
            ):
                raise ValueError(
                    f"{where} may have names, integers, +, - and * in an axis; got {axis!r} in {self.text!r}"
                )
        return compile(tree, "<shape>", "eval")

    def at(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The shape as numbers."""
        return tuple(int(eval(axis, {}, dict(sizes))) for axis in self._axes)

    def __repr__(self) -> str:
        return repr(self.text)


_ALLOWED = (
    ast.Expression,
    ast.BinOp,
    ast.Name,
    ast.Constant,
    ast.Load,
    ast.Add,
    ast.Sub,
    ast.Mult,
)


def parse_shapes(tree: Any, where: str) -> Tree:
    """Shapes given as texts, or as sequences of sizes and names, as a tree of Shapes.

    A sequence of integers and names of axes is one shape; any other sequence is a structure.
    """
    if isinstance(tree, Shape):
        return tree
    if isinstance(tree, str):
        return Shape(tree, where)
    if isinstance(tree, int) and not isinstance(tree, bool):
        return Shape(str(tree), where)
    if isinstance(tree, Mapping):
        return {key: parse_shapes(item, f"{where}[{key!r}]") for key, item in tree.items()}
    if isinstance(tree, Sequence):
        if any(isinstance(item, int) for item in tree):
            return Shape(" ".join(map(str, tree)), where)
        return type(tree)(parse_shapes(item, f"{where}[{i}]") for i, item in enumerate(tree))  # type: ignore[call-arg]
    raise ValueError(f"{where} must be a text such as 'n d', or a structure of such; got {tree!r}")


def shape_leaves(tree: Tree, name: str) -> Iterator[tuple[str, Shape]]:
    """Yield each Shape of a tree with its name: the argument's, and how it is reached in it."""
    if isinstance(tree, Shape):
        yield name, tree
    elif isinstance(tree, Mapping):
        for key in sorted(tree):  # the order of `jax.tree_util`
            yield from shape_leaves(tree[key], f"{name}[{key!r}]")
    else:
        for i, item in enumerate(tree):
            yield from shape_leaves(item, f"{name}[{i}]")
