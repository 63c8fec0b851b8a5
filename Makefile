.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# dag-factory and MLflow both phone home unless told otherwise.
export AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY := false
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: help install demo up test lint bench bench-serving lock clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

install: $(VENV)/.installed ## Create .venv and install everything from requirements.lock

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.11 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: install ## Start everything, publish the shipped datasets, watch their models train, stop
	$(BIN)/factory demo

up: install ## Start MLflow and Airflow and keep them running (Ctrl-C stops them)
	$(BIN)/factory up

test: install ## Run all tests, those against a running Airflow included
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: install ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install ## Measure parse time and task start beside dag-factory; writes .factory/bench.json
	$(BIN)/python -m benchmarks

bench-serving: install ## Measure predictions over HTTP beside mlflow models serve; writes .factory/bench-serving.json
	$(BIN)/python -m benchmarks.serving

lock: ## Compile requirements.lock anew from pyproject.toml
	@test -x $(BIN)/uv || ($(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 --all-extras --custom-compile-command 'make lock' -o requirements.lock pyproject.toml

clean: ## Remove what runs and tests left behind (not .venv)
	rm -rf .factory .pytest_cache .mypy_cache .ruff_cache
