# Needs python3 (3.11 or newer), git and make; everything else is set up in .venv, from the lock files.

PYTHON ?= python3
# Branch coverage in percent, below which `make coverage` fails.
COVERAGE_MIN ?= 90
# One more than CI has processors: a quarter of a process' time, its tests wait for a clock, a disk or another process.
TEST_PROCESSES ?= 3
PYTEST_ARGS ?=
PYTEST = $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder
DEMO_ARGS ?=
BENCH_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python $(BIN)/python
TYPED := $(wildcard src tests scripts bench hatch_build.py)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules
# Where it is set, every start of a server compiles what it imports anew: 5.4 s of processor instead of 2.8.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help:
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

## Setting up

$(STAMPS)/bootstrap: requirements/bootstrap.lock scripts/bootstrap
	@echo "Setting up $(VENV)"
	@sh scripts/bootstrap "$(PYTHON)" $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/runtime: requirements/runtime.lock $(STAMPS)/bootstrap
	@echo "Installing requirements/runtime.lock"
	@$(INSTALL) --require-hashes -r $<
	@touch $@

$(STAMPS)/dev: requirements/dev.lock $(STAMPS)/runtime
	@echo "Installing requirements/dev.lock"
	@$(INSTALL) --require-hashes -r $<
	@touch $@

# After the front end: with it in place the build hook has nothing to do, and needs no network.
$(STAMPS)/package: pyproject.toml hatch_build.py $(STAMPS)/runtime | frontend
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: frontend
frontend: $(STAMPS)/runtime ## build the page's scripts and styles, if they changed
	@$(BIN)/python scripts/build_frontend.py --is-current || { \
	  $(BIN)/python scripts/build_frontend.py --has-node || $(INSTALL) --require-hashes -r requirements/node.lock; \
	  $(BIN)/python scripts/build_frontend.py; }

.PHONY: setup
setup: $(STAMPS)/package $(STAMPS)/dev ## set up .venv with everything that developing needs

.PHONY: browser
browser: $(STAMPS)/dev
	@echo "Browser for the tests: $$(sh scripts/ensure_browser $(BIN)/python)"

## Running

.PHONY: demo
demo: $(STAMPS)/package ## serve an account with data and live traffic at http://127.0.0.1:8321; DEMO_ARGS="--port 8322 --otlp-grpc-port 0" is for another port
	@exec $(BIN)/modeltraces demo $(DEMO_ARGS)

## Testing

.PHONY: test
test: setup browser emitters ## run all tests
	$(PYTEST) $(PYTEST_ARGS)

.PHONY: coverage
# Not in `make test`: on Python 3.11 the tests take 1.7 times as long when they are traced.
coverage: setup browser emitters ## run all tests and say which branches they take
	$(PYTEST) --cov --cov-report= $(PYTEST_ARGS)
	@$(BIN)/coverage json --quiet -o coverage.json
	@$(BIN)/python scripts/check_coverage.py $(COVERAGE_MIN)

.PHONY: emitters
# Before the tests, whose time limits leave no room for downloads. PATH, for uv.
emitters: setup ## set up the environments in which the tests run the real SDKs
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.emitters.environments

.PHONY: coverage-missing
coverage-missing: ## list the lines and branches that the last `make coverage` did not reach
	$(BIN)/coverage report

.PHONY: check check-format check-lint check-types check-typescript check-locks check-tracked check-docs
# `make -k check` goes on after the first failure.
check: check-format check-lint check-types check-typescript check-locks check-tracked check-docs ## run every check but the tests

check-format: $(STAMPS)/dev
	$(BIN)/ruff format --check --output-format concise .

check-lint: $(STAMPS)/dev
	$(BIN)/ruff check .

check-types: setup
	$(BIN)/mypy $(TYPED)

check-typescript: frontend
	$(BIN)/python scripts/build_frontend.py --check-types

check-locks: $(STAMPS)/dev
	$(BIN)/python scripts/lock.py --check

check-tracked: $(STAMPS)/dev
	$(BIN)/python scripts/check_tracked.py

check-docs: setup
	$(BIN)/python -m pytest --quiet tests/docs

.PHONY: bench bench-full
bench: setup ## measure, with a load that fits a laptop's coffee break
	$(BIN)/python -m bench $(BENCH_ARGS)

bench-full: setup ## measure with the full number of runs
	$(BIN)/python -m bench --full $(BENCH_ARGS)

## Changing

.PHONY: format
format: $(STAMPS)/dev ## format the code and fix what can be fixed
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

.PHONY: lock
lock: $(STAMPS)/dev ## bring requirements/*.lock up to date with pyproject.toml and requirements/*.in
	$(BIN)/python scripts/lock.py $(LOCK_ARGS)

.PHONY: build
build: $(STAMPS)/package ## build the wheel and the source distribution into dist/
	$(UV) build --quiet --out-dir dist .

.PHONY: clean
clean: ## remove what was built, the environments and the caches
	rm -rf $(VENV) node_modules dist build src/modeltraces/web/static
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* coverage.json htmlcov
