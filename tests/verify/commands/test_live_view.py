"""The live view of a sweep: a bar and a table of verdicts on a terminal, lines elsewhere."""

import io

from verify.commands import live_view
from verify.oracle.sweep.standing import Standing
from verify.oracle.sweep.totals import VerdictTotals

BEGUN = Standing(1000, {"ordinary": VerdictTotals(300, 0, 0)}, 0, 2)
LATER = Standing(1000, {"ordinary": VerdictTotals(398, 0, 2), "tiny": VerdictTotals(90, 10, 0)}, 200, 2)
DONE = Standing(1000, {"ordinary": VerdictTotals(498, 0, 2), "tiny": VerdictTotals(490, 10, 0)}, 700, None)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_line_has_the_speed_the_time_left_the_workers_and_the_verdicts():
    assert live_view.live_line(LATER, 100.0) == (
        "500 of 1,000 cases, 2 a second, 04:10 left, 2 workers; "
        "verified 488, inconclusive 10 (tiny 10), failing 2 (ordinary 2)"
    )
    assert live_view.live_line(BEGUN, 0.0) == (
        "300 of 1,000 cases, 2 workers; verified 300, inconclusive 0, failing 0"
    )


def test_where_there_is_no_terminal_the_first_and_the_last_line_are_written_if_asked(monkeypatch):
    monkeypatch.setattr(live_view, "EVERY", float("inf"))
    for lines in (True, False):
        file = io.StringIO()
        with live_view.live_view("net", lines, file) as watch:
            for standing in (BEGUN, LATER, DONE):
                watch(standing)
        written = file.getvalue().splitlines()
        assert len(written) == 2 * lines
        if lines:
            assert written[0] == f"net: {live_view.live_line(BEGUN, 0.0)}"
            assert written[1].startswith("net: 1,000 of 1,000 cases, ")


def test_on_a_terminal_a_bar_begins_where_an_earlier_run_ended_above_a_table_of_verdicts(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("LINES", "50")
    file = Terminal()
    with live_view.live_view("net", False, file) as watch:
        watch(BEGUN)
        watch(LATER)
    shown = file.getvalue()
    assert "500/1000" in shown
    assert "2 workers" in shown
    for row in LATER.table():
        assert row.rstrip() in shown


def test_the_table_has_a_line_for_each_regime_and_one_for_all():
    assert LATER.table() == [
        "                      verified  inconclusive       failing",
        "ordinary                   398             0             2",
        "tiny                        90            10             0",
        "all                        488            10             2",
    ]
