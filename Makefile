# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUNS ?= runs

.DEFAULT_GOAL := help
NATIVE := src/elman/kernels/native
NATIVE_FILES := $(wildcard $(NATIVE)/*.h $(NATIVE)/*.cpp $(NATIVE)/*/*.h $(NATIVE)/*/*.cpp $(NATIVE)/*/*/*.h tests/native/*.cpp)

.PHONY: help demo test check check-native bench docs site map fuzz sanitize emulate kills format clean

help:  ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed  ## set up, train on parity and on text, show what came out (a few minutes)
	$(BIN)/python -m elman.cli.demo --out $(RUNS)/demo

test: $(VENV)/developed  ## set up, then run every check
	$(MAKE) --no-print-directory check
	$(BIN)/pytest

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

sanitize:  ## the native library's own check under the sanitizers of addresses, of undefined behaviour, of threads
	for kind in address,undefined thread; do \
	cmake -S . -B build/sanitize-$$kind -DELMAN_CHECK=ON -DELMAN_SANITIZE=$$kind && \
	cmake --build build/sanitize-$$kind --target elman_check --parallel 2 && \
	build/sanitize-$$kind/src/elman/kernels/native/elman_check || exit 1; done

emulate:  ## the native library's own check on the instruction sets of other processors, by QEMU where it is installed
	sh tests/native/emulate.sh

kills: $(VENV)/developed  ## kill trainings of every task 500 times, resume them and compare; start 100 pairs together
	OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false $(BIN)/python -m tests.kills

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
	PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

$(VENV)/documented: $(VENV)/developed
	PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --disable-pip-version-check --editable ".[docs]"
	@touch $@
