# One entry to everything: `make` alone lists the targets.

# The first Python 3.11 on PATH; any other only gets as far as the doctor, which says what to install.
PYTHON ?= $(shell for p in python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1 && { echo $$p; exit; }; done; echo python3)
EDGAR ?=
FILINGS ?= ../shared/edgar
PROPERTIES := tests/extraction/test_extract_fuzz.py tests/unitydoor/test_merkle.py tests/spark/test_split.py \
	tests/spark/test_cleaning.py tests/localcloud/databricks/test_locations.py \
	tests/localcloud/databricks/test_privilege_rules.py tests/localcloud/databricks/test_privilege_model.py \
	tests/localcloud/aws/test_aws_policy.py
CONTACT ?=

RUN := .venv/bin/python
TRAIN := .venv-train/bin/python
CLOUD := $(RUN) -m localcloud
SOURCE = $(if $(EDGAR),--edgar '$(EDGAR)') $(if $(CONTACT),--contact '$(CONTACT)')
REPORTS := build/test-reports
TYPED := govtune_assets spark train unitydoor localcloud tools
# Two processes share the tests: most of them wait, for servers and for Spark, more than they compute.
TWO := -n 2 --dist loadscope --no-loadscope-reorder
UNIT := not integration and not browser and not shared

# Nothing here fetches from a model hub, and no tool reports home.
export HF_HUB_OFFLINE := 1
export HF_DATASETS_OFFLINE := 1
export TRANSFORMERS_OFFLINE := 1
export DAGSTER_DISABLE_TELEMETRY := yes
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo up down status test verify screenshots fast lint types definitions clean constraints \
	doctor doctor-demo doctor-test python environments payloads

help: ## list the targets
	@echo "govtune_assets: SEC filings to a registered Unity Catalog model, as a Dagster asset graph"
	@echo
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) \
		| while IFS='|' read -r target text; do printf '  make %-12s %s\n' "$$target" "$$text"; done
	@echo
	@echo "  EDGAR=sample|live|FOLDER   source of filings for demo and up; live needs CONTACT='Name name@example.com';"
	@echo "                             default: what the state was made from, and sample for a new state"
	@echo "  FILINGS=FOLDER             recorded filings with their truth, for verify (default $(FILINGS))"
	@echo "  GOVTUNE_STATE=FOLDER       state of the local cloud (default .govtune)"
	@echo "  GOVTUNE_AWS_PORT=N (4570), GOVTUNE_DATABRICKS_PORT (4571), GOVTUNE_EDGAR_PORT (4572), GOVTUNE_MLFLOW_PORT (4573),"
	@echo "                             GOVTUNE_DAGSTER_PORT (3000)"

demo: doctor-demo environments payloads ## from filings of 2023 and 2024 to a registered model; the state stays
	@$(CLOUD) run $(SOURCE) -- $(RUN) -m govtune_assets.cli demo

up: doctor environments payloads ## start the local cloud and the Dagster UI on the state that is there
	@$(CLOUD) up $(SOURCE)

down: ## stop the local cloud and the Dagster UI
	@if test -x $(RUN); then $(CLOUD) down; else echo "nothing is running: there is no environment yet"; fi

status: ## what runs, where, and whether it answers
	@if test -x $(RUN); then $(CLOUD) status; else echo "nothing is running: there is no environment yet"; fi

test: doctor-test environments payloads lint types definitions ## all that CI runs: lint, types, definitions, every test
	@rm -rf $(REPORTS)
	@echo "test: the training payload, in its environment"
	@$(TRAIN) -m pytest -q tests/train --junitxml=$(REPORTS)/training.xml
	@echo "test: everything else"
	@$(RUN) -m pytest -q $(TWO) tests --ignore=tests/train --junitxml=$(REPORTS)/orchestrator.xml
	@$(RUN) -m tools.test_counts $(REPORTS)/training.xml $(REPORTS)/orchestrator.xml

fast: lint types ## lint, types and the tests that start no cloud: one turn of the loop, under a minute
	@$(RUN) -m pytest -q -x $(TWO) -m '$(UNIT)' tests --ignore=tests/train

verify: environments payloads ## the long proofs: property tests at length, twenty kills, recorded filings and their truth
	@test -f '$(FILINGS)/truth.json' || { echo "verify: no recorded filings with truth.json in $(FILINGS);" \
		"name their folder: make verify FILINGS=FOLDER" >&2; exit 1; }
	@$(RUN) -m pytest -q --hypothesis-profile=thorough --timeout=3600 $(PROPERTIES)
	@echo "verify: a backfill that is killed twenty times"
	@$(RUN) -m benchmarks.ingestion --no-backfill --kills 20
	@PYTHONPATH=. $(RUN) benchmarks/extraction.py '$(FILINGS)'

screenshots: doctor-test environments payloads ## take the pictures of docs/images anew
	@GOVTUNE_SCREENSHOTS=docs/images $(RUN) -m pytest -q tests/integration/browser

lint: ## ruff, formatting, who may import whom, and the CloudFormation templates
	@echo "lint: ruff, import-linter and cfn-lint"
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m ruff format --check --quiet . || { echo "not formatted; run: $(RUN) -m ruff format ."; exit 1; }
	@.venv/bin/lint-imports
	@.venv/bin/cfn-lint infra/*.yaml

types: ## mypy, strict
	@echo "types: mypy"
	@$(RUN) -m mypy $(TYPED)

definitions:
	@echo "definitions: dg check defs"
	@VIRTUAL_ENV=$(CURDIR)/.venv .venv/bin/dg check defs

clean: ## stop the local cloud; remove its state, the environments and the caches
	@if test -x $(RUN); then $(CLOUD) down; fi
	rm -rf .venv .venv-train .venv-tracking .cache .govtune build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

constraints: ## resolve the versions of all environments anew
	@.venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
		--custom-compile-command 'make constraints' constraints/orchestrator.in -o constraints/orchestrator.txt
	@.venv/bin/uv pip compile --quiet --upgrade --python-version 3.11 --override constraints/training-overrides.txt \
		--custom-compile-command 'make constraints' constraints/training.in -o constraints/training.txt
	@.venv/bin/uv pip compile --quiet --upgrade --python-version 3.11 --override constraints/tracking-overrides.txt \
		--custom-compile-command 'make constraints' constraints/tracking.in -o constraints/tracking.txt
	@.venv/bin/uv pip compile --quiet --upgrade --python-version 3.11 --override constraints/training-overrides.txt \
		--custom-compile-command 'make constraints' constraints/trl.in -o constraints/trl.txt
	@.venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
		--custom-compile-command 'make constraints' constraints/benchmarks.in -o constraints/benchmarks.txt
	@.venv/bin/uv pip compile --quiet --upgrade --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
		--generate-hashes --only-binary :all: --no-emit-index-url --no-emit-find-links --constraint constraints/orchestrator.txt \
		--custom-compile-command 'make constraints' constraints/spark.in -o constraints/spark.txt

python:
	@command -v $(PYTHON) >/dev/null || { echo "doctor: Python is not installed. Mend: install Python 3.11" \
		"(Debian: apt-get install python3.11 python3.11-venv; macOS: brew install python@3.11)." >&2; exit 1; }

doctor: python
	@$(PYTHON) tools/doctor.py

doctor-demo: python
	@$(PYTHON) tools/doctor.py --ports

doctor-test: python
	@$(PYTHON) tools/doctor.py --browser

environments:
	@$(PYTHON) -m tools.bootstrap

payloads:
	@$(RUN) tools/jars.py
	@$(RUN) tools/base_model.py
