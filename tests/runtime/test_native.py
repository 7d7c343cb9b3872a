"""What the runtime packs for the native library is what its header says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from elman.kernels.cpu.library import available, layout
from elman.runtime.native import ABI, load_library

HEADER = Path(__file__).parents[2] / "src/elman/kernels/native/elman.h"
WIDE = 8
PACKED = {"elman_call": 36, "elman_decoder_spec": 13, "elman_sampling_params": 5}
"""Structs, and how many fields of eight bytes `elman.runtime.native` packs for each."""


def test_the_version_of_the_interface_is_the_headers() -> None:
    found = re.search(r"ELMAN_ABI = (\d+)", HEADER.read_text(encoding="utf-8"))
    assert found is not None
    assert int(found[1]) == ABI


@pytest.mark.skipif(not available(), reason="the native library is not built here")
def test_it_loads_where_elman_loads_it_and_structs_are_as_packed() -> None:
    assert load_library() is not None
    structs = layout()
    assert {name: structs[name][""][1] // WIDE for name in PACKED} == PACKED
