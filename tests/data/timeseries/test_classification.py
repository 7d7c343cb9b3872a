"""Sequences: the public sets have their published shapes, own files are read, or refused by file and line."""

import gzip
import os
import struct

import numpy as np
import pytest

from elman.data.io.idx import read_idx, read_mnist
from elman.data.timeseries.classification import read_sequence_part, read_sequences
from elman.errors import UserError

HEADER = """# about
@problemName toy
@timeStamps false
@univariate false
@dimensions 2
@equalLength false
@classLabel true a b
@data
"""
LINES = "1,2,3:-1,-2,-3:a\n4,5:1e1,-5.5:b\n" * 5


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def refused(parts, data, **options):
    with pytest.raises(UserError) as caught:
        read_sequences(data, **options)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message, message


def both(data):
    return [*data.train.values, *data.validation.values]


def test_ts_file_and_the_test_file_beside_it(tmp_path):
    path = write(tmp_path / "Toy_TRAIN.ts", HEADER + LINES)
    write(tmp_path / "Toy_TEST.ts", HEADER + "7:8:b\n")
    data = read_sequences(path)
    assert data.classes == ("a", "b")
    assert data.channels == 2
    assert (len(data.train), len(data.validation), len(data.test)) == (8, 2, 1)
    assert sorted(data.validation.labels.tolist()) == [0, 1]
    for value, label in zip(data.train.values, data.train.labels, strict=True):
        assert value.dtype == np.float32
        assert value.tolist() == ([[1, -1], [2, -2], [3, -3]] if label == 0 else [[4, 10], [5, -5.5]])
    assert data.test.values[0].tolist() == [[7, 8]]
    assert data.test.lengths.tolist() == [1]
    folder = read_sequences(tmp_path)
    assert folder.train.labels.tolist() == data.train.labels.tolist()
    assert len(folder.test) == 1


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (HEADER + LINES + "1,2:3,x4:a\n", ["line 19, channel 2: 'x4' is no number"]),
        (HEADER + LINES + "1,2:3,4\n", ["line 19 ends in class '3,4'", "cut off"]),
        (HEADER + LINES + "1,2,3", ["line 19 has no class"]),
        (HEADER + LINES + "1,2:3:a\n", ["line 19 has channels of 1 and 2 steps"]),
        (HEADER + LINES + "1,2:a\n", ["line 19 has 1 channels where", "line 9 has 2"]),
        (HEADER + LINES + "1,2:3,4:c\n", ["line 19 ends in class 'c'"]),
        (HEADER + LINES + "1,:3,4:a\n", ["line 19, channel 1: '' is no number"]),
        (HEADER + "1,2:3,4:a\n" * 3, ["every example is 'a'", "two classes"]),
        (HEADER + LINES + "1:2:b\n" + "1:1:c\n", ["line 20"]),
        (HEADER, ["no sequences after @data"]),
        ("@problemName toy\n", ["no @data line"]),
        ("1,2:3\n@data\n", ["line 1 stands before @data"]),
        (HEADER.replace("@timeStamps false", "@timeStamps true") + LINES, ["time stamps"]),
        (HEADER.replace("@classLabel true a b", "@classLabel false") + LINES, ["@classLabel false"]),
        (
            HEADER.replace("@equalLength false", "@equalLength true\n@seriesLength 3") + LINES,
            ["line 11 has 2 steps where @seriesLength says 3"],
        ),
        (
            HEADER + LINES + "1,?:3,4:a\n",
            ["line 19: the value of step 2, channel 1 is missing", "`interpolate`"],
        ),
        (HEADER + LINES + "1,2:3,nan:a\n", ["line 19: the value of step 2, channel 2 is missing"]),
        (HEADER + LINES + "1,2:-inf,4:a\n", ["line 19: the value of step 1, channel 2 is missing"]),
    ],
)
def test_damaged_ts_file_names_the_line(tmp_path, text, parts):
    path = write(tmp_path / "toy.ts", text)
    refused([path, *parts], path)


def test_labels_that_are_not_declared_are_taken_as_they_come(tmp_path):
    path = write(tmp_path / "toy.ts", HEADER.replace("@classLabel true a b\n", "") + LINES + "1:2:b\n1:1:c\n")
    refused(["class 'c' has one example", f"{path} line 19"], path)


def test_interpolation_is_linear_in_time_and_holds_the_ends(tmp_path):
    line = "?,1,?,?,4,NaN:0,0,0,0,0,0:a\n"
    data = read_sequences(write(tmp_path / "toy.ts", HEADER + LINES + line), interpolate=True)
    filled = next(value for value in both(data) if len(value) == 6)
    assert filled[:, 0].tolist() == [1, 1, 2, 3, 4, 4]
    assert not filled[:, 1].any()
    path = write(tmp_path / "toy.ts", HEADER + LINES + "?,?:1,2:a\n")
    refused(["line 19: channel 1 has no value"], path, interpolate=True)


def test_test_part_must_fit_the_training_part(tmp_path):
    path = write(tmp_path / "Toy_TRAIN.ts", HEADER + LINES)
    write(tmp_path / "Toy_TEST.ts", HEADER + "7:b\n")
    refused(["Toy_TEST.ts line 9 has 1 channels where the training part has 2"], path)
    write(tmp_path / "Toy_TEST.ts", HEADER.replace(" a b", " a b c") + "7:8:c\n")
    refused(["Toy_TEST.ts line 9: label 'c' was never seen in training, which had a, b"], path)


def test_a_part_for_evaluation(tmp_path):
    path = write(tmp_path / "Toy_TRAIN.ts", HEADER + LINES)
    part = read_sequence_part(path, ("a", "b"), 2)
    assert part.labels.tolist() == [0, 1] * 5
    with pytest.raises(UserError, match="has 2 channels where the training part has 3"):
        read_sequence_part(path, ("a", "b"), 3)
    with pytest.raises(UserError, match="line 10: label 'b' was never seen"):
        read_sequence_part(path, ("a", "c"), 2)


def test_npz_in_one_array_or_in_parts(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(10, 7, 3)), np.array(["u", "v"] * 5)
    lengths = np.array([7, 3] * 5)
    np.savez(tmp_path / "a.npz", X=x, y=y, lengths=lengths)
    data = read_sequences(tmp_path / "a.npz", validation_share=0.4)
    assert (data.classes, data.channels) == (("u", "v"), 3)
    assert (len(data.train), len(data.validation), len(data.test)) == (6, 4, 0)
    assert sorted(data.train.lengths.tolist()) == [3, 3, 3, 7, 7, 7]
    kept = {value.tobytes() for value in both(data)}
    assert kept == {x[i, : lengths[i]].astype(np.float32).tobytes() for i in range(10)}

    np.savez_compressed(tmp_path / "b.npz", x_train=x[:, :, 0], y_train=[4, 10] * 5, x_val=x[:4, :, 0], y_val=[4] * 4)
    data = read_sequences(tmp_path / "b.npz")
    assert (data.classes, data.channels) == (("4", "10"), 1)
    assert (len(data.train), len(data.validation), len(data.test)) == (10, 4, 0)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"a": np.zeros(3)}, "has a; it needs x"),
        ({"x": np.zeros((4, 2))}, "has x but no y"),
        ({"x": np.zeros((4, 2)), "y": np.zeros(3)}, "x is float64 (4, 2) and y is float64 (3)"),
        ({"x": np.array(["p", "q"])[:, None], "y": np.zeros(2)}, "must be numbers"),
        ({"x": np.zeros((2, 3)), "y": [0, 1], "lengths": [3, 4]}, "at most 3 steps"),
        ({"x": np.zeros((2, 3)), "y": [0, 1], "lengths": [3, -1]}, "at most 3 steps"),
        ({"x": np.array([None, [1]], dtype=object), "y": [0, 1]}, "holds Python objects"),
        (
            {"x": np.full((4, 2), np.nan), "y": [0, 1, 0, 1]},
            "line 1: the value of step 1, channel 1 is missing",
        ),
        ({"x": np.zeros((4, 2)), "y": [0, 1, 0, 1], "lengths": [1, 0, 1, 1]}, "has no steps"),
    ],
)
def test_npz_that_does_not_fit(tmp_path, arrays, says):
    np.savez(tmp_path / "a.npz", **arrays)
    refused([tmp_path / "a.npz", says], tmp_path / "a.npz")


@pytest.mark.parametrize("damage", ["cut", "changed", "garbage", "npy"])
def test_damaged_npz(tmp_path, damage):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(400.0).reshape(4, 100), y=[0, 1, 0, 1])
    whole = path.read_bytes()
    if damage == "npy":
        np.save(tmp_path / "a", np.zeros(3))
        whole = (tmp_path / "a.npy").read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 255
    path.write_bytes({"cut": whole[:-200], "changed": bytes(changed), "garbage": b"no zip", "npy": whole}[damage])
    refused([path, "is damaged or no .npz file"], path)


def test_csv_folders_with_and_without_header(tmp_path):
    for part, count in (("train", 4), ("test", 1)):
        for i in range(count):
            write(tmp_path / part / "up" / f"{i}.csv", "x,y\n1,2\n3,4\n\n")
            write(tmp_path / part / "down" / f"{i}.csv", "5;6\n7;8\n9;10\n")
    data = read_sequences(tmp_path)
    assert (data.classes, data.channels) == (("down", "up"), 2)
    assert (len(data.train), len(data.validation), len(data.test)) == (6, 2, 2)
    assert data.test.values[0].tolist() == [[5, 6], [7, 8], [9, 10]]
    assert data.test.values[1].tolist() == [[1, 2], [3, 4]]
    assert len(read_sequences(tmp_path / "train").test) == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1,2\n3,x\n", "line 2: 'x' is no number"),
        ("1,2\n3\n", "line 2 has 1 columns where those above have 2"),
        ("1,2\n3,\n", "the value of step 2, channel 2 is missing"),
        ("1,2,3\n", "has 3 channels where"),
        ("x,y\n", "has no rows of numbers"),
        ("", "is empty"),
    ],
)
def test_bad_csv_in_a_class_folder(tmp_path, text, says):
    for label in ("a", "b"):
        for i in range(2):
            write(tmp_path / label / f"{i}.csv", "1,2\n")
    write(tmp_path / "b" / "9.csv", text)
    refused([tmp_path / "b" / "9.csv", says], tmp_path)


def test_bad_names(tmp_path):
    refused(["did you mean gunpoint?"], "gunpiont")
    refused(["imdb is a dataset of labelled text, not of sequences", "mnist-pixels"], "imdb")
    refused(["there is no file or folder"], tmp_path / "x.ts")
    refused(["cannot tell the format"], write(tmp_path / "x.wav", "x"))
    refused(["has no class folders"], tmp_path)
    for name in ("A_TRAIN.ts", "B_TRAIN.ts"):
        write(tmp_path / name, HEADER + LINES)
    refused(["several _TRAIN.ts files"], tmp_path)


def idx(array):
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def digits(tmp_path):
    rng = np.random.default_rng(0)
    for part in ("train", "t10k"):
        pictures = rng.integers(0, 256, (12, 28, 28), dtype=np.uint8)
        labels = np.arange(12, dtype=np.uint8) % 10
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pictures)))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    return tmp_path


def test_mnist_by_rows_by_pixels_and_permuted(digits):
    pictures = read_idx(digits / "train-images-idx3-ubyte.gz")
    rows, pixels, permuted = (read_mnist(digits, order)["train"][3] for order in ("rows", "pixels", "permuted"))
    assert rows.label == "3"
    assert rows.values.shape == (28, 28)
    assert pixels.values.shape == permuted.values.shape == (784, 1)
    np.testing.assert_allclose(rows.values, pictures[3] / 255, rtol=1e-6)
    assert np.array_equal(pixels.values[:, 0], rows.values.ravel())
    assert not np.array_equal(permuted.values, pixels.values)
    assert np.array_equal(np.sort(permuted.values, axis=0), np.sort(pixels.values, axis=0))
    other = read_mnist(digits, "permuted")["test"][0].values
    straight = read_mnist(digits, "pixels")["test"][0].values
    order = np.random.default_rng(0).permutation(784)  # the disorder is one for all, for ever
    assert np.array_equal(other, straight[order])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no gzip", "is damaged"),
        (gzip.compress(idx(np.zeros((12, 28, 28), np.uint8)))[:-20], "is damaged"),
        (
            gzip.compress(idx(np.zeros((12, 28, 28), np.uint8))[:-1]),
            "is cut off: 9407 values for (12, 28, 28)",
        ),
        (gzip.compress(b"\0\0\x0d\x03"), "is no idx file"),
        (gzip.compress(idx(np.zeros((11, 28, 28), np.uint8))), "has 11 pictures"),
    ],
    ids=["no gzip", "cut", "cut inside", "no idx", "fewer pictures"],  # a compressed file says when it was made
)
def test_damaged_mnist(digits, content, says):
    path = digits / "train-images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_mnist(digits, "rows")
    assert str(path) in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "classes", "channels", "sizes", "lengths"),
    [
        ("japanese-vowels", 9, 12, (243, 27, 370), (7, 29)),
        ("gunpoint", 2, 1, (45, 5, 150), (150, 150)),
        ("italy-power-demand", 2, 1, (61, 6, 1029), (24, 24)),
        ("mnist", 10, 28, (54001, 5999, 10000), (28, 28)),
        ("mnist-permuted", 10, 1, (54001, 5999, 10000), (784, 784)),
    ],
)
def test_public_sets(name, classes, channels, sizes, lengths):
    if "ELMAN_DATA" not in os.environ:
        pytest.skip("ELMAN_DATA names no filled cache folder")
    data = read_sequences(name)
    parts = (data.train, data.validation, data.test)
    assert tuple(map(len, parts)) == sizes
    assert (len(data.classes), data.channels) == (classes, channels)
    assert min(part.lengths.min() for part in parts) == lengths[0]
    assert max(part.lengths.max() for part in parts) == lengths[1]
    for part in parts:
        assert part.values[0].shape[1] == channels
        assert set(part.labels.tolist()) == set(range(classes))
