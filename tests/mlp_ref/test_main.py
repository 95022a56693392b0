import os
import re
import signal
import struct
import subprocess
import sys

import numpy as np
import pytest

from mlp_ref import MLP, History
from mlp_ref.__main__ import main


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "net.npz"
    MLP([64, 16, 10], seed=0).save(path)
    return path


def write_idx(path, array):
    path.write_bytes(struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes())


@pytest.fixture
def mnist(tmp_path):
    """A directory with a few images of a digit each, in which the digit's own row of pixels is lit."""
    for part in ("train", "t10k"):
        labels = np.repeat(np.arange(10, dtype=np.uint8), 20)
        images = np.zeros((len(labels), 28, 28), np.uint8)
        images[np.arange(len(labels)), labels] = 255
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", images)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", labels)
    return tmp_path


def accuracy(output):
    """Return the test accuracy that was printed, between 0 and 1."""
    return float(re.search(r"test accuracy ([\d.]+)%", output)[1]) / 100


class TestTrain:
    def test_digits_by_default(self, capsys):
        assert main(["train"]) == 0
        output = capsys.readouterr().out
        assert output.startswith(
            "digits: 1433 images to train on, 32 a step; network 64-16-16-10, sigmoid, cross"
        )
        assert "Epoch: 20/20" in output
        assert accuracy(output) > 0.9

    @pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu", "identity"])
    def test_default_learning_rate_suits_each_activation(self, capsys, hidden):
        assert main(["train", "--hidden", hidden]) == 0
        assert accuracy(capsys.readouterr().out) > 0.9

    @pytest.mark.parametrize("loss", ["cross_entropy", "softmax_mse", "mse"])
    def test_each_loss(self, capsys, loss):
        assert main(["train", "--hidden", "tanh", "--loss", loss]) == 0
        assert accuracy(capsys.readouterr().out) > 0.9

    def test_same_seed_same_file(self, capsys, tmp_path):
        for name, seed in (("one", "7"), ("two", "7"), ("three", "8")):
            assert main(["train", "--epochs", "1", "--seed", seed, "--save", str(tmp_path / name)]) == 0
        assert f"saved in {tmp_path / 'three'}" in capsys.readouterr().out
        one, two, three = (MLP.load(tmp_path / name).flat for name in ("one", "two", "three"))
        np.testing.assert_array_equal(one, two, strict=True)
        assert not np.array_equal(one, three)

    def test_mnist(self, capsys, mnist):
        assert main(["train", "--data", "mnist", "--data-dir", str(mnist), "--layers", "784,16,10"]) == 0
        output = capsys.readouterr().out
        assert output.startswith("mnist: 200 images to train on")
        assert accuracy(output) == 1

    @pytest.mark.parametrize(
        ("below", "layers", "lines"),
        [(True, "64,512,10", 1), (True, "64,16,10", 0), (False, "64,512,10", 0)],
    )
    def test_kernels_below_the_processor_are_mentioned_once_where_they_cost(
        self, capsys, monkeypatch, below, layers, lines
    ):
        monkeypatch.setattr("mlp_ref.blas.blas_runs_below_processor", lambda: below)
        monkeypatch.setattr("mlp_ref.blas.blas_kernel", lambda: "Haswell")
        monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
        assert main(["train", "--layers", layers, "--epochs", "2"]) == 0
        printed = capsys.readouterr().out
        assert printed.count("OpenBLAS runs its Haswell kernels on a processor with AVX-512") == lines
        assert printed.count("OPENBLAS_CORETYPE is Haswell") == lines

    def test_prints_no_warning(self):
        command = [sys.executable, "-W", "error", "-m", "mlp_ref", "train", "--epochs", "3"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "Epoch: 3/3" in done.stdout
        assert done.stderr == ""

    def test_interrupt_keeps_what_was_trained(self, capsys, tmp_path, monkeypatch):
        """Ctrl-C is simulated in what fit returns: fit's own tests interrupt it for real."""
        monkeypatch.setattr(
            MLP, "fit", lambda *_, **__: History(loss=[0.5], accuracy=[0.8], interrupted=True)
        )
        path = tmp_path / "net.npz"
        assert main(["train", "--save", str(path)]) == 130
        output = capsys.readouterr().out
        assert "interrupted after 1 of 20 epochs; the network as it is now:\ndigits: test loss" in output
        assert MLP.load(path).layer_sizes == (64, 16, 16, 10)

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
    def test_interrupt_of_the_process(self, tmp_path):
        # A process started where Ctrl-C is ignored, as in the background of a shell, would ignore it as well.
        program = (
            "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "from mlp_ref.__main__ import main; sys.exit(main())"
        )
        path = tmp_path / "net.npz"
        command = [sys.executable, "-c", program, "train", "--epochs", "1000000", "--save", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            while "Epoch: 2/" not in process.stdout.readline():
                assert process.poll() is None, process.stderr.read()
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate()
        assert process.returncode == 130
        assert re.search(r"interrupted after \d+ of 1000000 epochs", output)
        assert errors == ""
        assert path.exists()

    def test_interrupt_elsewhere_prints_no_traceback(self, capsys, monkeypatch):
        def interrupt(_):
            raise KeyboardInterrupt

        monkeypatch.setattr("mlp_ref.datasets.load_digits", interrupt)
        assert main(["train"]) == 130
        assert capsys.readouterr().err == "\ninterrupted\n"

    def test_divergence_is_an_error_and_saves_nothing(self, capsys, tmp_path):
        path = tmp_path / "net.npz"
        assert main(["train", "--hidden", "identity", "--learning-rate", "10", "--save", str(path)]) == 2
        assert "try a smaller learning_rate" in capsys.readouterr().err
        assert not path.exists()

    @pytest.mark.skipif(os.name == "nt", reason="a pipe is closed in another way on Windows")
    def test_reader_that_leaves(self):
        """As in `python -m mlp_ref train | head -n 1`."""
        command = [sys.executable, "-m", "mlp_ref", "train", "--epochs", "100000"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == ""
        assert process.returncode == 1


class TestEvaluate:
    def test_agrees_with_what_training_said(self, capsys, tmp_path):
        path = tmp_path / "net.npz"
        main(["train", "--save", str(path)])
        trained = capsys.readouterr().out
        assert main(["evaluate", str(path)]) == 0
        output = capsys.readouterr().out
        assert f"{path}: network 64-16-16-10, sigmoid, cross_entropy" in output
        (summary,) = (line for line in output.splitlines() if "test accuracy" in line)
        assert summary in trained.splitlines()

    def test_table_counts_every_image(self, capsys, saved):
        assert main(["evaluate", str(saved)]) == 0
        output = capsys.readouterr().out
        rows = re.findall(r"^ +\d:(.*?) +[\d.]+%$", output, re.MULTILINE)
        counts = np.array([[int(cell.replace(".", "0")) for cell in row.split()] for row in rows])
        assert counts.shape == (10, 10)
        assert counts.sum() == 364
        assert f"({np.trace(counts)} of 364)" in output

    def test_float64_and_mean_squared_error(self, capsys, tmp_path):
        path = tmp_path / "net.npz"
        MLP([64, 10], loss="mse", dtype=np.float64, seed=0).save(path)
        assert main(["evaluate", str(path)]) == 0
        assert "network 64-10, sigmoid, mse" in capsys.readouterr().out

    def test_file_of_something_else(self, capsys, tmp_path):
        path = tmp_path / "notes.txt"
        path.write_text("not a network")
        assert main(["evaluate", str(path)]) == 2
        assert f"python -m mlp_ref evaluate: error: {path} is not a network" in capsys.readouterr().err

    def test_missing_file(self, capsys, tmp_path):
        assert main(["evaluate", str(tmp_path / "nothing")]) == 2
        said = f"python -m mlp_ref evaluate: error: there is no file {tmp_path / 'nothing'}\n"
        assert capsys.readouterr().err == said

    def test_network_for_other_images(self, capsys, saved, mnist):
        assert main(["evaluate", str(saved), "--data", "mnist", "--data-dir", str(mnist)]) == 2
        expected = "expected layers from 784 (pixels) to 10 (classes), as --data mnist has, got 64,16,10"
        assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "the following arguments are required: train | evaluate"),
        ("guess", "invalid choice: 'guess'"),
        ("evaluate", "the following arguments are required: FILE"),
        (
            "train --layers 64",
            "argument --layers: expected positive sizes and commas, such as 64,16,10, got '64'",
        ),
        ("train --layers 64,0,10", "got '64,0,10'"),
        ("train --layers 64,x,10", "got '64,x,10'"),
        ("train --epochs 0", "argument --epochs: expected a whole number, 1 or more, got '0'"),
        ("train --epochs 1.5", "argument --epochs: expected a whole number, 1 or more, got '1.5'"),
        ("train --batch-size -1", "argument --batch-size: expected a whole number, 1 or more, got '-1'"),
        ("train --seed -1", "argument --seed: expected a whole number, 0 or more, got '-1'"),
        ("train --learning-rate 0", "argument --learning-rate: expected a positive number, got '0'"),
        ("train --learning-rate nan", "argument --learning-rate: expected a positive number, got 'nan'"),
        ("train --learning-rate fast", "argument --learning-rate: expected a positive number, got 'fast'"),
        ("train --hidden cube", "argument --hidden: invalid choice: 'cube'"),
        ("train --loss none", "argument --loss: invalid choice: 'none'"),
        ("train --data mnist", "--data mnist needs --data-dir DIR, where its four files are"),
        ("train --data-dir x", "--data-dir is for --data mnist alone"),
    ],
)
def test_bad_arguments_end_with_status_2(capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        main(arguments.split())
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "--layers 784,16,10",
            "expected layers from 64 (pixels) to 10 (classes), as --data digits has, got 784,16,10",
        ),
        ("--layers 64,5", "got 64,5"),
        ("--save .", "--save must name a file, but '.' is a directory"),
        (
            "--save nowhere/net.npz",
            "--save must name a file in a directory that exists, but 'nowhere' does not",
        ),
        ("--data mnist --data-dir nowhere", "'nowhere' is not a directory"),
        ("--data mnist --data-dir .", "lacks train-images-idx3-ubyte, train-labels-idx1-ubyte"),
        ("--layers 64,99999999999999,10", "Unable to allocate"),
    ],
)
def test_what_cannot_work_is_refused_before_training(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(MLP, "fit", lambda *_, **__: pytest.fail("it began to train"))
    assert main(["train", *arguments.split()]) == 2
    error = capsys.readouterr().err
    assert error.startswith("python -m mlp_ref train: error: ")
    assert message in error


class TestTrainingOptions:
    @pytest.mark.parametrize(
        "arguments",
        [
            "--solver adam",
            "--solver sgd --momentum 0.9 --nesterov",
            "--solver adam --schedule cosine",
            "--schedule adaptive",
            "--l2 0.001",
        ],
    )
    def test_each_way_to_train_learns(self, capsys, arguments):
        assert main(["train", *arguments.split()]) == 0
        assert accuracy(capsys.readouterr().out) > 0.9

    def test_a_penalty_keeps_weights_small(self, capsys, tmp_path):
        for name, l2 in (("none", "0"), ("some", "0.01")):
            assert main(["train", "--l2", l2, "--save", str(tmp_path / name)]) == 0
        none, some = (MLP.load(tmp_path / name).flat for name in ("none", "some"))
        assert np.abs(some).max() < 0.5 * np.abs(none).max()

    def test_lbfgs(self, capsys):
        pytest.importorskip("scipy", reason="SciPy, whose L-BFGS it is, is not installed")
        assert main(["train", "--solver", "lbfgs"]) == 0
        assert accuracy(capsys.readouterr().out) > 0.9

    def test_lbfgs_without_scipy(self, capsys, monkeypatch):
        monkeypatch.setitem(sys.modules, "scipy.optimize", None)
        assert main(["train", "--solver", "lbfgs"]) == 2
        assert "needs SciPy: pip install" in capsys.readouterr().err

    def test_early_stopping_keeps_the_best(self, capsys):
        assert main(["train", "--solver", "adam", "--early-stopping", "--epochs", "500"]) == 0
        output = capsys.readouterr().out
        stopped, best = re.search(r"stopped after (\d+) epochs; .* of epoch (\d+)", output).groups()
        assert int(best) < int(stopped) < 500
        losses = [float(loss) for loss in re.findall(r"Validation loss: ([\d.]+)", output)]
        assert losses[int(best) - 1] == min(losses)

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
    def test_a_killed_training_is_resumed_to_the_same_file(self, tmp_path):
        command = [sys.executable, "-m", "mlp_ref", "train", "--solver", "adam", "--epochs", "40"]
        command += ["--early-stopping"]
        whole, killed = tmp_path / "whole.npz", tmp_path / "killed.npz"
        subprocess.run([*command, "--save", str(whole)], check=True, capture_output=True)
        command += ["--save", str(killed), "--checkpoint", str(tmp_path / "state"), "--resume"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                if "Epoch: 5/" in line:
                    break
            process.kill()
        assert not killed.exists()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert "Epoch: 1/" not in done.stdout
        np.testing.assert_array_equal(MLP.load(killed).flat, MLP.load(whole).flat, strict=True)

    def test_a_checkpoint_is_not_overwritten_unasked(self, capsys, tmp_path):
        arguments = ["train", "--epochs", "1", "--checkpoint", str(tmp_path)]
        assert main(arguments) == 0
        capsys.readouterr()
        assert main(arguments) == 2
        assert (
            "is the checkpoint of a training: go on with resume=True (--resume), or give"
            in capsys.readouterr().err
        )
        assert main([*arguments, "--resume", "--learning-rate", "0.5"]) == 2
        assert "learning_rate was 1.0 then, and is 0.5 now" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ("--solver newton", "argument --solver: invalid choice: 'newton'"),
            ("--momentum 1", "argument --momentum: expected a number from 0 to less than 1, got '1'"),
            ("--momentum much", "argument --momentum: expected a number from 0 to less than 1, got 'much'"),
            ("--l2 -1", "argument --l2: expected a number, 0 or more, got '-1'"),
            ("--l2 much", "argument --l2: expected a number, 0 or more, got 'much'"),
            ("--nesterov", "--nesterov needs --momentum, such as --momentum 0.9"),
            ("--solver adam --momentum 0.9", "--momentum and --nesterov are for --solver sgd alone"),
            ("--schedule linear", "argument --schedule: invalid choice: 'linear'"),
            ("--resume", "--resume needs --checkpoint DIR, the directory of the training to go on with"),
            ("--solver lbfgs --checkpoint x", "--checkpoint is for --solver sgd and adam"),
        ],
    )
    def test_bad_arguments_end_with_status_2(self, capsys, arguments, message):
        with pytest.raises(SystemExit) as stop:
            main(["train", *arguments.split()])
        assert stop.value.code == 2
        assert message in capsys.readouterr().err


class TestPlot:
    def test_training_draws_both_sets(self, capsys, tmp_path):
        pytest.importorskip("matplotlib", reason="figures need matplotlib")
        path = tmp_path / "curves.svg"
        assert main(["train", "--epochs", "2", "--plot", str(path)]) == 0
        output = capsys.readouterr().out
        assert f"drawn in {path}" in output
        assert "Validation accuracy" in output
        assert "<svg" in path.read_text(encoding="utf-8")

    def test_evaluation_draws_answers_mistakes_and_weights(self, capsys, tmp_path, saved):
        pytest.importorskip("matplotlib", reason="figures need matplotlib")
        path = tmp_path / "answers.png"
        assert main(["evaluate", str(saved), "--plot", str(path)]) == 0
        assert f"drawn in {path}" in capsys.readouterr().out
        assert path.read_bytes().startswith(b"\x89PNG")

    def test_a_figure_does_not_change_the_training(self, tmp_path):
        pytest.importorskip("matplotlib", reason="figures need matplotlib")
        for name, extra in (("a", []), ("b", ["--plot", str(tmp_path / "b.png")])):
            assert main(["train", "--epochs", "2", "--save", str(tmp_path / name), *extra]) == 0
        assert (MLP.load(tmp_path / "a").flat == MLP.load(tmp_path / "b").flat).all()

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("nowhere/a.png", "--plot must name a file in a directory that exists, but "),
            ("a.doc", "the name of a figure's file must end in one of "),
            (".", "--plot must name a file, but "),
        ],
    )
    def test_a_figure_that_cannot_be_written_is_refused_before_the_work(
        self, capsys, tmp_path, name, message
    ):
        pytest.importorskip("matplotlib", reason="figures need matplotlib")
        assert main(["train", "--plot", str(tmp_path / name)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert message in err

    def test_without_matplotlib_nothing_is_trained(self, capsys, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        assert main(["train", "--plot", str(tmp_path / "a.png")]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert "figures need matplotlib: pip install matplotlib" in err


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_help_is_printed(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"python -m mlp_ref {command}" in capsys.readouterr().out
