# One command each. CI runs exactly these.
PYTHON ?= .venv/bin/python
BIN := $(dir $(PYTHON))

.PHONY: check test docs bench reproduce-bank train-one-small

# Folder with train, valid and benchmarks; CONTRIBUTING.md has its layout.
DATA ?= $(or $(POCKETSR_DATA),../shared/data)

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

reproduce-bank:  ## every model of the catalogue judged again, beside its card; some minutes
	$(PYTHON) -m pocketsr reproduce bank --data $(DATA)/benchmarks

train-one-small:  ## 1,400 steps of training; does it get as far as it did before?
	$(PYTHON) benchmarks/train_small.py $(DATA)
