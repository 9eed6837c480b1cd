# Everything here works on a machine with only Python (3.11 or newer), make and git.

PYTHON ?= python3
# Twice as many as there are cores: half the tests wait for a real program or socket.
JOBS   ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-long lint format docs site clean lock

help: ## Show these targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; this is %s. Choose another with: make PYTHON=python3.11 …" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: requirements.txt pyproject.toml $(VENV)/.python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt pyproject.toml $(VENV)/.python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/.run ## Run a simulated work API with workers, and the exporter on it
	$(BIN)/python -m exporter demo $(ARGS)

test: $(VENV)/.dev ## Run every test this machine has the programs for
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-long: $(VENV)/.dev ## Run the random tests with five times as many cases, and the longest outages
	LONG_RANDOM_RUNS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "hypothesis or long" $(ARGS)

lint: $(VENV)/.dev ## Check style, types and who imports whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Rewrite the code in the house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.dev ## Write what is generated: the tables in the documentation, the alert rules, the dashboards, the manifests
	$(BIN)/python -m tools.docs
	$(BIN)/qoder-work-exporter mixin --output .
	$(BIN)/python -m exporter.web.openapi > docs/openapi.json
	$(BIN)/python -m tools.manifests
	$(BIN)/python -m tests.faults

site: $(VENV)/.site ## Build the documentation's site in .cache/site, and check its links
	$(VENV)/site/bin/mkdocs build --quiet

$(VENV)/.site: requirements-docs.txt $(VENV)/.python
	$(PYTHON) -m venv $(VENV)/site
	$(VENV)/site/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-docs.txt
	@touch $@

lock: ## Update the pinned dependencies, with hashes (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-strip-extras --upgrade pyproject.toml -o requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-strip-extras --upgrade pyproject.toml --group dev -o requirements-dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-strip-extras --upgrade --group docs -o requirements-docs.txt

clean: ## Remove what make made
	rm -rf $(VENV) .cache build dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
