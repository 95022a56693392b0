"""Loading of what is judged: ``module:name`` or ``path/to/file.py:name``, functions, adapters.

Importing a target runs its code: whatever a file does at its top level, such as training, it does then.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from verify.reference.spec import Spec
from verify.reference.truth import GradientFunction, SpecLike
from verify.subject.c_library import SUFFIXES, CLibrary
from verify.subject.target import Target, TargetError


@runtime_checkable
class _LoadableAdapter(Protocol):
    """An object that becomes a Target once its spec is known: an adapter, or a program."""

    def target(self, spec: SpecLike | None = None) -> Target:
        """The Target, with what the user did not say inferred."""


Judged = GradientFunction | Target | _LoadableAdapter
"""What `verify.check` takes."""


def load_object(where: str) -> Any:
    """The object at ``module:name`` or ``path/to/file.py:name``; the name may have dots.

    The code is run, in this process. The file's directory, or the current one for a module, joins ``sys.path``, so
    that what lies beside it can be imported.

    Raises
    ------
    TargetError
        In one line: no colon, no such file, module or name, or what the code raised, with the place.
    """
    source, colon, name = where.rpartition(":")
    if not colon or not source or not name:
        raise TargetError(f"a target is module:name or path/to/file.py:name; got {where!r}")
    if not source.endswith(".py") and Path(source).is_file():
        raise TargetError(f"{source} is no Python file: a target is module:name or path/to/file.py:name")
    module = _file(source) if source.endswith(".py") else _module(source)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            if found is module and getattr(module, "__file__", None) is None and Path(source).is_dir():
                raise TargetError(f"{source} is a directory: a target is module:name or path/to/file.py:name")
            raise TargetError(f"{source} has no {name!r}{_offered(module)}")
        found = getattr(found, part)
    return found


def _offered(module: ModuleType) -> str:
    """Return what a module defines itself and can be called, for the message about a name that it lacks."""
    own = [
        name
        for name, item in vars(module).items()
        if callable(item)
        and not name.startswith("_")
        and getattr(item, "__module__", None) == module.__name__
    ]
    return f"; it has {', '.join(own[:8])}" if own else ""


def _file(source: str) -> ModuleType:
    path = Path(source).resolve()
    if not path.is_file():
        raise TargetError(f"there is no file {source}" + (f" in {Path.cwd()}" if source != str(path) else ""))
    name = f"target_{path.stem}"
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    _offer(path.parent)
    sys.modules[name] = module  # a dataclass looks its module up while it is defined
    try:
        _run(specification.loader.exec_module, module, source)
    except TargetError:
        del sys.modules[name]
        raise
    return module


def _module(source: str) -> ModuleType:
    _offer(Path.cwd())
    module: ModuleType = _run(importlib.import_module, source, source)
    return module


def _offer(directory: Path) -> None:
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))


def _run(importer: Callable[[Any], Any], what: Any, source: str) -> Any:
    """Run a target's code; whatever it raises becomes one line."""
    try:
        return importer(what)
    except SyntaxError as error:
        raise TargetError(f"{source} has a syntax error in line {error.lineno}: {error.msg}") from error
    except ModuleNotFoundError as error:
        if error.name == source or (error.name and source.startswith(error.name + ".")):
            raise TargetError(f"there is no module {source} (a file's name ends in .py)") from error
        raise TargetError(f"{source} imports {error.name}, which is not installed") from error
    except (Exception, SystemExit) as error:
        said = str(error).strip().partition("\n")[0]
        raise TargetError(
            f"{source} raised {type(error).__name__}{': ' if said else ''}{said} when imported{_line(error, source)}"
        ) from error


def _line(error: BaseException, source: str) -> str:
    """The last line of the target's own file that the error passed through."""
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.endswith(source):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {line})" if line else ""


def load(where: str, signature: str | Sequence[str] | None = None) -> Judged:
    """Return what `load_object` finds, if it can be judged: a function, a Target or an adapter that knows where
    it came from.

    Parameters
    ----------
    where
        ``module:name``, ``path/to/file.py:name``, or ``path/to/library.so:name`` for a C function.
    signature
        The C function's prototype, whose arguments' names say what they are: see ``docs/protocol.md``. A list of two
        where the library has a function for each float format.

    Raises
    ------
    TargetError
        As `load_object`, and where the object is none of these.
    """
    path, _, name = where.rpartition(":")
    if path.endswith(SUFFIXES):
        return CLibrary(path, name, signature)
    if signature:
        raise TargetError(f"signature is for a C function in a shared library; {where} is none")
    found = load_object(where)
    place = f"{Path(path).resolve()}:{name}" if path.endswith(".py") else where
    variable = name.rpartition(".")[2]
    source = f'{variable} = verify.load("{place}")'
    if isinstance(found, Target):
        return replace(found, name=variable, source=source)
    if isinstance(found, _LoadableAdapter) and not isinstance(found, type):
        return _Loaded(found, variable, source)
    if isinstance(found, type) or not callable(found):
        kind = f"the class {found.__name__}" if isinstance(found, type) else f"of type {type(found).__name__}"
        raise TargetError(
            f"{where} is {kind}; a target is a function gradient(params, x, y), or what verify.adapt(...) returns"
        )
    return Target(found, name=variable, source=source)


class _Loaded:
    """An adapter under the name by which it was loaded."""

    def __init__(self, adapter: _LoadableAdapter, name: str, source: str) -> None:
        self.adapter, self.name, self.source = adapter, name, source
        self.spec = getattr(adapter, "spec", None)

    def target(self, spec: SpecLike | None = None) -> Target:
        return replace(self.adapter.target(spec), name=self.name, source=self.source)


def as_target(
    gradient: Judged,
    loss: Callable[..., Any] | None = None,
    forward: Callable[..., Any] | None = None,
    spec: SpecLike | None = None,
) -> Target:
    """A gradient function, with its loss and its forward pass where given, as a Target.

    Raises
    ------
    TypeError
        Where it cannot be called, or not as ``gradient(params, x, y)``.
    """
    if isinstance(gradient, _LoadableAdapter) and not isinstance(gradient, type):
        gradient = gradient.target(spec)
    if not isinstance(gradient, Target):
        gradient = _of_function(gradient)
    if gradient.session is None:  # else it is an adapter's own function
        _require_arguments(gradient, gradient.judged_as(spec))
    for name, function in (("loss", loss), ("forward", forward)):
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be a function; got {type(function).__name__}")
    return replace(gradient, loss=loss or gradient.loss, forward=forward or gradient.forward)


def _require_arguments(target: Target, spec: SpecLike) -> None:
    """Refuse a function whose signature cannot take what a gradient is called with."""
    weighted = isinstance(spec, Spec) and spec.weighted
    names = ("params", "x", "y", "sample_weight")[: 3 + weighted]
    try:  # a wrapper may take other arguments than what it wraps
        signature = inspect.signature(target.gradient, follow_wrapped=False)
    except (TypeError, ValueError):  # a function written in C need not have one
        return
    try:
        signature.bind(*names)
    except TypeError:
        called = getattr(target.gradient, "__name__", target.name)
        raise TypeError(
            f"{called}{signature} cannot be called as gradient({', '.join(names)}); the backward pass of a layer is "
            f"judged with --reference NAME, or with verify.check_backward"
        ) from None


def _of_function(gradient: Any) -> Target:
    if not callable(gradient) or isinstance(gradient, type):
        kind = f"the class {gradient.__name__}" if isinstance(gradient, type) else type(gradient).__name__
        raise TypeError(f"gradient must be a function gradient(params, x, y); got {kind}")
    name = getattr(gradient, "__name__", "")
    if not name.isidentifier():
        name = "gradient"
    return Target(gradient, name=name, source=source_to_load(gradient, name))


def source_to_load(gradient: Any, name: str) -> str:
    """The line that brings a function into scope in a fresh interpreter, or one that says it cannot be known."""
    module = getattr(gradient, "__module__", None) or "__main__"
    if module == "__main__" or getattr(gradient, "__qualname__", name) != name:
        return f"# with {name} as you passed it"
    try:
        if importlib.util.find_spec(module) is not None:
            return f"from {module} import {name}"
    except (ImportError, ValueError):  # a module that was put together by hand has no spec
        pass
    file = inspect.getsourcefile(gradient)
    return f'{name} = verify.load("{file}:{name}")' if file else f"# with {name} as you passed it"
