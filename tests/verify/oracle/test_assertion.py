import numpy as np
import pytest
from hypothesis import given, settings

import verify
from mlp_ref import loss_and_gradient


def right(params, x, y):
    return loss_and_gradient(params, x, y)[1]


def test_a_right_gradient_passes():
    verify.assert_gradient(right, cases=20, xla=0, certified=0)


def test_a_wrong_gradient_fails_with_the_report():
    def doubled(params, x, y):
        return [(2 * weight, 2 * bias) for weight, bias in right(params, x, y)]

    with pytest.raises(AssertionError, match=r"^WRONG: doubled as the gradient of .*") as raised:
        verify.assert_gradient(doubled, cases=20, xla=0, certified=0)
    assert "every tensor is 2 times what it must be" in str(raised.value)


def test_inconclusive_is_not_enough(monkeypatch):
    monkeypatch.setattr("verify.reference.judge._shown", lambda *_: (True, (), ()))
    with pytest.raises(AssertionError, match=r"^INCONCLUSIVE: right"):
        verify.assert_gradient(right, cases=5, xla=0, certified=0)


@settings(max_examples=10)
@given(verify.cases(layers=2, regimes=["ordinary"]))
def test_the_strategies_are_public(case):
    assert len(case.layer_sizes) == 3
    assert verify.examine(right, case).verdict == "verified"
    assert np.isfinite(case.arrays().x).all()


def none(params, x, y):
    return None


def test_a_failure_writes_its_report_where_that_is_asked_for(tmp_path, monkeypatch):
    pytest.importorskip("jinja2", reason="pages need Jinja2")
    monkeypatch.setenv("VERIFY_REPORT", str(tmp_path / "new"))
    with pytest.raises(AssertionError) as raised:
        verify.assert_gradient(none, cases=5, diagnose=False)
    (path,) = (tmp_path / "new").iterdir()
    assert str(raised.value).endswith(f"\nreport: {path}")
    assert "test_a_failure_writes_its_report_where_that_is_asked_for" in path.name
    assert "It does not return a gradient" in path.read_text(encoding="utf-8")


def test_outside_pytest_the_file_has_the_name_of_the_target(tmp_path, monkeypatch):
    pytest.importorskip("jinja2", reason="pages need Jinja2")
    monkeypatch.setenv("VERIFY_REPORT", str(tmp_path))
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    target = verify.Target(none, name="../<odd> name")
    with pytest.raises(AssertionError):
        verify.assert_gradient(target, cases=5, diagnose=False)
    assert [path.name for path in tmp_path.iterdir()] == ["odd_name.html"]


def test_a_report_that_cannot_be_written_does_not_hide_the_failure(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("VERIFY_REPORT", str(tmp_path / "file"))
    with pytest.raises(AssertionError, match=r"^CRASHED: none(?s:.*)\nno report was written: "):
        verify.assert_gradient(none, cases=5, diagnose=False)
    assert (tmp_path / "file").read_bytes() == b""
