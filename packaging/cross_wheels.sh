#!/bin/sh
# Wheels in dist/ for Linux on aarch64 and for Windows, by Debian's cross compilers (g++-aarch64-linux-gnu,
# g++-mingw-w64-x86-64-posix); called by `make cross-wheels`. What cannot be built says why. The forge builds the same on
# machines of their own (.github/workflows/wheels.yml).
set -eu
cd "$(dirname "$0")/.."
out=build/cross
rm -rf "$out"

build() { # platform of Python, compiler, CMake's system and processor
    if ! command -v "$2" > /dev/null; then
        echo "$1: skipped, $2 is not installed"
        return 0
    fi
    _PYTHON_HOST_PLATFORM=$1 \
        SKBUILD_CMAKE_ARGS="-DCMAKE_SYSTEM_NAME=$3;-DCMAKE_SYSTEM_PROCESSOR=$4;-DCMAKE_CXX_COMPILER=$2" \
        python -m build --wheel --outdir "$out" . > "$out-$1.log" 2>&1 || { tail -n 30 "$out-$1.log" >&2; exit 1; }
}

mkdir -p build dist
made=
build linux-aarch64 aarch64-linux-gnu-g++ Linux aarch64
build win-amd64 x86_64-w64-mingw32-g++-posix Windows AMD64
for wheel in "$out"/*.whl; do
    [ -e "$wheel" ] || continue
    case $wheel in
    *linux_aarch64.whl)
        LD_LIBRARY_PATH=/usr/aarch64-linux-gnu/lib auditwheel --quiet repair --wheel-dir "$out/repaired" "$wheel"
        wheel=$(echo "$out"/repaired/*.whl)
        ;;
    esac
    cp "$wheel" dist/
    made="$made dist/$(basename "$wheel")"
done
[ -z "$made" ] || python benchmarks/wheel.py --only-look $made
