# One word for each thing one does here. Every target makes what it needs: no root, no system package, Python 3.11 or newer.
#
#   make demo PYTHON=python3.13        with another Python
#   make test TESTS=tests/cli          a part of the suite
#   make bench BENCH="--quick"         with options of the benchmark
#   make prove RUNS=20                 so many whole proofs in a row
#   make chaos RUNS=10                 the fault matrix, each fault so many times; CHAOS="node-killed --engine sqlite" for a part

PYTHON ?= python3
VENV ?= .venv
TESTS ?=
BENCH ?=
CHAOS ?=
RUNS ?= 1

RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check --quiet install
SHELL := /bin/bash

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench locks prove chaos wheel clean

help: ## what there is
	@echo "Blindrelay. One word for each thing:"
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/.installed-run ## a relay, two enterprises, one message seen from three sides; then it is gone again
	@$(RUN) -m blindrelay demo

test: $(VENV)/.installed-test ## the whole test suite
	@$(RUN) -m pytest $(TESTS)

check: $(VENV)/.installed-test ## style, types, and the contracts between the rooms
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@$(VENV)/bin/lint-imports

format: $(VENV)/.installed-test ## put the code into shape
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

bench: $(VENV)/.installed-test ## throughput, latency and memory, as a table
	@$(RUN) -m benchmarks $(BENCH)

locks: $(VENV)/.installed-test ## a quick proof, and one saboteur for each lock and check: some minutes, for every day
	@$(RUN) -m blindrelay prove --quick
	@$(RUN) -m blindrelay sabotage matrix --quick --no-honest  # the proof was that: the honest system, whole

prove: $(VENV)/.installed-test ## every saboteur, the pages that show them, and whole proofs: an hour, for a schedule
	@$(RUN) -m blindrelay sabotage matrix --out proofs/kill-matrix.json
	@$(RUN) -m blindrelay.proofs.saboteurs.pages
	@for run in $$(seq $(RUNS)); do echo "== proof $$run of $(RUNS)"; $(RUN) -m blindrelay prove || exit 1; done

chaos: $(VENV)/.installed-test ## the fault matrix: everything that can be done to several nodes and to one; for a schedule
	@$(RUN) -m blindrelay chaos run $(CHAOS) --runs $(RUNS)
	@$(if $(CHAOS),,$(RUN) -m blindrelay chaos run --engine sqlite --runs $(RUNS))
	@$(if $(CHAOS),,$(RUN) -m blindrelay.proofs.chaos --boundaries fdatasync --power-cuts 50 --saboteurs)

pictures: $(VENV)/.installed-test ## the pictures of the console in docs/pictures, made anew; needs chromium
	@PYTHONPATH=tests:. $(RUN) -m support.pictures docs/pictures

wheel: $(VENV)/.installed-test ## a wheel in dist/, checked against the source
	@rm -rf dist
	@$(RUN) -m pip --disable-pip-version-check --quiet wheel --no-deps --no-build-isolation --wheel-dir dist .
	@$(RUN) .ci/check_wheel.py dist

clean: ## remove what these words have made
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment is made anew when the Python that it was made with is gone, and filled anew when a pin has changed.
ifeq ($(shell $(RUN) -c 'print(1)' 2>/dev/null),)
$(shell rm -f $(VENV)/.installed-*)
.PHONY: $(RUN)
endif

$(RUN):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Blindrelay needs Python 3.11 or newer: make demo PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Making a virtual environment in $(VENV)"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { echo "this Python has no venv: use another, make PYTHON=..." >&2; exit 1; }

# What is installed for the tests contains what is installed to run, so it satisfies that, too.
$(VENV)/.installed-run: requirements/run.txt pyproject.toml | $(RUN)
	@if [ $(VENV)/.installed-test -nt requirements/test.txt ]; then touch $@; exit; fi; \
	echo "Installing (pinned and hashed: requirements/run.txt)" \
	&& $(PIP) --require-hashes -r requirements/run.txt \
	&& $(PIP) --no-deps --no-build-isolation --editable . \
	&& touch $@

$(VENV)/.installed-test: requirements/test.txt pyproject.toml | $(RUN)
	@echo "Installing (pinned and hashed: requirements/test.txt)"
	@$(PIP) --require-hashes -r requirements/test.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@
