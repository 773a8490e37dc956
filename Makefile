# make demo: install, run the main job on the sample clip.  make test: install with the dev extra, run all checks.
PYTHON ?= python3
# What `make test` installs; /dev/null for the newest that pyproject.toml allows.
PINNED ?= constraints.txt
BIN := .venv/bin

.PHONY: demo test check types tests format clean

demo: .venv/installed
	$(BIN)/crowdad demo

test: .venv/installed-dev
	$(MAKE) --no-print-directory check

check: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(MAKE) --no-print-directory -j 2 types tests

types: .venv/installed-dev
	$(BIN)/mypy

tests: .venv/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

format: .venv/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/installed-dev: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --constraint $(PINNED) --editable '.[dev]'
	touch $@ .venv/installed

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
