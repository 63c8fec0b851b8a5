.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest/bin
# dag-factory and MLflow both phone home unless told otherwise.
export AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY := false
export MLFLOW_DISABLE_TELEMETRY := true
# Airflow's processes import thousands of modules. uv installs them uncompiled, so that where Python may not keep what it
# has compiled, as in some containers, each process takes twice as long to start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install install-extras demo demo-pets up chaos steady test test-fast test-commands test-extras test-examples test-pets test-lowest test-nightly schema codes reference docs lint bench bench-serving bench-sweep bench-search bench-task-cost bench-first-hour lock clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

install: $(VENV)/.installed ## Create .venv and install everything from requirements.lock

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4) and "Python 3.11.4 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.11 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

install-extras: $(VENV)/.extras ## Add the extras boosting, fairness, fastai, aws, kubernetes, pets, text, example-data and docs from requirements-extras.lock

# A superset of requirements.lock, in the same versions.
$(VENV)/.extras: requirements-extras.lock $(VENV)/.installed
	@echo "Installing the extras: torch, fastai, boto3 and others, 5 GB ..."
	@start=$$(date +%s); \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-extras.lock && \
	echo "Installed the extras in $$(($$(date +%s) - start)) s."
	@touch $@

demo: install ## Start everything, publish the shipped datasets, watch their models train, stop
	$(BIN)/factory demo

demo-pets: install-extras ## Publish photos of cats and dogs, train a detector with fastai, deploy it, ask it (npm brings the photos)
	$(BIN)/factory demo --scenario pets

up: install ## Start MLflow and Airflow and keep them running (Ctrl-C stops them)
	$(BIN)/factory up

# Tests that share an Airflow run on the same worker, the longest first; tests/conftest.py says which.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

test-fast: install ## Run the tests that take seconds: no Airflow, no server, no extras
	$(PYTEST) -m fast

test: install ## Run all tests of the core, those against a running Airflow included
	$(PYTEST) -m "fast or core"

test-commands: install ## Run the tests of whole commands, as processes of their own: up, run, demo, serve
	$(PYTEST) -m commands

test-extras: install-extras ## Run the tests of the extras: fastai, AWS, Kubernetes, deployment
	$(PYTEST) -m extras

test-examples: install-extras ## Run the teams of examples/ on real data, and compare their scores with plain scikit-learn (npm brings e-mails)
	$(BIN)/python -m pytest -m examples

test-pets: install-extras ## Run the tests that train on real photos, on this machine and against stand-ins of AWS
	$(BIN)/python -m pytest -m pets

test-lowest: install ## Run test-fast, and what reads files and builds DAGs, with the lowest versions of the direct dependencies that pyproject.toml allows
	@test -x $(LOWEST)/python || $(PYTHON) -m venv $(dir $(LOWEST))
	$(BIN)/uv pip install --quiet --python $(LOWEST)/python --resolution lowest-direct --editable '.[examples,excel,notify,dev]'
	$(subst $(BIN),$(LOWEST),$(PYTEST)) -m fast
	$(subst $(BIN),$(LOWEST),$(PYTEST)) -m core tests/data/sources tests/airflow

test-nightly: install-extras ## Run the long tests of what other tests state at another level, and the teams of examples/
	$(PYTEST) -m "nightly or examples"

ROUNDS ?= 20

chaos: install ## Let random processes die while work is in progress, and look at what is left: ROUNDS=20 SEED=1
	$(BIN)/python -m tests.chaos --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

MINUTES ?= 120

steady: install ## Run everything again and again, and name what grows meanwhile: MINUTES=120
	$(BIN)/python -m tests.chaos.steady --minutes $(MINUTES)

codes: install ## Write docs/codes.md from factory/team/codes.yaml
	$(BIN)/python -c 'from factory.team.codes import page; print(page(), end="")' > docs/codes.md

reference: install ## Write docs/kinds.md, which has every kind and its keys
	$(BIN)/python -c 'from factory.team.kinds_page import page; print(page(), end="")' > docs/kinds.md

docs: install-extras ## Build the site of the documentation, .factory/site; no network is needed to read it
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "To read it: $(BIN)/python -m http.server --directory .factory/site --bind 127.0.0.1 8000"

lint: install ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

schema: install ## Write the JSON schemas of team files and of _defaults.yaml to .factory/, where VS Code looks for them
	@mkdir -p .factory
	$(BIN)/factory schema > .factory/team.schema.json
	$(BIN)/factory schema --defaults > .factory/defaults.schema.json

bench: install ## Measure parse time and task start beside dag-factory; writes .factory/bench.json
	$(BIN)/python -m benchmarks

bench-serving: install ## Measure predictions over HTTP beside mlflow models serve; writes .factory/bench-serving.json
	$(BIN)/python -m benchmarks.serving

bench-sweep: install ## Measure sweeps of 64 and 200 trials beside scikit-learn's GridSearchCV; writes .factory/bench-sweep.json
	$(BIN)/python -m benchmarks.sweep

bench-search: install-extras ## Compare the best trials of strategy tpe with those of random, over ten seeds; writes .factory/bench-search.json
	$(BIN)/python -m benchmarks.search

bench-task-cost: install ## Measure what a task costs beside its work, and how soon a training begins; writes .factory/bench-task-cost.json
	$(BIN)/python -m benchmarks.task_cost

bench-first-hour: install ## Go from a messy CSV file to an answer over HTTP in an empty folder, and time each of the three commands
	$(BIN)/python -m benchmarks.first_hour

CORE_EXTRAS := $(foreach extra,examples cluster excel notify dev,--extra $(extra))

lock: ## Compile requirements.lock and requirements-extras.lock anew from pyproject.toml
	@test -x $(BIN)/uv || ($(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 $(CORE_EXTRAS) --custom-compile-command 'make lock' -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 --all-extras --constraint requirements.lock --custom-compile-command 'make lock' \
		-o requirements-extras.lock pyproject.toml

clean: ## Remove what runs and tests left behind (not .venv)
	rm -rf .factory .pytest_cache .mypy_cache .ruff_cache
