# Two commands do everything: `make demo` and `make test`. They need git, make and python3 (3.11 or newer, with venv).

PYTHON ?= python3
VENV ?= .venv
DEMO ?= demo
SIZES ?= 100000 200000 1000000
TILED ?= 10000000
BENCH_FOLDER ?= .bench
BENCH_OPTIONS ?=
BIN := $(VENV)/bin
# Files in the order of tests/conftest.py, long ones first; xdist by itself would begin with those of many tests.
TWO_WORKERS := --numprocesses 2 --dist loadfile --no-loadscope-reorder
CONSTRAINTS := --constraint constraints.txt
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# The newest Python on this machine that can make a virtual environment.
CANDIDATES = python3.14 python3.13 python3.12 $$(ls -d $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.1[2-9].*/bin/python 2>/dev/null | sort -rV)
NEWEST = $(shell for python in $(CANDIDATES); do "$$python" -c 'import ensurepip, venv' 2>/dev/null && echo "$$python" && break; done)

.PHONY: demo test test-newest test-lowest lint types floors check bench clean help

help:  ## Show the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 20

demo: $(VENV)/.package  ## Simulate a cohort, run a pipeline on it, write the report.
	$(BIN)/chemores demo $(DEMO)

# The second run takes the kernels as plain Python, so that their bodies are measured too; numba has no warnings of overflow to give.
test: check  ## Run every check and every test.
	$(BIN)/python -m pytest $(TWO_WORKERS) --cov --cov-report= --cov-fail-under=0
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest $(TWO_WORKERS) --cov --cov-append --cov-report=term \
		--override-ini filterwarnings= --disable-warnings --ignore tests/kernels/test_jit.py tests/kernels

test-newest:  ## Run the tests on the newest Python of this machine, but those that say the same on every Python.
	@if [ -z "$(NEWEST)" ]; then echo "No Python newer than 3.11 on this machine."; \
	else $(MAKE) --no-print-directory pytest-only PYTHON="$(NEWEST)" VENV=.venv-newest; fi

.PHONY: pytest-only
pytest-only: $(VENV)/.tests
	$(BIN)/python --version
	$(BIN)/python -m pytest $(TWO_WORKERS) -m "not once"

test-lowest:  ## Run the tests with the oldest supported versions of the dependencies.
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints-lowest.txt --editable . --group test
	.venv-lowest/bin/python -m pytest --numprocesses 2 --dist loadfile --override-ini filterwarnings= # old releases warn of newer ones

check: lint types floors  ## Style, types and the floors of the house.

lint: $(VENV)/.tests  ## Style.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.tests  ## Types of the lower floors.
	$(BIN)/mypy

floors: $(VENV)/.tests  ## Import contracts.
	$(BIN)/lint-imports

# The rivals want the newest Python; ours is measured in the same one. A rival that cannot be installed leaves rows that say so.
bench:  ## Measure ours and the rivals (SIZES="100000 200000 1000000" TILED=10000000; BENCH_OPTIONS="--skip rivals", "--fresh").
	$(MAKE) --no-print-directory bench-only PYTHON="$(if $(NEWEST),$(NEWEST),$(PYTHON))" VENV=.venv-bench

bench-ten-million:  ## Only the chain to principal components, up to ten million cells by tiles.
	$(MAKE) --no-print-directory bench BENCH_OPTIONS="--skip rivals cluster access cube ingest $(BENCH_OPTIONS)"

bench-empty:  ## Measure graphs and schedulers on kernels that do nothing, up to 100 million cells.
	$(MAKE) --no-print-directory empty-only PYTHON="$(if $(NEWEST),$(NEWEST),$(PYTHON))" VENV=.venv-bench

.PHONY: bench-only empty-only bench-ten-million bench-empty
bench-only: $(VENV)/.bench
	-$(BIN)/python -m benchmarks.build_bpcells
	$(BIN)/python -m benchmarks.run $(SIZES) --tiled $(TILED) --folder $(BENCH_FOLDER) $(BENCH_OPTIONS)

empty-only: $(VENV)/.bench
	$(BIN)/python -m benchmarks.empty_kernels

$(VENV)/.package: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --upgrade 'pip>=25.1'
	$(INSTALL) $(CONSTRAINTS) --editable .
	@touch $@

$(VENV)/.tests: $(VENV)/.package
	$(INSTALL) $(CONSTRAINTS) --editable . --group test
	@touch $@

$(VENV)/.bench: $(VENV)/.package
	$(INSTALL) --editable . --group bench
	@touch $@

clean:  ## Remove environments, caches and the demo.
	rm -rf .venv .venv-newest .venv-lowest .venv-bench .bench .bench-bpcells $(DEMO) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
