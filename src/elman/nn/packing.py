"""`PackedSequence` to a padded batch with lengths, and back."""

from __future__ import annotations

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence


def unpack(packed: PackedSequence) -> tuple[Tensor, Tensor]:
    """The padded batch (T, B, F), longest sequence first, and its lengths (B,), on the CPU."""
    return pad_packed_sequence(PackedSequence(packed.data, packed.batch_sizes))


def pack_like(
    padded: Tensor,  # (T, B, F), longest sequence first
    lengths: Tensor,  # (B,)
    packed: PackedSequence,
) -> PackedSequence:
    """Pack `padded` as `packed` is packed, for a batch that `unpack` made of it."""
    data = pack_padded_sequence(padded, lengths).data
    return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)


def permute(
    hx: Tensor,  # (L * D, B, H)
    order: Tensor | None,  # (B,)
) -> Tensor:
    """The states in another order of the batch."""
    return hx if order is None else hx.index_select(1, order)
