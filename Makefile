# One command to anything. `make` alone lists what there is.
# Needs Python 3.11 or newer, make, and a package registry. Uses uv where it is installed.

PYTHON ?= python3
TESTS ?= tests
ARGS ?=
JOBS ?= 2

VENV := .venv
VASTAI := .venv-vastai
PEERS := .venv-bench
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
LINTED := src tests demo bench

.DEFAULT_GOAL := help
.PHONY: help setup demo test check fix lock bench soak up
.DELETE_ON_ERROR:
SHELL := /bin/sh

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.package ## install everything into .venv; does nothing the second time

demo: setup ## copy real files to a real S3 server and back, and compare them
	@$(BIN)/python -m demo $(ARGS)

test: setup $(VASTAI)/.locked ## run the tests; TESTS=tests/domain for a part, JOBS=4 for more at once
	$(BIN)/pytest --numprocesses $(JOBS) --dist loadfile $(TESTS) $(ARGS)

check: setup ## style, types and layers, without changing anything
	$(BIN)/ruff check $(LINTED)
	$(BIN)/ruff format --check $(LINTED)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

fix: setup ## put right what can be put right by itself
	$(BIN)/ruff check --fix $(LINTED)
	$(BIN)/ruff format $(LINTED)

bench: setup $(PEERS)/.locked ## compare with other tools on this machine: docs/performance.md; takes hours
	@$(BIN)/python -m bench $(ARGS)

soak: setup $(VASTAI)/.locked ## 500 copies under 200 kills and faults, and many more; takes an hour
	@$(BIN)/pytest -s -m "soak or bench" tests/journeys tests/bench $(ARGS)

up: setup ## run the control plane and an agent here; ARGS="--instance box=/data"
	@exec $(BIN)/cloudcopy up $(ARGS)

lock: ## resolve the requirements files anew (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv; everything else does without."; exit 1; }
	$(LOCK) pyproject.toml --group dev --output-file requirements/dev.txt
	$(LOCK) pyproject.toml --constraint requirements/dev.txt --output-file requirements/runtime.txt
	$(LOCK) --group compat --output-file requirements/compat.txt
	$(LOCK) --group bench --output-file requirements/bench.txt

# An environment is made once, filled when its lock changes, and the package itself is
# linked into it without isolation: its build tools are in the lock, hashed like the rest.

$(VENV)/.locked: requirements/dev.txt
	$(call environment,$(VENV))
	$(call install,$(VENV)) --require-hashes -r $<
	@touch $@

$(VENV)/.package: $(VENV)/.locked pyproject.toml
	$(call install,$(VENV)) --no-deps --no-build-isolation --editable .
	@touch $@

$(VASTAI)/.locked: requirements/compat.txt
	$(call environment,$(VASTAI))
	$(call install,$(VASTAI)) --require-hashes -r $<
	@touch $@

$(PEERS)/.locked: requirements/bench.txt
	$(call environment,$(PEERS))
	$(call install,$(PEERS)) --require-hashes -r $<
	@touch $@

ifneq ($(UV),)
environment = @test -x $(1)/bin/python || uv venv --quiet --python '>=3.11' $(1)
install = uv pip install --quiet --python $(1)/bin/python
else
environment = @test -x $(1)/bin/python || { $(python_is_new_enough) && $(PYTHON) -m venv $(1); }
install = $(1)/bin/python -m pip install --quiet --disable-pip-version-check
endif

python_is_new_enough = { $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "cloudcopy needs Python 3.11 or newer, and '$(PYTHON)' is not: try make PYTHON=python3.12"; exit 1; }; }
