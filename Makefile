# make demo and make test need python3 (3.11 or newer) and nothing else: each makes .venv and installs into it first.
PYTHON = python3
BIN = .venv/bin
STAMP = .venv/.installed
SOAK = $(BIN)/python -m pytest -p tests.soak.figures -o python_files='test_*.py soak_*.py'

.PHONY: install demo test soak bench clean

install: $(STAMP)

# one pip command, so that the constraints hold for every package it picks, the build of torch included; Python compiles
# what is imported, once, which is little of what is there
$(STAMP): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "mfmarl needs Python 3.11 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "installing into .venv (some minutes, once)"
	@$(PYTHON) -m venv .venv || { echo "the module venv is missing: install python3-venv" >&2; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[test,oracles]'
	@touch $(STAMP)

# trains on the embedded data, evaluates, and writes demo/report/index.html; run again, it goes on where it stopped
demo: $(STAMP)
	@$(BIN)/python scripts/demo.py

test: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -m "not ray and not soak" --numprocesses 2 --dist loadfile
	$(BIN)/python -m pytest -m "ray and not soak"

# kills, faults, fuzzing and memory, bounded (about three quarters of an hour on 2 cores); what it counts goes into docs/figures/soak.csv
soak: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,oracles,soak]'
	OMP_NUM_THREADS=1 $(SOAK) -m "soak and not ray" --numprocesses 2 --dist loadfile
	OMP_NUM_THREADS=1 $(SOAK) -m "soak and ray"

bench: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/env_throughput.py
	$(BIN)/python benchmarks/train_throughput.py

clean:
	rm -rf .venv demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
