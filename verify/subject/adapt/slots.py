"""The places of a network's arrays, by name: ``weights``, ``W{}``, ``layers[].weight``, ``params.W{}``.

A name is an attribute or a key, whichever the holder has. ``{}`` counts layers (from 0 where that exists, else from
1; ``{0}`` always from 0), ``[]`` goes through a list and skips items that lack what follows (activation layers, say), a
dot goes inside. A name alone is a list, or a dictionary, with one array a layer. Or a function takes the holder and
returns the arrays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from verify.evaluate.array import Array

Path = str | Callable[[Any], Sequence[Any]]

_COUNTER = re.compile(r"\{(\d*)\}")


class Slot(NamedTuple):
    """One array's place: the object that holds it, and the attribute, key or index under which it does."""

    holder: Any
    key: Any

    def get(self) -> Any:
        """Return what is there."""
        return _get(self.holder, self.key)

    def put(self, array: Array, in_place: bool) -> None:
        """Put an array there: a new one in the old one's stead, or its numbers into the old one."""
        if not in_place:
            if isinstance(self.holder, (MutableMapping, list)):
                self.holder[self.key] = array
            else:
                setattr(self.holder, self.key, array)
            return
        old = self.get()
        if np.shape(old) != array.shape:
            raise ValueError(f"{self.key!r} has shape {np.shape(old)}; what is set has {array.shape}")
        old[...] = array


def slots(holder: Any, path: Path, count: int, argument: str) -> list[Slot]:
    """The places of ``count`` arrays, one a layer; ``argument`` names the path in messages.

    Raises
    ------
    LookupError
        When something on the path is not there, or it leads to another number of arrays.
    """
    if callable(path):
        arrays = list(path(holder))
        found = [Slot(arrays, i) for i in range(len(arrays))]
    else:
        try:
            found = _followed(holder, path, count)
        except (AttributeError, KeyError, IndexError, TypeError) as error:
            kind = type(holder).__name__
            raise LookupError(
                f"{argument}={path!r} does not lead to arrays in the {kind}: {error}"
            ) from error
    if len(found) != count:
        raise LookupError(
            f"{argument}={path!r} leads to {len(found)} arrays in the {type(holder).__name__}; there are {count} layers"
        )
    return found


def _followed(holder: Any, path: str, count: int) -> list[Slot]:
    head, _, rest = path.partition(".")
    if head.endswith("[]"):
        items = _get(holder, head[:-2]) if head != "[]" else holder
        items = list(items.values()) if isinstance(items, Mapping) else items
        return [_single(item, rest) for item in items if _has(item, rest.partition(".")[0])]
    if counter := _COUNTER.search(head):
        first = int(counter[1]) if counter[1] else 0 if _has(holder, _COUNTER.sub("0", head)) else 1
        names = [_COUNTER.sub(str(first + i), head) for i in range(count)]
        return [_single(_get(holder, name), rest) if rest else Slot(holder, name) for name in names]
    if rest:
        return _followed(_get(holder, head), rest, count)
    if not _has(holder, head) and isinstance(holder, (MutableMapping, SimpleNamespace)):
        Slot(holder, head).put([None] * count, in_place=False)  # type: ignore[arg-type]  # a list, to be filled
        return [Slot(_get(holder, head), i) for i in range(count)]
    return _listed(_get(holder, head), count)


def _listed(items: Any, count: int) -> list[Slot]:
    if isinstance(items, Mapping):
        return [Slot(items, key) for key in items]
    if len(items) > count and items[0] is None:  # layers counted from 1, with nothing in front
        return [Slot(items, i) for i in range(1, len(items))]
    return [Slot(items, i) for i in range(len(items))]


def _single(item: Any, path: str) -> Slot:
    *inside, last = path.split(".")
    for name in inside:
        item = _get(item, name)
    _get(item, last)
    return Slot(item, last)


def _get(holder: Any, key: Any) -> Any:
    if isinstance(holder, Mapping):
        return holder[key]
    if isinstance(holder, Sequence) and str(key).isdigit():
        return holder[int(key)]
    return getattr(holder, key)


def _has(holder: Any, key: str) -> bool:
    try:
        return _get(holder, key) is not None
    except (AttributeError, KeyError, IndexError):
        return False
