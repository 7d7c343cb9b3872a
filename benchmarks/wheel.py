"""A wheel as its users get it: what is in it, how large it is, and the layer's speed where no compiler is.

Each wheel is looked at: one for every Python, under 4 MB (of 2^20 bytes; a sixth of it are the pages of `elman lecture`
and `elman serve`), the native library in it and no other. One that fits this machine is then installed by pip into a
fresh environment whose PATH holds no compiler, tried by tests/native/installed.py, and timed against torch.nn.RNN:
medians over turns in which both run one after the other.
Run: python benchmarks/wheel.py [--only-look] [--torch-from-here] WHEEL...
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

LARGEST = 4 << 20
ROOT = Path(__file__).resolve().parents[1]
TIMES = """
import statistics, time, torch, elman
def once(rnn, x, train):
    began = time.perf_counter()
    with torch.set_grad_enabled(train):
        output = rnn(x)[0]
    if train:
        output.sum().backward()
    return time.perf_counter() - began
for T, B, H in ((100, 1, 64), (100, 16, 128), (100, 64, 256)):
    layers = [kind(H, H) for kind in (torch.nn.RNN, elman.RNN)]
    x = torch.randn(T, B, H)
    for train in (False, True):
        turns = [[once(layer, x, train) for layer in layers] for _ in range(40)][5:]
        theirs, ours = (statistics.median(times) * 1e3 for times in zip(*turns))
        what = "train  " if train else "forward"
        print(f"T={T} B={B:2} H={H:3} {what} torch {theirs:8.3f} ms, elman {ours:7.3f} ms, {theirs / ours:5.1f} times")
"""


def look(path: Path) -> str:
    """What a wheel holds, in one line.

    Raises:
        SystemExit: it is not what a wheel of elman must be.
    """
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        files = {item.filename: item for item in archive.infolist()}
    libraries = [name for name in files if Path(name).suffix in (".so", ".dylib", ".dll") or ".so." in name]
    _, _, python, abi, platform = path.stem.split("-")
    wrong = [
        text
        for text, is_so in {
            f"it has {size:,} bytes, more than {LARGEST:,}": size > LARGEST,
            f"its tags are {python}-{abi}-{platform}, not py3-none-PLATFORM": (python, abi) != ("py3", "none"),
            "it is for any platform": platform == "any",
            f"its libraries are {libraries}": len(libraries) != 1
            or not libraries[0].startswith("elman/kernels/libelman"),
            "it says why the library was not built": "elman/kernels/build_reason.txt" in files,
            "it holds the native sources": any(name.startswith("elman/kernels/native/") for name in files),
        }.items()
        if is_so
    ]
    if wrong:
        raise SystemExit(f"{path.name}: {'; '.join(wrong)}")
    library = files[libraries[0]]
    return (
        f"{path.name}: {size / 1e6:.2f} MB; {Path(library.filename).name} {library.file_size / 1e6:.2f} MB,"
        f" packed {library.compress_size / 1e6:.2f}"
    )


def fits(path: Path) -> bool:
    """Whether pip would install the wheel here, by its platform's name."""
    machine = sysconfig.get_platform().replace("-", "_").replace(".", "_").split("_", 1)[-1]
    return path.stem.rpartition("-")[2].endswith(machine)


def install_and_time(path: Path, *, torch_from_here: bool) -> None:
    """Install the wheel where no compiler is, and measure the layer there."""
    with tempfile.TemporaryDirectory(prefix="elman-bare-") as place:
        folder = Path(place)
        venv.create(folder / "venv", with_pip=True)
        python = next(file for file in (folder / "venv").glob("*/python*") if file.stem == "python")
        bare = {"PATH": str(python.parent), "HOME": place, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        if torch_from_here:
            site = Path(
                subprocess.check_output(
                    [python, "-c", "import site; print(site.getsitepackages()[0])"], text=True
                ).strip()
            )
            (site / "here.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
            # of the packages there only what elman needs; its own wheel stands before them
        install = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--force-reinstall",
            *["--no-deps"] * torch_from_here,
            path.resolve(),
        ]
        subprocess.run(install, check=True, env=bare, cwd=place)
        subprocess.run([python, ROOT / "tests" / "native" / "installed.py"], check=True, env=bare, cwd=place)
        subprocess.run([python, "-c", TIMES], check=True, env=bare, cwd=place)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", nargs="+", type=Path)
    parser.add_argument("--only-look", action="store_true", help="install and time nothing")
    parser.add_argument("--torch-from-here", action="store_true", help="use this environment's torch, download none")
    options = parser.parse_args()
    for path in options.wheels:
        print(look(path))
    for path in filter(fits, options.wheels if not options.only_look else ()):
        install_and_time(path, torch_from_here=options.torch_from_here)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
