"""Workers that are killed: the launcher starts all of them again, and the run ends as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.forking import Forked
from tests.training.distributed.launching import (
    ELMAN,
    SETTINGS,
    TORCHRUN,
    TRAIN,
    TWO,
    Launcher,
    below,
    end,
    free_port,
    own_lines,
    place,
    start,
    start_forked,
    wait_for,
)
from tests.training.same_files import assert_same_files

NAMESPACES = {"elman-a": "10.211.77.1", "elman-b": "10.211.77.2"}


def kill_worker(agent: Launcher, folder: Path, rank: int) -> None:
    """SIGKILL for the process of that rank below a launcher."""
    os.kill(worker(agent, folder, rank), signal.SIGKILL)


def worker(agent: Launcher, folder: Path, rank: int) -> int:
    """Its process number."""
    if isinstance(agent, Forked):
        return int(place(rank, folder).read_text())
    for process in below(agent.pid):
        if f"RANK={rank}".encode() in Path(f"/proc/{process}/environ").read_bytes().split(b"\0"):
            return process
    pytest.fail(f"there is no process of rank {rank}; the run may be over: give it more steps")


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_worker_is_restarted_and_the_run_goes_on(whole: Path, folder: Path, rank: int) -> None:
    """Once as a user starts it."""
    command = (*TWO, "--max-restarts=2", *TRAIN, "--resume")  # nothing is there yet: it begins
    agent = start((*TORCHRUN, *command), folder) if rank == 0 else start_forked(command, folder)
    wait_for(folder / "run" / "last.safetensors", agent)
    kill_worker(agent, folder, rank)
    code, errors = end(agent)
    assert code == 0, errors
    assert "Warning" not in errors
    begun = [line for line in own_lines(errors) if "training into" in line]
    assert len(begun) == 2, errors
    assert "of them done" in begun[1]
    assert_same_files(whole, folder / "run")


@pytest.mark.slow
def test_killed_before_anything_is_saved_it_begins_again(whole: Path, folder: Path) -> None:
    agent = start_forked((*TWO, "--max-restarts=2", *TRAIN), folder)  # without `resume`
    wait_for(folder / "run" / "settings.toml", agent)
    kill_worker(agent, folder, 1)
    code, errors = end(agent)
    assert code == 0, errors
    assert_same_files(whole, folder / "run")


@pytest.fixture
def namespaces() -> Iterator[dict[str, str]]:
    """Two network namespaces, joined by a cable: the address of each by its name."""
    if not shutil.which("ip") or os.geteuid():
        pytest.skip("two network namespaces need root and the command ip (iproute2)")
    one, other = NAMESPACES
    try:
        made = subprocess.run(("ip", "netns", "add", one), capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"no network namespace can be made here (CAP_SYS_ADMIN): {made.stderr.strip()}")
        for command in (
            f"netns add {other}",
            f"link add elman0 netns {one} type veth peer name elman0 netns {other}",
            *(f"-n {name} address add {address}/24 dev elman0" for name, address in NAMESPACES.items()),
            *(f"-n {name} link set {device} up" for name in NAMESPACES for device in ("lo", "elman0")),
        ):
            subprocess.run(("ip", *command.split()), check=True, capture_output=True)
        yield NAMESPACES
    finally:
        for name in NAMESPACES:
            subprocess.run(("ip", "netns", "delete", name), capture_output=True)


@pytest.mark.slow
def test_two_machines_one_worker_killed(namespaces: dict[str, str], whole: Path, folder: Path) -> None:
    first = next(iter(namespaces.values()))
    agents = []
    for name, address in namespaces.items():
        meeting = ("--rdzv-backend=c10d", f"--rdzv-endpoint={first}:29400", "--rdzv-id=run", "--max-restarts=2")
        here = (f"--rdzv-conf=is_host={int(address == first)}", f"--local-addr={address}", "--nproc-per-node=1")
        words = ("--nnodes=2", *meeting, *here, *TRAIN, "--resume")
        agents.append(start_forked(words, folder, name, GLOO_SOCKET_IFNAME="elman0"))
    wait_for(folder / "run" / "last.safetensors", agents[0])
    kill_worker(agents[1], folder, 1)
    ends = [end(agent) for agent in agents]
    assert [code for code, _ in ends] == [0, 0], ends
    begun = [line for _, errors in ends for line in own_lines(errors) if "training into" in line]
    assert len(begun) == 2, ends
    assert "of them done" in begun[1]
    assert_same_files(whole, folder / "run")


@pytest.mark.slow
def test_machines_without_a_common_disk(folder: Path) -> None:
    port, homes = free_port(), (folder / "one", folder / "two")
    for home in homes:
        home.mkdir()
        shutil.copy(folder / "rhyme.txt", home)

    def on_both(*options: str) -> list[tuple[int, list[str]]]:
        meeting = ("--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={port}")
        command = (*ELMAN, "--data", "rhyme.txt", "--out", "run", *SETTINGS, *options)
        agents = [start_forked((*meeting, f"--node-rank={n}", *command), home) for n, home in enumerate(homes)]
        ends = [end(agent) for agent in agents]
        return [(code, own_lines(errors)) for code, errors in ends]

    (code, said), (other, _) = on_both("--steps", "10")
    assert (code, other) == (0, 0)
    assert sum("does not see run: this training runs, but" in line for line in said) == 1
    assert not (homes[1] / "run").exists()
    (code, said), (other, also_said) = on_both("--steps", "20", "--resume")
    assert code != 0
    assert other != 0
    assert len(said) == len(also_said) == 1
    assert "process 1 on " in said[0]
    assert "run holds no run" in said[0]
