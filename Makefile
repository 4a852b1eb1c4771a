# Two commands matter: `make reproduce` runs the companion, `make test` checks it.
# Both first make .venv from the lock file; nothing else needs to be installed but Python 3.11.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup reproduce publish test lab lint bench size report clean lock

help:
	@echo "make reproduce  run every notebook, fill outputs/ and make the HTML pages"
	@echo "make test       run the tests"
	@echo "make lab        open the notebooks in JupyterLab"
	@echo "make report     make the HTML pages again from what is in outputs/"
	@echo "make publish    bring what is not up to date up to date, and remake outputs/published/default/"
	@echo "make bench      measure speed; the tables go to outputs/bench/"
	@echo "make size       count the library's lines by room; check that imports run one way"
	@echo "make lint       check style and type hints with ruff"
	@echo "make clean      remove .venv and outputs/, but not outputs/published/"

setup: $(READY)

# The environment is made in one piece: an interrupted install leaves no marker and starts anew.
$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 was not found; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "The lock file is for Python 3.11, but $(PYTHON) is another; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Making $(VENV) from requirements.lock (some minutes the first time)"
	@"$(PYTHON)" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

reproduce: setup
	@$(BIN)/python -m taugda run -j $(JOBS)

test: setup
	$(BIN)/python -m pytest --numprocesses $(JOBS)

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
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find outputs -mindepth 1 -maxdepth 1 ! -name published ! -name README.md -exec rm -rf {} +

# Pins what the ranges in pyproject.toml resolve to now.
lock:
	"$(PYTHON)" -m venv --clear .lock-venv
	.lock-venv/bin/python -m pip install --quiet torch==2.13.0 torchvision==0.28.0 'setuptools>=77'
	.lock-venv/bin/python -m pip install --quiet --editable '.[dev]'
	{ echo "# Made by 'make lock' with Python 3.11; what the ranges in pyproject.toml resolved to."; \
	  .lock-venv/bin/python -m pip freeze --all --exclude taugda --exclude pip | sed 's/+cpu$$//' ; } > requirements.lock.new
	mv requirements.lock.new requirements.lock
	rm -rf .lock-venv
