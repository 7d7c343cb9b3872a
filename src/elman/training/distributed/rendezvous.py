"""Processes that a launcher starts again find one another, and not those that were before them.

torch's elastic agent keeps one store for all attempts (torch 2.13: `_create_c10d_store` gives an attempt no name of its
own in it). A process that is quicker than another reads the address which that one had in the attempt before, and waits
at it for half an hour. Here the processes of an attempt first agree upon a name, below which everything is new.
"""

from __future__ import annotations

import os
import time
import uuid
from datetime import timedelta

from torch.distributed import PrefixStore, Store, TCPStore, init_process_group, is_initialized  # type: ignore[attr-defined]

PATIENCE = timedelta(minutes=30)
"""As long as torch waits for processes that are still reading their data."""
_PAUSE = 0.02
"""Seconds between two looks at the store."""


def join_processes() -> None:
    """Start the process group through the store of torch's elastic agent, where there is one."""
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True" or is_initialized():
        return
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = TCPStore(address, port, is_master=False, timeout=PATIENCE)
    own = PrefixStore(attempt_name(store, rank, world), store)
    init_process_group(store=own, rank=rank, world_size=world, timeout=PATIENCE)


def attempt_name(store: Store, rank: int, world: int) -> str:
    """A name that all processes of this attempt know, and none of another.

    The first process counts the attempt and lists who has come to it; the others come to the newest attempt until they
    find themselves in its list, which the list of an attempt before theirs does not hold.
    """
    own, number = uuid.uuid4().hex, 0
    if rank == 0:
        number = store.add("elman/attempts", 1)
        others = [store.get(_place(number, other)).decode() for other in range(1, world)]  # waits for each
        store.set(_place(number, "all"), " ".join([own, *others]))
        return _place(number, "group")
    while True:
        newest = store.add("elman/attempts", 0)
        if newest > number:
            number = newest
            store.set(_place(number, rank), own)
        if number and store.check([_place(number, "all")]) and own in store.get(_place(number, "all")).decode().split():
            return _place(number, "group")
        time.sleep(_PAUSE)


def _place(number: int, name: object) -> str:
    return f"elman/attempt {number}/{name}"
