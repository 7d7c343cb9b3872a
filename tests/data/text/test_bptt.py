"""Streams: whatever batch and chunk, every character but the first is a target exactly once an epoch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.batching import IGNORE_INDEX
from elman.data.text.bptt import Streams
from elman.errors import UserError


@settings(deadline=None)
@given(
    sizes=st.integers(1, 40).flatmap(lambda chunk: st.tuples(st.just(chunk), st.integers(chunk + 1, 200))),
    batch=st.integers(1, 12),
)
def test_every_pair_is_seen_exactly_once(sizes, batch):
    chunk, symbols = sizes
    streams = Streams(torch.arange(symbols), batch, chunk)
    seen = []
    for step in range(streams.chunks_per_epoch):
        inputs, targets, first = streams.chunk(step)
        assert inputs.shape == targets.shape
        assert inputs.shape[1] == batch
        assert 1 <= len(inputs) <= chunk
        assert first == (step == 0)
        counted = targets != IGNORE_INDEX
        assert (targets[counted] == inputs[counted] + 1).all()
        assert counted.all() or step == streams.chunks_per_epoch - 1
        assert counted[:-1].all() or len(inputs) == 1
        seen += targets[counted].tolist()
    assert sorted(seen) == list(range(1, symbols))
    assert streams.targets_per_epoch == symbols - 1


def test_a_stream_goes_on_from_chunk_to_chunk():
    streams = Streams(torch.arange(23), batch=3, chunk=3)
    inputs = torch.cat([streams.chunk(step)[0] for step in range(streams.chunks_per_epoch)])
    assert inputs.T.tolist() == [[*range(8)], [*range(7, 15)], [*range(14, 22)]]
    targets = torch.cat([streams.chunk(step)[1] for step in range(streams.chunks_per_epoch)])
    assert targets.T.tolist() == [[*range(1, 8), IGNORE_INDEX], [*range(8, 15), IGNORE_INDEX], [*range(15, 23)]]


def test_steps_count_on_over_epochs_and_random_access_is_free():
    streams = Streams(torch.randint(0, 65, (500,)), batch=4, chunk=16)
    epoch = streams.chunks_per_epoch
    assert epoch == 8
    for step in (5, 0, 7, 2):
        here, later = streams.chunk(step), streams.chunk(step + 3 * epoch)
        assert torch.equal(here[0], later[0])
        assert torch.equal(here[1], later[1])
        assert here[2] == later[2] == (step == 0)


def test_one_stream_evaluates_a_whole_text():
    ids = torch.randint(0, 65, (100,))
    streams = Streams(ids, batch=1, chunk=33)
    chunks = [streams.chunk(step) for step in range(streams.chunks_per_epoch)]
    assert [len(inputs) for inputs, _, _ in chunks] == [33, 33, 33]
    assert torch.equal(torch.cat([inputs for inputs, _, _ in chunks])[:, 0], ids[:-1])
    assert torch.equal(torch.cat([targets for _, targets, _ in chunks])[:, 0], ids[1:])


def test_sum_of_losses_is_that_of_the_whole_text():
    ids = torch.randint(0, 7, (203,))
    logits = torch.randn(7, 7, dtype=torch.float64)  # a bigram model needs no state
    whole = torch.nn.functional.cross_entropy(logits[ids[:-1]], ids[1:], reduction="sum")
    streams = Streams(ids, batch=5, chunk=12)
    parts = sum(
        torch.nn.functional.cross_entropy(logits[inputs].flatten(0, 1), targets.flatten(), reduction="sum")
        for inputs, targets, _ in map(streams.chunk, range(streams.chunks_per_epoch))
    )
    torch.testing.assert_close(parts, whole)


@pytest.mark.parametrize(("symbols", "chunk"), [(0, 1), (1, 1), (57, 128), (128, 128)])
def test_text_shorter_than_one_chunk(symbols, chunk):
    with pytest.raises(UserError, match=f"has {symbols} symbols, but one chunk takes {chunk}"):
        Streams(torch.zeros(symbols, dtype=torch.int64), 1, chunk)


@pytest.mark.parametrize(("batch", "chunk", "shape"), [(0, 1, (9,)), (1, 0, (9,)), (1, 1, (3, 3))])
def test_wrong_use(batch, chunk, shape):
    with pytest.raises(ValueError, match=f"batch is {batch}, chunk is {chunk}") as caught:
        Streams(torch.zeros(shape, dtype=torch.int64), batch, chunk)
    assert not isinstance(caught.value, UserError)
