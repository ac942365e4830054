# From a bare Python (3.11 or later) and make: every target sets up .venv by itself.
#   make demo       draws the journey map of the sample data
#   make test       all tests and doctests; those for Spark, ClickHouse and a browser skip unless `make setup-full` ran
#   make check      lint, format, types, layers, doctests
#   make bench      the benchmark table        make evidence   the long runs behind the claims in docs/
#   make format     rewrites the tree in the house format
#   make clean      removes what was built; `make distclean` the environment too
#   make setup-full adds Spark, ClickHouse and Playwright (the browser and Java come from the system)

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
WORKERS ?= auto
PYTEST_ARGS ?=
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup
SAMPLE := data/sample
MAP    := build/map.html

.PHONY: demo test check format bench evidence setup setup-full clean distclean
.DEFAULT_GOAL := test

# Stamps: an environment is made anew when what it was made from changes.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("journeymine needs Python 3.11 or later, this is " + sys.version.split()[0] + "; say make PYTHON=…" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.core

$(VENV)/.full: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[dev-full]'
	@touch $@ $(VENV)/.dev $(VENV)/.core

setup: $(VENV)/.dev

setup-full: $(VENV)/.full

demo: $(VENV)/.core
	@test -f $(SAMPLE)/journey.toml || $(BIN)/journeymine sample $(SAMPLE)
	@mkdir -p $(dir $(MAP))
	$(BIN)/journeymine map $(SAMPLE) --config $(SAMPLE)/journey.toml -o $(MAP)
	@echo "The journey map of the sample data: $(abspath $(MAP))"

test: $(VENV)/.dev
	$(PYTEST) $(PYTEST_ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) -q src tests/test_layers.py tests/test_import_cost.py tests/test_public_names.py

format: $(VENV)/.dev
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	$(BIN)/python scripts/import_time.py
	$(BIN)/python -m benchmarks

# Not in parallel: the runs measure, and use both cores themselves.
evidence: $(VENV)/.dev
	JOURNEYMINE_HYPOTHESIS=thorough $(BIN)/python -m pytest -m evidence tests $(PYTEST_ARGS)

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean
	rm -rf $(VENV)
