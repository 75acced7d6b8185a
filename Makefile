# One command each. CI runs exactly these.
PYTHON ?= .venv/bin/python
BIN := $(dir $(PYTHON))

.PHONY: check test docs bench

check:  ## style, types, layers
	$(PYTHON) -m ruff check src tests benchmarks
	$(PYTHON) -m ruff format --check src tests benchmarks
	$(PYTHON) -m mypy
	$(BIN)lint-imports

test:  ## every test, the wheel and the README's commands included
	$(PYTHON) -m pytest

docs:  ## the tables of README.md, from benchmarks/results
	$(PYTHON) benchmarks/tables.py

bench:  ## speed on this machine; leave it alone meanwhile
	$(PYTHON) benchmarks/speed.py
