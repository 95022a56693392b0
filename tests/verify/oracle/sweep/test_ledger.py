"""Committed results are there after a kill and in a torn file; a file that cannot be used is refused, and stays."""

import os
import random
import signal
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
        assert book.committed("a") > book.committed("b") == 0
        book.add_plan("one")
        book.add_plan("one")
        assert book.plans() == ["one"]


KILLED = """
import os, sys
from verify.oracle.sweep.ledger import Ledger
book = Ledger(sys.argv[1])
for i in range(20):
    book.put(str(i), {"n": i})
book._connection.execute("BEGIN")
book._connection.execute("INSERT INTO results VALUES ('half done', '{}', 0)")
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


WRITING = """
import os, sys
from verify.oracle.sweep.ledger import FILE, Ledger
book = Ledger(sys.argv[1])
log = book.path.with_name(FILE + "-wal")
for i in range(100_000):
    book.put(f"{i:050}", {"n": i, "text": "x" * 6000})
    print(i, log.stat().st_size, flush=True)
"""


@pytest.mark.parametrize("seed", range(4))
def test_a_power_cut_in_the_middle_of_a_write_loses_nothing_committed(tmp_path, seed):
    """Bytes written after the last commit that was told are there in part, or are noise."""
    chance = random.Random(seed)
    command = [sys.executable, "-c", WRITING, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        told = [writer.stdout.readline() for _ in range(chance.randrange(5, 60))]
        os.kill(writer.pid, signal.SIGKILL)
        told += writer.stdout.read().splitlines(keepends=True)
    last, size = map(int, [line for line in told if line.endswith("\n")][-1].split())
    log = tmp_path / f"{FILE}-wal"
    content = log.read_bytes()
    kept = content[: chance.randrange(size, len(content) + 1)]
    log.write_bytes(kept + chance.randbytes(chance.randrange(9000)))
    with Ledger(tmp_path) as book:
        names = book.names()
        assert len(names) - 1 - last in (0, 1)  # one more may have been committed before it could be told
        assert names == {f"{i:050}" for i in range(len(names))}
        assert all(book.get(f"{i:050}")["n"] == i for i in range(last + 1))


def test_a_file_that_is_no_ledger_is_refused_and_stays(tmp_path):
    (tmp_path / FILE).write_bytes(b"something else entirely" * 100)
    with pytest.raises(ValueError, match=r"^ledger: .* cannot be read as a ledger: file is not a database$"):
        Ledger(tmp_path)
    assert (tmp_path / FILE).read_bytes() == b"something else entirely" * 100


def test_a_place_that_is_no_directory_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match=r"^ledger must be a directory; .*/file is a file$"):
        Ledger(tmp_path / "file")
    with pytest.raises(ValueError, match=r"^ledger: the directory .* cannot be made: Not a directory$"):
        Ledger(tmp_path / "file" / "below")
    with pytest.raises(ValueError, match=r"^there is no ledger in .*none: a sweep makes .*ledger\.sqlite$"):
        Ledger(tmp_path / "none", new=False)
    assert not (tmp_path / "none").exists()


def test_a_full_disk_is_said_and_what_was_committed_stays(tmp_path):
    with Ledger(tmp_path) as book:
        book.put("a", {"n": 1})
        pages = book._connection.execute("PRAGMA page_count").fetchone()[0]
        book._connection.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(
            ValueError, match=r"cannot be written: database or disk is full\. What was committed is kept"
        ):
            book.put("b", {"text": "x" * 100_000})
    with Ledger(tmp_path) as book:
        assert book.names() == {"a"}
        book.put("b", {"text": "x" * 100_000})
