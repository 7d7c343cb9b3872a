#!/bin/sh
# The native library's own check on instruction sets that this processor may lack, under QEMU's user-mode emulator:
# AVX2 as QEMU's largest x86-64 processor, and the portable code as NEON on aarch64; AVX-512, which is in no QEMU, under
# Bochs; and as Windows runs it, under Wine. What cannot be tried says why.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build/emulate}
options="-DELMAN_CHECK=ON -DELMAN_SANITIZE=OFF"

check() { # folder, cmake options...: builds elman_check there and prints where it lies
    folder=$build/$1
    shift
    cmake -S "$root" -B "$folder" $options "$@" > "$folder.log" 2>&1 &&
        cmake --build "$folder" --target elman_check --parallel 2 >> "$folder.log" 2>&1 ||
        { cat "$folder.log" >&2; exit 1; }
    echo "$folder/src/elman/kernels/native/elman_check"
}

mkdir -p "$build"
if ! command -v cmake > /dev/null || ! command -v c++ > /dev/null; then
    echo "skipped: CMake or a C++ compiler is not installed"
    exit 0
fi

if ! command -v qemu-x86_64 > /dev/null; then
    echo "AVX2: skipped, qemu-x86_64 is not installed (Debian: qemu-user)"
elif [ "$(uname -m)" != x86_64 ]; then
    echo "AVX2: skipped, the compiler here does not build for x86-64"
else
    program=$(check x86_64 -DCMAKE_EXE_LINKER_FLAGS=-static)
    for isa in avx2 portable; do
        status=0
        qemu-x86_64 -cpu max "$program" --quick $isa || status=$?
        if [ $status = 77 ]; then
            echo "$isa: skipped, this QEMU does not emulate it (AVX2 since 7.2)"
        elif [ $status != 0 ]; then
            exit $status
        fi
    done
fi

if ! command -v "${BOCHS:-bochs}" > /dev/null; then
    echo "AVX-512: skipped, Bochs is not installed (Debian: bochs, bochs-term, xorriso)"
elif [ "$(uname -m)" != x86_64 ]; then
    echo "AVX-512: skipped, the compiler here does not build for x86-64"
else
    program=$(check x86_64 -DCMAKE_EXE_LINKER_FLAGS=-static)
    echo "AVX-512:"
    for isa in avx512 avx512bf16; do  # the second since Bochs 3: see boot.sh
        status=0
        sh "$root/tests/native/boot.sh" "$program" --quick $isa || status=$?
        [ $status = 0 ] || [ $status = 77 ] || exit $status
    done
fi

if ! command -v qemu-aarch64 > /dev/null; then
    echo "aarch64: skipped, qemu-aarch64 is not installed (Debian: qemu-user)"
elif ! command -v aarch64-linux-gnu-g++ > /dev/null; then
    echo "aarch64: skipped, aarch64-linux-gnu-g++ is not installed (Debian: g++-aarch64-linux-gnu)"
else
    program=$(check aarch64 -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
        -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++)
    # the compiler's vectors must have become NEON's: by how its multiply-adds are written
    code=$build/aarch64/code.txt
    aarch64-linux-gnu-objdump -d --no-show-raw-insn "$program" > "$code"
    vector=$(grep -cE '[[:space:]]fml[as][[:space:]]+v' "$code")
    scalar=$(grep -cE '[[:space:]]fn?m(add|sub)[[:space:]]' "$code" || true)
    echo "aarch64: $vector multiply-adds of vectors, $scalar of single numbers"
    [ "$vector" -gt $((100 * scalar)) ] || { echo "aarch64: the portable code is not NEON"; exit 1; }
    qemu-aarch64 -L /usr/aarch64-linux-gnu "$program" --quick portable
fi

windows=$(command -v x86_64-w64-mingw32-g++-posix || true)
wine=$(command -v wine || command -v wine64 || true)
if [ -z "$windows" ]; then
    echo "Windows: skipped, MinGW-w64 is not installed (Debian: g++-mingw-w64-x86-64-posix)"
elif [ -z "$wine" ]; then
    echo "Windows: skipped, Wine is not installed (Debian: wine, wine64)"
else
    program=$(check windows -DCMAKE_SYSTEM_NAME=Windows -DCMAKE_SYSTEM_PROCESSOR=x86_64 -DCMAKE_CXX_COMPILER="$windows")
    echo "Windows:"
    for isa in avx2 portable; do
        status=0
        WINEDEBUG=-all WINEPREFIX=$build/wine "$wine" "$program.exe" --quick $isa || status=$?
        [ $status = 0 ] || [ $status = 77 ] || exit $status
    done
fi
