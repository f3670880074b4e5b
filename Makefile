# make demo: train, evaluate, export and search on synthetic persons, on the CPU.   make test: all tests.
# Each sets everything up by itself in .venv; PYTHON chooses the interpreter (3.9 or newer).
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/installed

.PHONY: demo test lint

demo: $(INSTALLED)
	$(VENV)/bin/python tools/demo.py

test: $(INSTALLED) lint
	$(VENV)/bin/python -m pytest

lint: $(INSTALLED)
	$(VENV)/bin/ruff check .

$(INSTALLED): setup.py
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[cpu,test]"
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps paddleclas==2.4.2
	touch $@
