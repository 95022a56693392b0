import zipfile

import numpy as np
import pytest

from mlp_ref import MLP


@pytest.fixture
def net():
    return MLP([3, 4, 2], hidden="tanh", loss="softmax_mse", init="normal", seed=0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loaded_network_trains_on_as_the_saved_one_would(path, dtype):
    x, y = np.random.default_rng(0).normal(size=(9, 3)).astype(dtype), np.arange(9) % 2
    net = MLP([3, 4, 2], dtype=dtype, seed=0)
    net.fit(x, y, epochs=2)
    net.save(path)
    twin = MLP.load(path)
    assert repr(twin) == repr(net)
    np.testing.assert_array_equal(twin.flat, net.flat, strict=True)
    assert net.fit(x, y, epochs=2) == twin.fit(x, y, epochs=2)
    np.testing.assert_array_equal(twin.flat, net.flat, strict=True)


def test_the_file_is_named_as_asked_and_stands_alone(net, path):
    net.save(str(path))
    assert list(path.parent.iterdir()) == [path]


def test_an_interrupted_save_leaves_the_old_file(net, path, monkeypatch):
    net.save(path)
    before = path.read_bytes()

    def interrupted(file, **_):
        file.write(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        MLP([3, 2], seed=1).save(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_link_stays_a_link(net, path):
    link = path.with_name("link")
    link.symlink_to(path)
    net.save(link)
    assert link.is_symlink()
    np.testing.assert_array_equal(MLP.load(path).flat, net.flat)


def test_a_new_file_has_the_permissions_of_any_new_file(net, path):
    net.save(path)
    other = path.with_name("other")
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


def test_a_missing_place_is_named(net, path):
    with pytest.raises(FileNotFoundError, match=r"^there is no file "):
        MLP.load(path)
    with pytest.raises(FileNotFoundError, match=f"there is no {path}"):
        net.save(path / "net")
    with pytest.raises(IsADirectoryError, match="path must name a file"):
        net.save(path.parent)


@pytest.mark.parametrize("content", [b"", b"text", b"\x93NUMPY\x01\x00", b"PK\x03\x04 and nothing more"])
def test_a_foreign_file_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{path} is not a network saved by mlp_ref, or is cut short"):
        MLP.load(path)


def test_a_foreign_archive_is_refused(path):
    with path.open("wb") as file:
        np.savez(file, w=np.zeros(3))
    with pytest.raises(ValueError, match=rf"{path} is not a network .* or is damaged \(KeyError"):
        MLP.load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("format.npy", "no array")
    with pytest.raises(ValueError, match=rf"{path} is not a network saved by mlp_ref, or is damaged"):
        MLP.load(path)


def test_every_truncation_is_refused(net, path):
    net.save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=f"^{path} is "):
            MLP.load(path)


def test_a_changed_byte_is_refused_or_harmless(net, path):
    net.save(path)
    whole = bytearray(path.read_bytes())
    refused = 0
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            np.testing.assert_array_equal(MLP.load(path).flat, net.flat, strict=True)
        except ValueError as error:
            assert str(error).startswith(f"{path} is ")  # noqa: PT017  # either outcome is right
            refused += 1
    assert refused > 50


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": np.array("other")}, "its format is 'other', expected 'mlp_ref network'"),
        ({"version": np.array(2)}, "has version 2 of the format, this mlp_ref reads version 1"),
        ({"hidden": np.array("swish")}, "is damaged: hidden must be one of"),
        ({"loss": np.array(3)}, "is damaged: loss must be one of"),
        ({"init": np.array("x")}, "is damaged: init must be one of"),
        ({"layer_sizes": np.array([3])}, "is damaged: layer_sizes must be at least two"),
        ({"flat": np.zeros(5, np.float32)}, r"is damaged: flat must have shape \(26,\), got \(5,\)"),
        ({"flat": np.zeros(26, np.int64)}, "is damaged: flat must be float32 or float64, got int64"),
        ({"flat": np.full(26, np.nan)}, r"is damaged: flat must be finite, but flat\[0\] is nan"),
        ({"random_state": np.array("{}")}, "is damaged"),
        ({"random_state": np.array("no json")}, "is damaged"),
        ({"random_state": np.array("[1]")}, "is damaged"),
    ],
)
def test_a_file_that_makes_no_network_is_refused(net, path, change, message):
    net.save(path)
    with np.load(path) as archive:
        arrays = dict(archive)
    with path.open("wb") as file:
        np.savez(file, **{**arrays, **change})
    with pytest.raises(ValueError, match=f"^{path} {message}|^{path} .*{message}"):
        MLP.load(path)


def test_nothing_is_unpickled(path):
    with path.open("wb") as file:
        np.savez(file, format=np.array([print], dtype=object), version=np.array(1))
    with pytest.raises(ValueError, match="is damaged"):
        MLP.load(path)
