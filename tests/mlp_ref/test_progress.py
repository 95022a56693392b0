import io
import sys

from mlp_ref import MLP, History
from mlp_ref.progress import progress_reporter

HISTORY = History(loss=[0.5, 0.25], accuracy=[0.5, 0.931])


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_silent_unless_asked(capsys):
    with progress_reporter(2, progress=False) as report:
        report(HISTORY)
    assert capsys.readouterr() == ("", "")


def test_a_line_per_epoch_where_there_is_no_terminal(capsys):
    with progress_reporter(20, progress=True) as report:
        report(HISTORY)
    assert capsys.readouterr() == ("Epoch: 2/20, Loss: 0.2500, Accuracy: 93.10%\n", "")


def test_validation_figures_follow(capsys):
    with progress_reporter(1, progress=True) as report:
        report(History([0.5], [0.5], [0.75], [0.25]))
    expected = (
        "Epoch: 1/1, Loss: 0.5000, Accuracy: 50.00%, Validation loss: 0.7500, Validation accuracy: 25.00%\n"
    )
    assert capsys.readouterr().out == expected


def test_a_line_per_epoch_without_tqdm(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with progress_reporter(2, progress=True) as report:
        report(HISTORY)
    assert capsys.readouterr().out.startswith("Epoch: 2/2, Loss: 0.2500")


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_reporter(2, progress=True) as report:
        report(HISTORY)
        report(HISTORY)
    assert "2/2" in terminal.getvalue()
    assert "Loss: 0.2500, Accuracy: 93.10%" in terminal.getvalue()
    assert capsys.readouterr().out == ""


def test_regression_has_no_accuracy_to_show(capsys):
    net = MLP([2, 1], loss="mse", dtype=float, seed=0)
    net.fit([[0.0, 1.0]], [[1.0]], epochs=1, progress=True)
    assert "Accuracy" not in capsys.readouterr().out
