"""Counts on the command line, which may be written as 1e6."""

from __future__ import annotations

import argparse


def integer(text: str) -> int:
    """Return the integer that a text is, such as 1000 or 1e3.

    Raises
    ------
    argparse.ArgumentTypeError
        Where it is none.
    """
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not number.is_integer():
        raise argparse.ArgumentTypeError(f"must be an integer, such as 1000 or 1e6; got {text!r}")
    return int(number)


def positive_integer(text: str) -> int:
    """Return the positive integer that a text is, such as 1000 or 1e3.

    Raises
    ------
    argparse.ArgumentTypeError
        Where it is none.
    """
    try:
        number = integer(text)
    except argparse.ArgumentTypeError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer, such as 1000 or 1e6; got {text!r}")
    return number
