"""What `elman serve` reaches: throughput beside `Run.predict`, latency alone and with many clients, and memory.

A server process, and clients in this one, share the processors. Each client sends its next text when the answer to the
last one is there. Run: python benchmarks/serve.py RUN [--texts sst2] [--clients 64] [--requests 10000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

import elman
from elman.data.text.classification import read_labelled_text

RSS = re.compile(rb"^process_resident_memory_bytes (\S+)", re.MULTILINE)
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


@contextmanager
def server(run: Path) -> Iterator[int]:
    """`elman serve` as users start it; gives its port."""
    command = [sys.executable, "-m", "elman", "serve", f"run={run}", "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r":(\d+)/ \(", line):
                break
        else:
            raise SystemExit("the server did not start")
        yield int(found[1])
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


class Client:
    """One connection that is kept: a request out, its answer in, nothing else."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        self._reader, self._writer = reader, writer
        self._host = f"Host: 127.0.0.1:{port}\r\n"

    @classmethod
    async def to(cls, port: int) -> Client:
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port), port)

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(head)
        body = await self._reader.readexactly(int(length[1])) if length else b""
        return int(head[9:12]), body

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


def requests(texts: list[str], port: int, options: dict[str, Any]) -> list[bytes]:
    """The bytes of a request for each text."""
    found = []
    for text in texts:
        body = json.dumps({"inputs": [text], "options": options}).encode()
        head = f"POST /v1/runs/run/predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        found.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return found


async def memory(port: int) -> float:
    """The server's resident memory, MiB."""
    client = await Client.to(port)
    _, body = await client.ask(f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    client.close()
    found = RSS.search(body)
    assert found is not None
    return float(found[1]) / 2**20


async def one_by_one(asked: list[bytes], port: int, number: int) -> list[float]:
    """Seconds of each of `number` requests of one client."""
    client = await Client.to(port)
    times = []
    for n in range(number):
        began = time.perf_counter()
        await client.ask(asked[n % len(asked)])
        times.append(time.perf_counter() - began)
    client.close()
    return times


async def together(asked: list[bytes], port: int, clients: int, number: int) -> tuple[float, list[float], int]:
    """Requests a second, the seconds of each, and how many failed."""
    numbers, times, failed = count(), [], 0

    async def work() -> None:
        nonlocal failed
        client = await Client.to(port)
        while (n := next(numbers)) < number:
            began = time.perf_counter()
            status, _ = await client.ask(asked[n % len(asked)])
            times.append(time.perf_counter() - began)
            failed += status != 200
        client.close()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(clients)))
    return number / (time.perf_counter() - began), times, failed


def in_python(run: Path, texts: list[str], batch: int, options: dict[str, Any]) -> float:
    """Texts a second of `Run.predict` on batches: the median of eleven, after two to get warm."""
    loaded = elman.load(run)
    how = loaded.task.options_type(**options)
    speeds = []
    for turn in range(13):
        some = [texts[(turn * batch + n) % len(texts)] for n in range(batch)]
        began = time.perf_counter()
        loaded.predict(some, how)
        speeds.append(batch / (time.perf_counter() - began))
    return statistics.median(speeds[2:])


async def measure(
    texts: list[str], port: int, arguments: argparse.Namespace, options: dict[str, Any]
) -> dict[str, Any]:
    """All figures of the server."""
    asked = requests(texts, port, options)
    await one_by_one(asked, port, 100)
    alone = await one_by_one(asked, port, 500)
    await together(asked, port, arguments.clients, 1000)
    memories = [await memory(port)]
    speeds, times, failed = [], [], 0
    for _ in range(10):
        speed, some, wrong = await together(asked, port, arguments.clients, arguments.requests // 10)
        speeds.append(speed)
        times += some
        failed += wrong
        memories.append(await memory(port))
    return {"alone": alone, "speed": statistics.median(speeds), "times": times, "failed": failed, "memory": memories}


def share(times: list[float], part: float) -> float:
    """The time that this part of the requests stayed under, ms."""
    return sorted(times)[min(len(times) - 1, int(part * len(times)))] * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--texts", default="sst2", help="a dataset of labelled texts")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=10_000)
    arguments = parser.parse_args()
    texts = read_labelled_text(arguments.texts).validation.texts
    table = Table(title=f"{arguments.requests:,} requests of {arguments.clients} clients, {arguments.texts}")
    columns = ("predictions", "predict in Python", "served", "share", "alone p50", "alone p99", "with all p50", "p99")
    for column in (*columns, "p99 / alone p50", "failed", "memory, MiB"):
        table.add_column(column, justify="right")
    for name, options in (("label", {"opinion": False}), ("with opinions", {"opinion": True})):
        python = in_python(arguments.run, texts, arguments.clients, options)
        with server(arguments.run) as port:
            found = uvloop.run(measure(texts, port, arguments, options))
        alone, all_p99 = share(found["alone"], 0.5), share(found["times"], 0.99)
        table.add_row(
            name,
            f"{python:,.0f}/s",
            f"{found['speed']:,.0f}/s",
            f"{found['speed'] / python:.0%}",
            f"{alone:.2f} ms",
            f"{share(found['alone'], 0.99):.2f} ms",
            f"{share(found['times'], 0.5):.1f} ms",
            f"{all_p99:.1f} ms",
            f"{all_p99 / alone:.1f}",
            str(found["failed"]),
            f"{found['memory'][0]:.0f} to {found['memory'][-1]:.0f}",
        )
    Console(width=180).print(table)


if __name__ == "__main__":
    main()
