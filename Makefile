# Two commands on a fresh machine: `make demo` and `make test`. Each makes the virtual environment it needs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PYTEST_ARGS ?= -n 2

.PHONY: demo test lint fast clean

## Run the main job on this machine. DATA=folder (one folder per holder, each with a holder.toml) uses your own data.
demo: $(VENV)/.node
	$(BIN)/cohortium demo $(if $(DATA),--data "$(DATA)") $(if $(AS_OF),--as-of "$(AS_OF)") $(DEMO_ARGS)

## Install everything and run all checks and tests.
test: lint
	$(BIN)/python -m pytest $(PYTEST_ARGS)

## The modules and tests that take no more than a few seconds each (tests/support/costs.py says which): a minute.
fast: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_limits.py

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "cohortium needs Python 3.11 or newer; set PYTHON=python3.12, say")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.node: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[node]'
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/.node

clean:
	rm -rf $(VENV) demo build *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
