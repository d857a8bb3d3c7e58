# Every job of the project is one target, the same at a desk and in CI. `make help` lists them.
#
#   PYTHON=python3.13   interpreter for a new environment; default: the first of 3.11 or newer found
#   VENV=.venvs/3.13    the environment; default: .venv
#   SECONDS=60          `demo` ends by itself after so long
#   TESTS=tests/unit    what `test` and `soak` run
#   ARGS="-k diff"      further arguments of pytest or of the benchmark
#   WORKERS=4           processes that `test` runs in: most tests wait for other processes

VENV ?= .venv
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
TESTS ?= tests
ARGS ?=
WORKERS ?= 4

# Some machines forbid Python to keep what it compiled. The packages are installed uncompiled, so every command that a
# test starts would compile all of them anew: four times its start-up, and twice the time of all tests.
export PYTHONDONTWRITEBYTECODE :=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
SOAK_TIMEOUT_S := 1800
COMPILE := UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --custom-compile-command "make lock" --quiet
IMAGE_EXTRAS := publisher store alerts notify metrics cli
PROTO_DIR := proto/brokertape/gateway_pb/v1

# What was made from what: a target is built again only when its sources changed.
CREATED := $(BIN)/python
LOCKED := $(VENV)/.locked
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test soak check format bench proto lock setup clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(MAKEFILE_LIST)

demo: $(INSTALLED)  ## the whole product on a simulated gateway; SECONDS=60 ends by itself
	$(BIN)/brokertape demo$(if $(SECONDS), --seconds $(SECONDS))

# One file's tests stay in one process, so that what a file builds once is built once. Files run in name
# order, which puts integration and peers, the long ones, before unit.
test: $(INSTALLED)  ## every test but the soak tests
	$(BIN)/python -m pytest -m "not soak" -n $(WORKERS) --maxprocesses 8 --dist loadfile --no-loadscope-reorder \
		$(ARGS) $(TESTS)

soak: $(INSTALLED)  ## the tests that take minutes, one after the other
	$(BIN)/python -m pytest -m soak --timeout $(SOAK_TIMEOUT_S) $(ARGS) $(TESTS)

check: $(INSTALLED)  ## lint, format, types, import directions
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED)  ## let ruff mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(INSTALLED)  ## budget use, cost per poll, latency by stage, rates of subscriber, workers, storage and rules, delay of the schedule, freshness beside the vendor's SDK
	$(BIN)/python benchmarks $(ARGS)

proto: $(INSTALLED)  ## generate the gateway's messages from our .proto files
	$(BIN)/python -m grpc_tools.protoc --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy \
		-I proto --python_out=proto --mypy_out=proto $(PROTO_DIR)/*.proto

# The second one is of the first one's versions: what the image holds, which is what the roles need.
lock: $(INSTALLED)  ## resolve pyproject.toml into requirements.lock; ARGS=--upgrade takes newer releases
	$(COMPILE) --all-extras --group dev $(ARGS) --output-file requirements.lock
	$(COMPILE) $(addprefix --extra ,$(IMAGE_EXTRAS)) --constraints requirements.lock --output-file deploy/requirements.lock

setup: $(INSTALLED)  ## the environment alone

clean:  ## remove the environments and what the tools left behind
	rm -rf $(VENV) .venvs dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# An environment whose interpreter has gone is made anew: its links would point nowhere.
$(CREATED):
	@test -n "$(PYTHON)" || { echo "brokertape needs Python 3.11 or newer: name it as in make PYTHON=python3.11" >&2; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)

# Modules are compiled when they are first imported: to compile them all would be half of the set-up's time.
$(LOCKED): requirements.lock $(CREATED)
	@echo "installing the locked packages into $(VENV): about a minute, once"
	$(PIP) install --no-compile --require-hashes -r requirements.lock
	@touch $@

# Apart from the locked packages: pip takes no editable install in its hash-checking mode.
$(INSTALLED): pyproject.toml $(LOCKED)
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
