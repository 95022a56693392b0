"""The worked examples of docs/bring-your-own.md: each is verified, and with a mistake planted in it, it is not."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from verify.__main__ import main

PAGE = (Path(__file__).parents[2] / "docs" / "bring-your-own.md").read_text(encoding="utf-8")
SECTIONS = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
EXAMPLES = {section.partition("\n")[0]: section.partition("\n## ")[0] for section in SECTIONS}

# For each example: what is right and the mistake put in its place; then what the report must name.
MISTAKES = {
    "1": (
        "delta = (self.weights[i].T @ delta) * activations[i] *",
        "delta = (self.weights[i].T @ delta) *",
        "weight of layer 1",
        "not in no_hidden",
    ),
    "2": ("np.sum(dZ, axis=1, keepdims=True)", "dZ[:, :1]", "bias of layer 1", "not in batch_1"),
    "3": ("return dz / len(dz)", "return dz", "weight of layer 1", "not in batch_1"),
    "4": (
        "W2 = W2 - learning_rate * (h.T @ error)",
        "W2 = 0.999 * W2 - learning_rate * (h.T @ error)",
        "weight of layer 2",
        "learning_rate",
    ),
    "5": ("db[j] += dz;", "db[j] = dz;", "bias of layer 1", "not in batch_1"),
}


def blocks(section, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)


def written(section, directory, change=None):
    """Write an example's files; carry out its compiler; return the arguments of its check command."""
    text = section
    if change is not None:
        right, wrong = change
        assert section.count(right) == 1
        text = section.replace(right, wrong)
    for block in blocks(text, "python") + blocks(text, "c"):
        (directory / re.match(r"(?:#|/\*) (\w+\.\w+)", block)[1]).write_text(block, encoding="utf-8")
    commands = [shlex.split(line[2:]) for line in "".join(blocks(text, "console")).splitlines()]
    for command in commands[:-1]:
        if shutil.which(command[0]) is None:
            pytest.skip(f"there is no {command[0]} here")
        subprocess.run(command, cwd=directory, check=True)
    assert commands[-1][:4] == ["python", "-m", "verify", "check"]
    return commands[-1][3:]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    def run(section, change=None):
        arguments = written(section, tmp_path, change)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", [*sys.path])
        for module in ("book_network", "course_network", "layer_network", "step_network"):
            monkeypatch.delitem(sys.modules, module, raising=False)
        status = main([*arguments, "--cases", "100", "--xla", "0", "--certified", "0"])
        return status, capsys.readouterr().out

    return run


def test_there_are_five_examples():
    assert [title[:2] for title in EXAMPLES] == ["1.", "2.", "3.", "4.", "5."]


@pytest.mark.parametrize("title", EXAMPLES)
def test_the_example_is_verified(title, run):
    status, report = run(EXAMPLES[title])
    assert report.startswith("VERIFIED: "), report
    assert status == 0


@pytest.mark.parametrize("title", EXAMPLES)
def test_the_example_with_a_mistake_is_not(title, run):
    right, wrong, tensor, where = MISTAKES[title[0]]
    status, report = run(EXAMPLES[title], (right, wrong))
    assert report.startswith("WRONG: "), report
    assert status == 1
    assert f"where            {tensor}[" in report
    assert where in report
    lines = report.splitlines()
    assert len(lines) <= 40
    assert all(len(line) <= 105 or "verify.load(" in line for line in lines)  # a path may be long


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_owner_adds_at_most_ten_lines(title):
    target = blocks(EXAMPLES[title], "python")[-1]
    own = [line for line in target.splitlines() if line.strip() and not re.match(r"#|import |from ", line)]
    assert len(own) <= 10
