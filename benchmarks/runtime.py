"""Prediction without torch beside elman: time to import and to a first prediction, a warm one; C programs.

    elman train sentiment --out runs/moods
    python benchmarks/runtime.py --run runs/moods

makes a run of its own where none is given (weights as they begin, of the size that training chooses). With the header
library RTNeural unpacked, and Eigen in it or installed, --rtneural FOLDER measures its GRU of 64 units beside the C
program of a vanilla network of 64; --wheel builds elman-runtime and installs it with numpy into an environment of its
own.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORDS = 20
TEXT = "the film is a fine quiet story about a small town that nobody who has seen it will ever forget"
TURNS = 15
CALLS = 300
FLAGS = ("-O3",)
MAIN = """#include <stdio.h>
#include <time.h>
#include "model.h"
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}
int main(void) {
    static model s;
    static float x[MODEL_INPUTS], y[MODEL_OUTPUTS];
    double best = 1e12, sum = 0.0;
    int turn, i;
    model_reset(&s);
    for (turn = 0; turn < 50; ++turn) {
        const double begin = now();
        for (i = 0; i < 10000; ++i) { x[0] = (float)(i & 1); model_read(&s, x); }
        if ((now() - begin) / 1e4 < best) best = (now() - begin) / 1e4;
        model_answer(&s, y);
        sum += (double)y[0];
    }
    printf("%.1f %g\\n", best, sum);
    return 0;
}
"""
RTNEURAL = """#include <RTNeural/RTNeural.h>
#include <chrono>
#include <cstdio>
#include <random>
int main() {
    RTNeural::ModelT<float, 4, 64, RTNeural::GRULayerT<float, 4, 64>> model;
    std::mt19937 generator(1);
    std::normal_distribution<float> normal(0, 0.1f);
    auto matrix = [&](int rows, int columns) {
        std::vector<std::vector<float>> m(rows, std::vector<float>(columns));
        for (auto& row : m) for (auto& value : row) value = normal(generator);
        return m;
    };
    auto& gru = model.get<0>();
    gru.setWVals(matrix(4, 192)); gru.setUVals(matrix(64, 192)); gru.setBVals(matrix(2, 192));
    model.reset();
    alignas(32) float x[8] = {};
    double best = 1e12, sum = 0;
    for (int turn = 0; turn < 50; ++turn) {
        const auto begin = std::chrono::steady_clock::now();
        for (int i = 0; i < 10000; ++i) { x[0] = float(i & 1); sum += model.forward(x); }
        const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - begin;
        best = std::min(best, taken.count() / 1e4);
    }
    std::printf("%.1f %g\\n", best, sum);
}
"""


def process(code: str, turns: int, python: str = sys.executable) -> float:
    """Seconds from the start of a fresh process to its end: the median of several."""
    taken = []
    for _ in range(turns):
        begin = time.perf_counter()
        subprocess.run([python, "-c", code], stdout=subprocess.DEVNULL, check=True)
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def warm(call: Callable[[], object]) -> float:
    """Seconds of a call: the median, after some to warm up."""
    for _ in range(20):
        call()
    taken = []
    for _ in range(CALLS):
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def begun(folder: Path, task: str, **settings: object) -> Path:
    """A run with weights as they begin."""
    from elman.tasks import task_module
    from elman.training.checkpoint import save_weights
    from elman.training.run_folder import RunFolder

    module = task_module(task)
    made = module.Task.new(module.Settings(**settings))
    folder.mkdir(parents=True)
    made.save(folder)
    RunFolder(folder).write_settings(task, made.settings)
    save_weights(folder / "model.safetensors", made.build_model(), {"step": 0, "metrics": {}})
    return folder


def python_bars(run: Path, python: str) -> None:
    """Import, first prediction, and warm ones."""
    import elman
    from elman.runtime import load

    code = f"load({str(run)!r}).predict({TEXT!r})"
    print(f"{'start of Python':44} {1e3 * process('pass', TURNS, python):8.1f} ms")
    print(f"{'import numpy':44} {1e3 * process('import numpy', TURNS, python):8.1f} ms")
    print(f"{'import elman.runtime':44} {1e3 * process('import elman.runtime', TURNS, python):8.1f} ms")
    own = process(f"from elman.runtime import load; {code}", TURNS, python)
    whole = process(f"from elman import load; {code}", 5)
    print(f"{'first prediction of a process, runtime':44} {1e3 * own:8.1f} ms")
    print(f"{'first prediction of a process, elman':44} {1e3 * whole:8.1f} ms   {whole / own:.1f} times")
    model, same = load(run), elman.load(run)
    options = type(same.task).options_type(opinion=False)
    print(f"{f'a text of {WORDS} words, elman':44} {1e3 * warm(lambda: same.predict([TEXT], options)):8.3f} ms")
    print(f"{f'a text of {WORDS} words, runtime':44} {1e3 * warm(lambda: model.predict(TEXT, opinion=False)):8.3f} ms")
    print(f"{'... and after each word, elman':44} {1e3 * warm(lambda: same.predict([TEXT])):8.3f} ms")
    print(f"{'... and after each word, runtime':44} {1e3 * warm(lambda: model.predict(TEXT)):8.3f} ms")


def c_bars(folder: Path, rtneural: Path | None) -> None:
    """A step of 64 units: the C program, and RTNeural's GRU."""
    from elman.export.c.programs import write_program
    from elman.runtime import load

    for cell in ("rnn", "gru"):
        run = begun(folder / cell, "parity", problem="adding", hidden_size=64, cell=cell)
        for precision in ("float32", "int8"):
            program = write_program(load(run), "model", precision)
            (folder / "model.h").write_text(program.header)
            (folder / "model.c").write_text(program.source)
            (folder / "main.c").write_text(MAIN)
            for flags in (FLAGS, (*FLAGS, "-march=native")):
                command = ["gcc", "-std=gnu99", *flags, "-o", "main", "main.c", "model.c", "-lm"]
                label = f"C, {cell} of 64 units, {precision}, " + " ".join(flags)
                print(f"{label:44} {measured(command, folder):8.1f} ns a step")
    if rtneural is not None:
        (folder / "rtneural.cpp").write_text(RTNEURAL)
        eigen = next((str(place) for place in rtneural.rglob("include/eigen3")), "/usr/include/eigen3")
        for flags, align in (((), 16), (("-march=native",), 32)):
            defines = ["-DRTNEURAL_USE_EIGEN=1", f"-DRTNEURAL_DEFAULT_ALIGNMENT={align}", f"-I{rtneural}", f"-I{eigen}"]
            command = ["g++", "-std=c++17", *FLAGS, *flags, "-DNDEBUG", *defines, "-o", "main", "rtneural.cpp"]
            label = "RTNeural (Eigen), GRU of 64 units, " + " ".join((*FLAGS, *flags))
            print(f"{label:44} {measured(command, folder):8.1f} ns a step")


def measured(command: list[str], folder: Path) -> float:
    """What a program that was just built says."""
    subprocess.run(command, cwd=folder, check=True)
    return float(subprocess.run(["./main"], cwd=folder, check=True, capture_output=True, text=True).stdout.split()[0])


def installed(folder: Path) -> str:
    """The Python of a new environment with elman-runtime and numpy; says how large both are."""
    wheels, place = folder / "wheels", folder / "bare"
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "-w",
        str(wheels),
        str(ROOT / "packaging/runtime"),
    ]
    subprocess.run(build, check=True)
    venv.create(place, with_pip=True)
    python = str(place / "bin" / "python")
    (wheel,) = wheels.glob("elman_runtime-*.whl")
    subprocess.run([python, "-m", "pip", "install", "-q", str(wheel)], check=True)
    own = sum(file.stat().st_size for file in (place / "lib").rglob("site-packages/elman/**/*") if file.is_file())
    print(f"{wheel.name}: {wheel.stat().st_size / 2**20:.2f} MB; installed, with numpy apart: {own / 2**20:.2f} MB")
    return python


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a run of the task sentiment")
    parser.add_argument("--rtneural", type=Path)
    parser.add_argument("--wheel", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = installed(folder) if asked.wheel else sys.executable
        python_bars(asked.run or begun(folder / "moods", "sentiment"), python)
        c_bars(folder, asked.rtneural)


if __name__ == "__main__":
    main()
