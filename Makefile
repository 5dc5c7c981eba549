# Everything this project does on one machine. `make demo` and `make test` start from nothing: scripts/bootstrap.sh puts
# the system tools and the Python environment in place and does nothing when they are there.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# The steps of a target depend on each other; those that can run side by side (Snakemake, pytest) do so by themselves.
.NOTPARALLEL:

# The programs of the environment come first, whatever is activated in the calling shell.
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools/conda/bin:$(PATH)
export PYTHONNOUSERSITE := 1
unexport PYTHONPATH PYTHONHOME

# What a person may set: make test WORKERS=4 PYTEST_ARGS='-k alpha'; make demo CORES=8; make test BROWSER=no;
# make calibration TRIALS=1000.
WORKERS ?= 2
CORES ?= $(shell nproc)
PYTEST_ARGS ?=
UPGRADE ?=
TRIALS ?= 400
MINUTES ?= 10
BROWSER ?= yes
ifdef PYTHON
export PYTHON
endif

ifeq ($(BROWSER),no)
test_tools := demo humann strainphlan kraken2
browser_filter := -m 'not browser'
else
test_tools := test
browser_filter :=
endif

.PHONY: help demo test test-cluster reliability fuzz lint format docs bench calibration setup tools-demo tools-test tools-bench tools-cluster python humann lock clean distclean

help: ## Show this list
	@while IFS='|' read -r name does; do printf '  make %-12s %s\n' "$$name" "$$does"; done \
		< <(sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1|\2/p' Makefile)

demo: tools-demo python humann ## From FASTQ to the report: simulate a small trial, analyse it, compare with its truth
	@scripts/demo.sh $(CORES)

test: tools-test python humann lint ## Run every check: lint, then all tests
	@python -m pytest -n $(WORKERS) --dist loadfile $(browser_filter) $(PYTEST_ARGS)

lint: python ## Check style, types and the workflow; change nothing
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check Snakefile workflow/rules
	snakemake --lint --config metaphlan='{"database": "none", "index": "none"}'
	snakemake --lint --config units= profiles=none.tsv

format: python ## Bring all code into the project's format
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow/rules

bench: tools-bench python ## Measure speed and memory against other programs (needs R, takes long)
	@for script in $$(grep -l __main__ bench/*.py); do echo "== $$script"; python "$$script"; done

test-cluster: tools-cluster python humann ## Run the demo's trial on a real SLURM, started on this machine for it (as root)
	@python -m pytest -p no:xdist tests/cluster $(PYTEST_ARGS)

reliability: tools-test python humann ## Play every fault and write what was seen into docs/reliability.md
	@RELIABILITY=write python -m pytest -n $(WORKERS) --dist loadfile -m "not cluster" -q $$(grep -l reliability tests/test_*.py)

# atheris guides the damage by what the readers do with it; it lives in a throw-away folder, and without it chance decides.
fuzz: python ## Damage every kind of input for MINUTES=10: each must give a result or a message (findings: .fuzz/)
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	python -m pip install --quiet --no-deps --target "$$folder" atheris==3.0.0 || echo "atheris cannot be installed here"; \
	PYTHONPATH="$$folder" python scripts/fuzz.py --minutes $(MINUTES)

calibration: python ## Simulate what every test and interval does, write docs/calibration.md (hours; goes on where it was)
	@python -m microbiome.calibration --trials $(TRIALS) --workers $(WORKERS)

docs: python ## Write docs/ and config/config.yaml anew from the declarations in the package
	python -m microbiome.docs

setup: tools-test python humann ## Install the system tools and the Python environment; run nothing

tools-demo tools-test tools-bench tools-cluster:
	@scripts/bootstrap.sh tools $(if $(filter tools-test,$@),$(test_tools),$(if $(filter tools-demo,$@),demo humann,$(@:tools-%=%)))

python:
	@scripts/bootstrap.sh python

humann: ## Install HUMAnN in an environment of its own (.tools/humann)
	@scripts/bootstrap.sh humann

# uv makes one lock for all Python versions and platforms, with the same version of a package on each of them wherever
# that is possible. It lives in a throw-away environment: nothing else needs it.
# `make lock` keeps the versions that still fit pyproject.toml; `make lock UPGRADE=--upgrade` takes the newest of all.
lock: python ## Write requirements.lock and requirements-humann.lock anew (needs the network)
	rm -rf .tools/uv
	python -m venv .tools/uv
	.tools/uv/bin/python -m pip install --quiet uv
	.tools/uv/bin/uv pip compile --quiet $(UPGRADE) --universal --fork-strategy fewest --generate-hashes \
		--no-emit-index-url --no-header --python-version 3.11 --all-extras --output-file requirements.lock pyproject.toml
	.tools/uv/bin/uv pip compile --quiet $(UPGRADE) --universal --fork-strategy fewest --generate-hashes \
		--no-emit-index-url --no-header --python-version 3.11 --output-file requirements-humann.lock requirements-humann.in
	rm -rf .tools/uv

clean: ## Remove the demo and everything that tools left behind; keep results/, .venv and .tools
	rm -rf demo build *.egg-info .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzz
	find microbiome tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove the Python environment and the downloaded tools as well
	rm -rf .venv .tools
