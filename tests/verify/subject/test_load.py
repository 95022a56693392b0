import functools
import sys

import numpy as np
import pytest

import verify
from verify.subject.adapt import adapt
from verify.subject.load import as_target, load, load_object
from verify.subject.target import TargetError


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def zero(params, x, y):
    return [(np.zeros_like(weight), np.zeros_like(bias)) for weight, bias in params]


def test_a_file_s_function_is_found_with_what_lies_beside_it(here):
    (here / "beside_it.py").write_text("number = 3\n")
    (here / "net.py").write_text(
        "import beside_it\nclass Nets:\n    def gradient(params, x, y): return beside_it.number\n"
    )
    target = load("net.py:Nets.gradient")
    assert target.gradient(None, None, None) == 3
    assert target.name == "gradient"
    assert target.source == f'gradient = verify.load("{here / "net.py"}:Nets.gradient")'


def test_a_module_s_function_is_found(here):
    (here / "some_module_of_mine.py").write_text("def gradient(params, x, y): pass\n")
    assert (
        load("some_module_of_mine:gradient").source
        == 'gradient = verify.load("some_module_of_mine:gradient")'
    )


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("net.py", "a target is module:name or path/to/file.py:name; got 'net.py'"),
        (":name", "a target is module:name or path/to/file.py:name; got ':name'"),
        ("nowhere.py:gradient", r"there is no file nowhere.py in .*"),
        (
            "no_such_module_at_all:gradient",
            r"there is no module no_such_module_at_all \(a file's name ends in .py\)",
        ),
        ("folder:gradient", "folder is a directory: a target is module:name or path/to/file.py:name"),
        ("notes.md:gradient", "notes.md is no Python file: a target is module:name or path/to/file.py:name"),
        ("net.py:gradeint", "net.py has no 'gradeint'; it has gradient, Network"),
        ("net.py:gradient.inner", "net.py has no 'gradient.inner'; it has gradient, Network"),
        (
            "net.py:number",
            r"net.py:number is of type int; a target is a function gradient\(params, x, y\), or what .*",
        ),
        ("net.py:Network", r"net.py:Network is the class Network; a target is a function .*"),
        ("broken.py:gradient", "broken.py has a syntax error in line 2: .*"),
        ("importing.py:gradient", "importing.py imports no_such_package, which is not installed"),
        (
            "raising.py:gradient",
            r"raising.py raised ZeroDivisionError: division by zero when imported \(line 3\)",
        ),
        ("leaving.py:gradient", r"leaving.py raised SystemExit: 3 when imported \(line 2\)"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(here, where, message):
    (here / "net.py").write_text("def gradient(params, x, y): pass\nclass Network: pass\nnumber = 3\n")
    (here / "folder").mkdir()
    (here / "notes.md").write_text("# Notes\n")
    (here / "broken.py").write_text("x = 1\ndef gradient(:\n")
    (here / "importing.py").write_text("import no_such_package\n")
    (here / "raising.py").write_text("def f():\n    return 1\nf() / 0\n")
    (here / "leaving.py").write_text("import sys\nsys.exit(3)\n")
    with pytest.raises(TargetError, match=f"^{message}$") as raised:
        load(where)
    assert "\n" not in str(raised.value)


def test_a_file_that_raised_leaves_no_module_behind(here):
    (here / "raising.py").write_text("1 / 0\n")
    with pytest.raises(TargetError, match="ZeroDivisionError"):
        load_object("raising.py:x")
    assert "target_raising" not in sys.modules


def test_an_adapter_keeps_its_spec_and_gets_its_name(here):
    (here / "net.py").write_text(
        "import verify\n"
        "mine = verify.adapt(lambda net, x, y: None, spec=verify.Spec('relu'))\n"
        "target = verify.Target(print, layers=1)\n"
    )
    assert load("net.py:mine").spec == verify.Spec("relu")
    assert load("net.py:mine").target().name == "mine"
    assert load("net.py:target").source.startswith("target = verify.load(")


def test_a_function_says_where_it_came_from():
    assert as_target(verify.examine).source == "from verify.oracle.check import examine"
    assert as_target(lambda params, x, y: None).source == "# with gradient as you passed it"
    assert __file__ in as_target(zero).source or f"from {__name__} import zero" == as_target(zero).source


@pytest.mark.parametrize(("thing", "kind"), [(3, "int"), (None, "NoneType"), (dict, "the class dict")])
def test_what_cannot_be_called_is_refused(thing, kind):
    with pytest.raises(
        TypeError, match=rf"^gradient must be a function gradient\(params, x, y\); got {kind}$"
    ):
        as_target(thing)


def backward(dout, cache):
    return dout


def wrapped(params, x, y):
    return []


wrapped.__wrapped__ = backward  # as functools.wraps leaves it


def test_what_cannot_take_the_arguments_of_a_gradient_is_refused():
    for gradient in (backward, verify.Target(backward)):
        with pytest.raises(
            TypeError,
            match=r"^backward\(dout, cache\) cannot be called as gradient\(params, x, y\); the backward pass of a "
            r"layer is judged with --reference NAME, or with verify.check_backward$",
        ):
            as_target(gradient)
    with pytest.raises(
        TypeError, match=r"zero\(params, x, y\) cannot be called as .*\(params, x, y, sample_weight\)"
    ):
        as_target(zero, spec=verify.Spec(weights="rows"))


@pytest.mark.parametrize(
    "gradient",
    [wrapped, lambda *arrays: [], functools.partial(lambda net, *arrays: [], None), max],
)
def test_what_may_take_the_arguments_of_a_gradient_is_not_refused(gradient):
    as_target(gradient)


def test_a_loss_that_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match=r"^loss must be a function; got int$"):
        as_target(zero, loss=3)


def test_an_adapter_is_not_called_itself():
    adapter = adapt(lambda net, x, y: None)
    with pytest.raises(TypeError, match="'Adapter' object is not callable"):
        adapter(None, None, None)
