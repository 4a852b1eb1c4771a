# Two commands matter: `make reproduce` runs the companion, `make test` checks it.
# Both first make .venv from the lock file; nothing else needs to be installed but a Python it serves.

PYTHONS := 3.11 3.12 3.13 3.14
SERVED := import sys; sys.exit("%d.%d" % sys.version_info[:2] not in "$(PYTHONS)".split())
# A name may be there and not run, as pyenv's are: each is tried.
PYTHON ?= $(shell for name in $(PYTHONS:%=python%) python3; do \
  $$name -c '$(SERVED)' 2>/dev/null && command -v $$name && break; done)
# An index that torch and torchvision alone are taken from, such as one of builds for CPUs.
TORCH_INDEX ?=
JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup reproduce publish test test-fast lab lint bench size report clean lock wheels

help:
	@echo "make reproduce  run every notebook, fill outputs/ and make the HTML pages"
	@echo "make test       run the tests"
	@echo "make test-fast  the same without browser, faults and notebooks"
	@echo "make lab        open the notebooks in JupyterLab"
	@echo "make report     make the HTML pages again from what is in outputs/"
	@echo "make publish    bring what is not up to date up to date, and remake outputs/published/default/"
	@echo "make bench      measure speed; the tables go to outputs/bench/"
	@echo "make size       count the library's lines by room; check that imports run one way"
	@echo "make wheels     look whether every locked package has a wheel for every Python and machine"
	@echo "make lint       check style and type hints with ruff"
	@echo "make clean      remove .venv and outputs/, but not outputs/published/"

setup: $(READY)

# The environment is made in one piece: an interrupted install leaves no marker and starts anew.
$(READY): requirements.lock pyproject.toml
	@"$(PYTHON)" -c '$(SERVED)' 2>/dev/null || { \
	  echo "The lock file serves Python $(PYTHONS); found $(or $(PYTHON),none): set PYTHON=/path/to/one" >&2; \
	  exit 1; }
	@echo "Making $(VENV) from requirements.lock with $(PYTHON) (some minutes the first time)"
	@"$(PYTHON)" -m venv --clear $(VENV)
	@test -z "$(TORCH_INDEX)" || $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps --index-url "$(TORCH_INDEX)" $$(grep -E '^(torch|torchvision)==' requirements.lock)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

reproduce: setup
	@$(BIN)/python -m taugda run -j $(JOBS)

test: setup
	$(BIN)/python -m pytest --numprocesses $(JOBS)

test-fast: setup
	$(BIN)/python -m pytest --numprocesses $(JOBS) $(addprefix --ignore=tests/test_,browser.py faults.py notebooks.py)

lab: setup
	$(BIN)/python -m jupyter lab --notebook-dir=notebooks

lint: setup
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

# Needs nothing but Python.
size:
	@"$(PYTHON)" benchmarks/size.py

bench: setup
	$(BIN)/python benchmarks/bench.py

publish: setup
	@$(BIN)/python -m taugda run -j $(JOBS)
	@$(BIN)/python -m taugda publish

report: setup
	@$(BIN)/python -m taugda report

clean:
	rm -rf $(VENV) .lock-venv .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find outputs -mindepth 1 -maxdepth 1 ! -name published ! -name README.md -exec rm -rf {} +

# Pins what the ranges in pyproject.toml resolve to now, once for every Python and machine.  What torch's
# build for CUDA needs is left out: torch pins it itself, and a build for CPUs does without.
lock: .lock-venv
	{ echo "# Made by 'make lock': what the ranges in pyproject.toml resolve to, for Linux and macOS."; \
	  printf '%s\n' torch==2.13.0 torchvision==0.28.0 | .lock-venv/bin/uv pip compile --quiet --universal \
	    --python-version $(firstword $(PYTHONS)) --only-binary :all: --no-header --no-annotate \
	    --fork-strategy fewest --extra dev - pyproject.toml | grep -Ev "^(cuda|nvidia)-|^triton==|== '(win32|nt)'$$"; \
	} > requirements.lock.new
	mv requirements.lock.new requirements.lock

# Nothing is installed: wheels are looked up in the index, with each machine's own markers.
wheels: .lock-venv
	@.lock-venv/bin/python benchmarks/wheels.py $(PYTHONS)

.lock-venv:
	@"$(PYTHON)" -m venv $@
	@$@/bin/python -m pip install --quiet --disable-pip-version-check uv || { rm -rf $@; exit 1; }
