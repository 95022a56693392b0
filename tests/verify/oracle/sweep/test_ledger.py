"""What is committed is there, after a kill and after a torn file."""

import subprocess
import sys

import pytest

from verify.oracle.sweep.ledger import FILE, Ledger


def test_the_first_result_stays(tmp_path):
    with Ledger(tmp_path / "new" / "directory") as book:
        book.put("a", {"n": 1})
        book.put("a", {"n": 2})
        assert book.get("a") == {"n": 1}
        assert book.get("b") is None
        assert book.names() == {"a"}


KILLED = """
import os, sys
from verify.oracle.sweep.ledger import Ledger
book = Ledger(sys.argv[1])
for i in range(20):
    book.put(str(i), {"n": i})
book._connection.execute("BEGIN")
book._connection.execute("INSERT INTO shards VALUES ('half done', '{}')")
os._exit(9)
"""


@pytest.mark.parametrize("torn", [0, 1, 100, 1000, 5000])
def test_a_process_killed_in_a_write_loses_nothing_committed(tmp_path, torn):
    """A power cut may also leave the end of the log written in part: noise stands there."""
    assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False).returncode == 9
    with (tmp_path / f"{FILE}-wal").open("ab") as log:
        log.write(bytes(i * 37 % 251 for i in range(torn)))
    with Ledger(tmp_path) as book:
        assert book.names() == {str(i) for i in range(20)}
        assert book.get("7") == {"n": 7}
        book.put("after", {})
        assert book.get("after") == {}


def test_a_file_that_is_no_ledger_is_refused_and_stays(tmp_path):
    (tmp_path / FILE).write_bytes(b"something else entirely" * 100)
    with pytest.raises(ValueError, match=r"^ledger: .* cannot be read as a ledger: file is not a database$"):
        Ledger(tmp_path)
    assert (tmp_path / FILE).read_bytes() == b"something else entirely" * 100
