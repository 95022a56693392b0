import gzip
import hashlib
import struct

import numpy as np
import pytest

from mlp_ref import datasets


def write_idx(path, array, magic=None, shape=None, opener=open):
    """Write an array of bytes as IDX, with a false magic number or shape where one is given."""
    magic = 0x0800 + array.ndim if magic is None else magic
    shape = array.shape if shape is None else shape
    with opener(path, "wb") as file:
        file.write(struct.pack(f">{1 + len(shape)}I", magic, *shape) + array.tobytes())


def write_mnist(directory, train=50, test=20):
    """Write random images and labels as MNIST's four files, and return them as arrays."""
    rng = np.random.default_rng(0)
    written = []
    for part, images in (("train", train), ("t10k", test)):
        x = rng.integers(0, 256, (images, 28, 28), dtype=np.uint8)
        y = rng.integers(0, 10, images, dtype=np.uint8)
        write_idx(directory / f"{part}-images-idx3-ubyte", x)
        write_idx(directory / f"{part}-labels-idx1-ubyte", y)
        written += [x, y]
    return written


@pytest.fixture
def mnist(tmp_path):
    write_mnist(tmp_path)
    return tmp_path


class TestDigits:
    def test_sizes_and_types(self):
        (x_train, y_train), (x_test, y_test) = datasets.load_digits()
        assert (x_train.shape, y_train.shape) == ((1433, 64), (1433,))
        assert (x_test.shape, y_test.shape) == ((364, 64), (364,))
        assert x_train.dtype == x_test.dtype == np.float32
        assert y_train.dtype == y_test.dtype == np.int64

    def test_pixels_are_between_none_and_full(self):
        (x_train, _), (x_test, _) = datasets.load_digits()
        for x in (x_train, x_test):
            assert x.min() == 0
            assert x.max() == 1

    def test_a_fifth_of_each_digit_is_for_testing(self):
        (_, y_train), (_, y_test) = datasets.load_digits()
        total, test = np.bincount(np.concatenate([y_train, y_test])), np.bincount(y_test)
        np.testing.assert_array_equal(total, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
        np.testing.assert_array_equal(test, -(-total // 5))

    def test_split_is_the_same_everywhere(self):
        """The digest was taken once: a split that depended on a library's random numbers would change it."""
        (x_train, y_train), (x_test, y_test) = datasets.load_digits(np.float64)
        digest = hashlib.sha256()
        for array in (x_train * 16, y_train, x_test * 16, y_test):
            digest.update(array.astype(np.uint8).tobytes())
        assert digest.hexdigest() == "665e175ff94418ebc4e8b837e8d2a7663bbea1b8d520282e3ce37c230ea3c7e2"

    def test_no_image_is_in_both_parts(self):
        (x_train, _), (x_test, _) = datasets.load_digits()
        assert not {row.tobytes() for row in x_train} & {row.tobytes() for row in x_test}

    def test_float64_has_the_same_values(self):
        (narrow, _), _ = datasets.load_digits(np.float32)
        (wide, _), _ = datasets.load_digits("float64")
        assert wide.dtype == np.float64
        np.testing.assert_array_equal(wide, narrow.astype(np.float64), strict=True)

    def test_arrays_belong_to_the_caller(self):
        (x, y), _ = datasets.load_digits()
        x[:], y[:] = -1, -1
        (again, labels), _ = datasets.load_digits()
        assert again.min() == 0
        assert labels.min() == 0

    @pytest.mark.parametrize("dtype", [np.int64, np.complex128, np.float16])
    def test_other_types_are_refused(self, dtype):
        with pytest.raises(TypeError, match=f"dtype must be float32 or float64, got {np.dtype(dtype)}"):
            datasets.load_digits(dtype)

    def test_images_are_those_of_scikit_learn(self):
        original = pytest.importorskip("sklearn.datasets").load_digits()
        (x_train, y_train), (x_test, y_test) = datasets.load_digits(np.float64)
        expected = np.column_stack([original.data / 16, original.target])
        found = np.column_stack([np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test])])
        np.testing.assert_array_equal(
            found[np.lexsort(found.T)], expected[np.lexsort(expected.T)], strict=True
        )


class TestMnist:
    def test_returns_what_the_files_hold(self, tmp_path):
        images_train, labels_train, images_test, labels_test = write_mnist(tmp_path)
        (x_train, y_train), (x_test, y_test) = datasets.load_mnist(tmp_path)
        for x, images in ((x_train, images_train), (x_test, images_test)):
            expected = images.reshape(-1, 784).astype(np.float32) / np.float32(255)
            np.testing.assert_array_equal(x, expected, strict=True)
            assert x.flags.writeable
        for y, labels in ((y_train, labels_train), (y_test, labels_test)):
            np.testing.assert_array_equal(y, labels.astype(np.int64), strict=True)
            assert y.flags.writeable

    def test_float64_and_a_directory_given_as_text(self, mnist):
        (x, _), _ = datasets.load_mnist(str(mnist), dtype=np.float64)
        assert x.dtype == np.float64
        np.testing.assert_array_equal(np.rint(x * 255) / 255, x)

    @pytest.mark.parametrize("rename", [lambda name: name.replace("-idx", ".idx"), lambda name: name])
    @pytest.mark.parametrize("suffix", ["", ".gz"])
    @pytest.mark.parametrize("opener", [open, gzip.open])
    def test_usual_names_and_compression(self, tmp_path, rename, suffix, opener):
        """A file may be compressed without a name that says so, and the other way round."""
        plain, renamed = tmp_path / "plain", tmp_path / "renamed"
        plain.mkdir()
        renamed.mkdir()
        write_mnist(plain)
        for path in plain.iterdir():
            with opener(renamed / (rename(path.name) + suffix), "wb") as file:
                file.write(path.read_bytes())
        for (x, y), (x_plain, y_plain) in zip(
            datasets.load_mnist(renamed), datasets.load_mnist(plain), strict=True
        ):
            np.testing.assert_array_equal(x, x_plain, strict=True)
            np.testing.assert_array_equal(y, y_plain, strict=True)

    def test_directory_that_is_missing(self, tmp_path):
        with pytest.raises(
            FileNotFoundError, match="nowhere' is not a directory; expected one that has train-images"
        ):
            datasets.load_mnist(tmp_path / "nowhere")

    def test_all_missing_files_are_named(self, mnist):
        (mnist / "train-labels-idx1-ubyte").unlink()
        (mnist / "t10k-images-idx3-ubyte").unlink()
        missing = "lacks train-labels-idx1-ubyte, t10k-images-idx3-ubyte; put each there under that name"
        with pytest.raises(FileNotFoundError, match=missing):
            datasets.load_mnist(mnist)

    def test_images_in_place_of_labels(self, mnist):
        (mnist / "train-images-idx3-ubyte").replace(mnist / "train-labels-idx1-ubyte")
        write_idx(mnist / "train-images-idx3-ubyte", np.zeros((50, 28, 28), np.uint8))
        with pytest.raises(ValueError, match=r"train-labels.*expected the magic number 2049 .*got 2051"):
            datasets.load_mnist(mnist)

    def test_file_of_something_else(self, mnist):
        (mnist / "t10k-images-idx3-ubyte").write_bytes(b"<!DOCTYPE html><title>404</title>")
        with pytest.raises(ValueError, match=r"t10k-images-idx3-ubyte: expected the magic number 2051"):
            datasets.load_mnist(mnist)

    def test_file_shorter_than_a_header(self, mnist):
        (mnist / "t10k-images-idx3-ubyte").write_bytes(b"")
        with pytest.raises(ValueError, match=r"t10k-images.*whose header is 16 bytes, got 0 bytes"):
            datasets.load_mnist(mnist)

    @pytest.mark.parametrize(("size", "fault"), [(-1, "is truncated"), (1, "is too long")])
    def test_wrong_length(self, mnist, size, fault):
        path = mnist / "train-images-idx3-ubyte"
        content = path.read_bytes()
        path.write_bytes(content[:size] if size < 0 else content + bytes(size))
        expected = (
            rf"train-images-idx3-ubyte {fault}: expected 39216 bytes.*\(50, 28, 28\), got {39216 + size}"
        )
        with pytest.raises(ValueError, match=expected):
            datasets.load_mnist(mnist)

    def test_header_that_announces_more_than_any_memory(self, mnist):
        path = mnist / "train-images-idx3-ubyte"
        write_idx(path, np.zeros((50, 28, 28), np.uint8), shape=(2**32 - 1,) * 3)
        with pytest.raises(ValueError, match="is truncated"):
            datasets.load_mnist(mnist)

    @pytest.mark.parametrize(
        "damage", [lambda content: content[:-20], lambda content: content[:40] + bytes(60)]
    )
    def test_damaged_compression(self, mnist, damage):
        path = mnist / "train-labels-idx1-ubyte"
        path.write_bytes(damage(gzip.compress(path.read_bytes())))
        with pytest.raises(
            ValueError, match=r"train-labels-idx1-ubyte: expected a complete gzip file, got a damaged"
        ):
            datasets.load_mnist(mnist)

    def test_other_image_size(self, mnist):
        write_idx(mnist / "train-images-idx3-ubyte", np.zeros((50, 8, 8), np.uint8))
        with pytest.raises(ValueError, match="expected images of 28 x 28 pixels, got 8 x 8"):
            datasets.load_mnist(mnist)

    def test_no_images(self, mnist):
        write_idx(mnist / "train-images-idx3-ubyte", np.zeros((0, 28, 28), np.uint8))
        with pytest.raises(ValueError, match=r"expected at least one element, got the shape \(0, 28, 28\)"):
            datasets.load_mnist(mnist)

    def test_labels_of_another_number_of_images(self, mnist):
        write_idx(mnist / "t10k-labels-idx1-ubyte", np.zeros(19, np.uint8))
        with pytest.raises(
            ValueError, match=r"t10k-labels-idx1-ubyte: expected 20 labels, one for each image"
        ):
            datasets.load_mnist(mnist)

    def test_labels_out_of_range(self, mnist):
        labels = np.zeros(20, np.uint8)
        labels[[3, 5]] = 10, 200
        write_idx(mnist / "t10k-labels-idx1-ubyte", labels)
        with pytest.raises(
            ValueError, match="expected labels from 0 to 9, got 10 at index 3, the first of 2"
        ):
            datasets.load_mnist(mnist)

    def test_other_types_are_refused_before_anything_is_read(self, tmp_path):
        with pytest.raises(TypeError, match="dtype must be float32 or float64, got int32"):
            datasets.load_mnist(tmp_path / "nowhere", dtype=np.int32)
