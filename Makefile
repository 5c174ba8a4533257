# Every target sets up .venv by itself on a fresh machine with Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
PEERS := benchmarks/peers/.venv
ENV ?=
SEEDS ?= 100000
OVERRIDES := $(if $(RATE),--set traffic.webhooks_per_hour=$(RATE))
ONE = $(if $(ENV),$(ENV),prod)
STYLE = $(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .

.DEFAULT_GOAL := help
.PHONY: help template size check simulate local lint format test test-fast fixtures hostile soak mutants bench bench-peers clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

template: .venv/base ## write templates_out/: ENV=prod for one environment, RATE=20000 for a variant
	@$(BIN)/generator template $(ENV) $(OVERRIDES)

size: .venv/base ## show how the figures of ENV (default prod) are derived
	@$(BIN)/generator size $(ONE) $(OVERRIDES)

check: .venv/base ## check the committed templates: lint, size, drift, quota
	@$(BIN)/generator check $(ENV)

simulate: .venv/base ## simulate an hour at the peak on the committed template of ENV (default prod)
	@$(BIN)/generator simulate $(ONE) $(OVERRIDES)

local: .venv/local ## run the committed template of ENV (default dev) on this machine; DEMO=1 runs a short demonstration and exits
	@$(BIN)/generator local $(if $(ENV),$(ENV),dev) $(if $(DEMO),--demo)

lint: .venv/test ## check format, style and types of the code
	@$(STYLE) && $(BIN)/mypy

format: .venv/test ## format the code
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .

test: .venv/test ## lint and test the code; TESTS=tests/capacity/test_sizing.py runs only that file
	@$(STYLE)
	@# The types are checked meanwhile, which uses one processor only. A background job ignores Ctrl-C.
	@types=$$(mktemp); trap 'rm -f $$types' EXIT; trap 'kill $$!; exit 130' HUP INT TERM; \
	$(BIN)/mypy > $$types 2>&1 & \
	$(BIN)/python -m pytest $(TESTS); failed=$$?; wait $$! || failed=1; cat $$types; exit $$failed

test-fast: .venv/test ## run the quick tests, in less than a minute
	@$(BIN)/python -m pytest -m "not slow" $(TESTS)

fixtures: .venv/base ## regenerate tests/fixtures/templates_out/ after the generator's output has changed
	@cd tests/fixtures && $(abspath $(BIN))/generator template

hostile: .venv/test ## send 10,000 generated hostile inputs through every command, which takes an hour; INPUTS=500 for fewer
	@INPUTS=$(or $(INPUTS),10000) $(BIN)/python -m tests.hostile.corpus

soak: .venv/test ## simulate the handlers with faults on all processors: SEEDS=100000 runs that many seeds
	@$(BIN)/python -m tests.soak --seeds $(SEEDS)

mutants: .venv/mutants ## run mutation tests, which take up to an hour; MODULES="capacity.quota" limits them to some modules
	@$(BIN)/python tests/mutants.py $(MODULES)

bench: .venv/bench ## measure time and memory of the commands, a bare script and cfn-lint; writes benchmarks/results/
	@$(BIN)/python -m benchmarks

bench-peers: .venv/bench $(PEERS)/ready ## measure the same stack in AWS CDK and SAM; needs Node.js
	@$(BIN)/python -m benchmarks --peers

clean: ## remove the virtual environment and caches
	@rm -rf .venv $(PEERS) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis mutants

.venv/base: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	@test -x $(BIN)/python || { echo "Setting up .venv (about 30 s, once)" >&2; $(PYTHON) -m venv .venv; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@# pip does not compile an editable package. Without this, every start compiles it if Python cannot write its cache.
	@$(BIN)/python -m compileall -q generator
	@touch $@

.venv/local: .venv/base
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local]'
	@touch $@

.venv/test: .venv/base
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

.venv/mutants: .venv/test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,mutants]'
	@touch $@

.venv/bench: .venv/test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,bench]'
	@touch $@

$(PEERS)/ready: benchmarks/peers/requirements.txt
	@node --version > /dev/null || { echo "Node.js is missing; install it, because the CDK runs on it" >&2; exit 1; }
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@
