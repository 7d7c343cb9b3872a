"""Processes of one attempt find one another in a store that remembers the attempts before it."""

from __future__ import annotations

import threading
import time

import torch.distributed as dist

from elman.training.distributed.rendezvous import attempt_name


def names(store: dist.Store, order: list[int]) -> list[str]:
    """What processes agree upon that start in this order, a while apart."""
    found: dict[int, str] = {}

    def join(rank: int) -> None:
        found[rank] = attempt_name(store, rank, len(order))

    threads = [threading.Thread(target=join, args=(rank,), daemon=True) for rank in order]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    for thread in threads:
        thread.join(20)
    return [found[rank] for rank in sorted(order)]


def test_an_attempt_has_a_name_of_its_own_whoever_comes_first() -> None:
    store = dist.HashStore()
    seen = []
    for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1]):
        found = names(store, order)
        assert len(found) == 3
        assert len(set(found)) == 1
        seen.append(found[0])
    assert len(set(seen)) == 3
