# What a newcomer and CI type. Everything is installed into .venv (pinned by constraints.txt) and ~/.cache/haihe (Kafka and
# the registry, named after deploy/local/pom.xml's digest); stamps in .venv keep later runs from installing again.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# The first that really is 3.11: a shim of that name may answer that it has no such version.
PYTHON := $(shell for p in python3.11 python3 python; do \
  $$p -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
INSTALLED := .venv/installed-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
AXE_VERSION := 4.14.1
AXE := .venv/axe-$(AXE_VERSION)
PATHS ?= tests
ARGS ?=

.PHONY: help setup jars axe check test demo up down clean

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo '  make demo ARGS="--keep"    leave everything running and print the addresses'
	@echo '  make demo ARGS="--chaos"   kill workers and the gateway in the middle'
	@echo '  make test PATHS=tests/unit a part of the tests'

setup: $(INSTALLED) jars axe ## Install: virtual environment, pinned dependencies, Kafka and the registry

$(INSTALLED): pyproject.toml constraints.txt
	@test -n '$(PYTHON)' || { echo 'haihe needs Python 3.11 (`apt-get install python3.11 python3.11-venv`)' >&2; exit 1; }
	@test -x $(BIN)/python || { echo 'making .venv'; $(PYTHON) -m venv .venv; } || \
	  { rm -rf .venv; echo 'Python cannot make a virtual environment: `apt-get install python3.11-venv`' >&2; exit 1; }
	@echo 'installing haihe and its dependencies into .venv'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@rm -f .venv/installed-* && touch $@

jars: $(INSTALLED)
	@$(BIN)/python -m streams.local.jars

# What judges whether everybody can use the pages; used by tests alone, which are skipped without it.
axe: $(INSTALLED)
	@test -d $(AXE) || ! command -v npm >/dev/null || { \
	  rm -rf .venv/axe-*; \
	  npm install --silent --no-package-lock --no-audit --no-fund --prefix $(AXE).new axe-core@$(AXE_VERSION) \
	    && mv $(AXE).new $(AXE) || echo 'axe-core cannot be installed: the tests of accessibility will be skipped'; }

check: $(INSTALLED) ## ruff, mypy --strict, import directions, schema lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/unit/test_imports.py
	$(BIN)/haihe schema lint

test: setup ## The whole suite, on real Kafka
	$(BIN)/python -m pytest $(PATHS) $(ARGS)

demo: setup ## Play an outbreak through the whole bus and balance the books
	@$(BIN)/haihe demo $(ARGS)

up: setup ## Start the local stack and leave it running
	@$(BIN)/haihe up $(ARGS)

down: $(INSTALLED) ## Stop the local stack; its data stay
	@$(BIN)/haihe down $(ARGS)

clean: ## Stop the local stack, delete its data, the environment and caches
	@test ! -x $(BIN)/haihe || $(BIN)/haihe down --wipe || true
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
