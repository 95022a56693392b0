"""A process answers lines, or it is ended and what it did is said."""

import sys

import pytest

from verify.subject.process import Process, ProcessGaveNoAnswer

ECHO = "import sys\nfor line in sys.stdin: print(line.strip()[::-1], flush=True)"


def process(code):
    return Process([sys.executable, "-c", code])


def test_a_line_is_answered_with_a_line_however_long():
    echo = process(ECHO)
    try:
        assert echo.asked(b"abc\n", 60, 100) == b"cba\n"
        long = b"a" * 3_000_000 + b"b"  # beyond what pipes hold
        assert echo.asked(long + b"\n", 60, 4_000_000) == long[::-1] + b"\n"
    finally:
        echo.end()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise SystemExit(5)", r"^ended with status 5$"),
        ("import sys; sys.exit('a\\nb')", r"^ended with status 1; its standard error ends: a \| b$"),
        ("import os; os.abort()", "^was ended by SIGABRT"),
        ("print('x', flush=True); input()", "^answered before it had read the question$"),
        ("while True: print(end='x' * 1000)", "^wrote more than 10000 bytes without ending the line$"),
    ],
)
def test_no_answer_says_what_it_did(code, message):
    child = process(code)
    # More than a pipe holds, so that a program that does not read cannot have been given it all.
    with pytest.raises(ProcessGaveNoAnswer, match=message) as raised:
        child.asked(b"a" * 500_000 + b"\n", 60, 10_000)
    assert not raised.value.silent
    assert not child.end.alive


def test_time_is_up():
    child = process("input(); input()")
    with pytest.raises(ProcessGaveNoAnswer, match=r"^gave no answer within 0.1 s$") as raised:
        child.asked(b"a\n", 0.1, 100)
    assert raised.value.silent
    assert not child.end.alive


def test_a_line_that_is_not_ended_is_shown():
    child = process("print(end='{\"type\":', flush=True); input(); input()")
    with pytest.raises(
        ProcessGaveNoAnswer, match=r"""^began a line, '\{"type":', and did not end it within 2 s$"""
    ):
        child.asked(b"a\n", 2, 100)


def test_a_long_line_of_standard_error_is_cut():
    child = process("import sys; sys.exit('x' * 3000)")
    with pytest.raises(ProcessGaveNoAnswer, match=r"its standard error ends: x{200}\.\.\.$"):
        child.asked(b"a\n", 60, 100)


def test_only_the_last_lines_of_standard_error_are_kept():
    child = process("import sys\nfor i in range(100_000): print(i, file=sys.stderr)\nsys.exit(1)")
    with pytest.raises(
        ProcessGaveNoAnswer, match=r"its standard error ends: 99995 \| 99996 \| 99997 \| 99998 \| 99999$"
    ):
        child.asked(b"a\n", 60, 100)


def test_a_program_may_end_by_itself(tmp_path):
    file = tmp_path / "done"
    child = process(f"input()\nopen({str(file)!r}, 'w').close()")
    child.stop(b"stop\n", 60)
    assert file.exists()
    assert not child.end.alive
    child.stop(b"stop\n", 60)


def test_what_cannot_be_started_is_an_error_of_the_system():
    with pytest.raises(FileNotFoundError):
        Process(["/no/such/program"])
