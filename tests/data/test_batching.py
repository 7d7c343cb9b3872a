"""Batching: every example once an epoch, like with like, the same from the same seed in whatever order."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.batching import Buckets, batches_by_length, pad_sequences


@settings(deadline=None)
@given(
    lengths=st.lists(st.integers(0, 50), min_size=1, max_size=300),
    batch=st.integers(1, 40),
    epoch=st.integers(0, 3),
)
def test_every_example_once_an_epoch(lengths, batch, epoch):
    buckets = Buckets(lengths, batch, seed=1)
    count = buckets.batches_per_epoch
    batches = [buckets.batch(step) for step in range(epoch * count, (epoch + 1) * count)]
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert all(1 <= len(each) <= batch for each in batches)
    assert sum(len(each) < batch for each in batches) <= 1


def test_random_access_is_the_same_whatever_was_asked_before():
    lengths = np.random.default_rng(0).integers(1, 100, 500)
    one, other = Buckets(lengths, 16, seed=7), Buckets(lengths, 16, seed=7)
    in_order = [one.batch(step) for step in range(80)]
    for step in (79, 3, 40, 39, 0):
        assert np.array_equal(other.batch(step), in_order[step])


def test_epochs_and_seeds_differ():
    lengths = np.random.default_rng(0).integers(1, 10, 64)
    buckets = Buckets(lengths, 16, seed=7)
    epochs = {tuple(frozenset(buckets.batch(4 * epoch + i).tolist()) for i in range(4)) for epoch in range(5)}
    assert len({frozenset(epoch) for epoch in epochs}) == 5
    assert not np.array_equal(Buckets(lengths, 16, seed=8).batch(0), buckets.batch(0))


def test_little_of_a_batch_is_padding():
    lengths = np.random.default_rng(0).geometric(0.03, 5000)
    buckets = Buckets(lengths, 32, seed=0)
    batches = [buckets.batch(step) for step in range(buckets.batches_per_epoch)]
    steps = sum(lengths[batch].max() * len(batch) for batch in batches)
    shuffled = np.random.default_rng(1).permutation(5000)
    unsorted = sum(lengths[batch].max() * len(batch) for batch in np.array_split(shuffled, buckets.batches_per_epoch))
    assert lengths.sum() / steps > 0.85
    assert lengths.sum() / unsorted < 0.35
    maxima = np.array([lengths[batch].max() for batch in batches])
    assert abs(np.corrcoef(maxima, np.arange(len(maxima)))[0, 1]) < 0.3  # long and short take turns


def test_evaluation_goes_by_length():
    lengths = [5, 1, 3, 1, 9]
    assert [batch.tolist() for batch in batches_by_length(lengths, 2)] == [[1, 3], [2, 0], [4]]
    assert batches_by_length([], 2) == []


def test_padding_vectors_and_ids():
    padded, lengths = pad_sequences([np.ones((3, 2), np.float32), torch.zeros(1, 2), np.empty((0, 2), np.float32)], -1)
    assert padded.dtype == torch.float32
    assert padded.shape == (3, 3, 2)
    assert padded[:, :, 0].T.tolist() == [[1, 1, 1], [0, -1, -1], [-1, -1, -1]]
    assert lengths.tolist() == [3, 1, 0]
    ids, lengths = pad_sequences([[], [4, 5], [6]], padding=9)
    assert ids.dtype == lengths.dtype == torch.int64
    assert ids.T.tolist() == [[9, 9], [4, 5], [6, 9]]


def test_wrong_use():
    with pytest.raises(ValueError, match="no sequences"):
        pad_sequences([])
    with pytest.raises(ValueError, match="different shapes"):
        pad_sequences([np.zeros((2, 3)), np.zeros((2, 4))])
    with pytest.raises(ValueError, match="batch is 0"):
        Buckets([1, 2], 0, 0)
    with pytest.raises(ValueError, match="shape"):
        Buckets([], 1, 0)
