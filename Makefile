# Two commands on a fresh machine: `make demo` and `make test`. Each makes the virtual environment it needs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PYTEST_ARGS ?= -n 2

.PHONY: demo test lint fast wheel release audit-dependencies docs lock clean

## Run the main job on this machine. DATA=folder (one folder per holder, each with a holder.toml) uses your own data.
demo: $(VENV)/.node
	$(BIN)/cohortium demo $(if $(DATA),--data "$(DATA)") $(if $(AS_OF),--as-of "$(AS_OF)") $(DEMO_ARGS)

## Install everything and run all checks and tests.
test: lint
	$(BIN)/python -m pytest $(PYTEST_ARGS)

## The modules and tests that take no more than a few seconds each: tests/support/costs.py says which.
fast: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_limits.py

## Build the release and try its wheel in clean environments, of each interpreter of PYTHONS.
wheel: $(VENV)/.dev
	VENV=$(VENV) .ci/try-wheel $(PYTHONS)

## A release in dist/: wheel, source, bill of materials, signed digests (RELEASE_KEY=file). `RELEASE_ARGS=--rehearse` tries it.
release: $(VENV)/.dev
	VENV=$(VENV) .ci/make-release $(RELEASE_ARGS)

## Ask the public advisories about every pinned version; needs the network.
audit-dependencies:
	$(PYTHON) -m venv $(VENV)-audit && $(VENV)-audit/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.9,<3'
	$(VENV)-audit/bin/pip-audit --strict --no-deps --disable-pip -r requirements.lock; status=$$?; rm -rf $(VENV)-audit; exit $$status

## The documents as a site, in site/, which opens without a server. Broken links are errors.
docs: $(VENV)/.docs
	$(BIN)/mkdocs build --strict
	SITE_BUILT=yes $(BIN)/python -m pytest -q tests/test_site.py

## Write anew which versions everything is tested with: the newest that pyproject.toml allows.
lock:
	rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check '.[dev,docs,spark]'
	(echo '# Versions that everything was tested with, by `make lock`. pip install -c requirements.lock "cohortium[node]"'; \
	  $(VENV)-lock/bin/python -m pip freeze --exclude cohortium | sed 's/+cpu$$//' | LC_ALL=C sort -f) > requirements.lock
	rm -rf $(VENV)-lock

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "cohortium needs Python 3.11 or newer; set PYTHON=python3.12, say")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.node: pyproject.toml setup.py requirements.lock | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[node]'
	touch $@

$(VENV)/.dev: pyproject.toml setup.py requirements.lock | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dev]'
	touch $@ $(VENV)/.node

$(VENV)/.docs: pyproject.toml setup.py requirements.lock | $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dev,docs]'
	touch $@

clean:
	rm -rf $(VENV) demo build site *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
