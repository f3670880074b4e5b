# make demo: train, evaluate, export and search on synthetic persons, on the CPU.
# make serve: a search page on the demo's model and gallery, which it makes if they are absent.
# make check: lint and the tests that take under a minute in all.   make test: lint and all tests.
# make coverage: make test, and which part of each room the tests run.
# make test-pythons PYTHONS="python3.10 python3.12": the tests of make check on each, in .venv-python3.10 and so on.
# make test-matrix: TIPC's chain on PaddlePaddle 3 and 2, with PaddleClas's wheel and the checkouts that
# PADDLECLAS_HOMES=path:path names.
# make wheel: the package, its configs and its commands as one file in dist/.
# Each sets everything up by itself in .venv*; PYTHON chooses the interpreter (3.10 or newer).
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/installed
PADDLE2 := .venv-paddle2
DEMO := output/ISE_demo
PYTEST := python -m pytest
PYTHONS ?= python3.10 python3.12 python3.13

.PHONY: demo serve check test test-fast test-pythons test-matrix coverage lint wheel

demo: $(INSTALLED)
	$(VENV)/bin/ise demo

serve: $(INSTALLED) $(DEMO)/gallery/gallery.json
	$(VENV)/bin/ise serve

$(DEMO)/gallery/gallery.json: | $(INSTALLED)
	$(VENV)/bin/ise demo

check: lint test-fast

test: lint
	$(VENV)/bin/$(PYTEST)

test-fast: $(INSTALLED)
	$(VENV)/bin/python -m pytest -m "not slow"

test-pythons:
	set -e; for python in $(PYTHONS); do $(MAKE) test-fast VENV=.venv-$$(basename $$python) PYTHON=$$python; done

coverage: $(INSTALLED)
	$(VENV)/bin/coverage erase
	$(MAKE) test PYTEST="coverage run -m pytest"
	$(VENV)/bin/coverage combine --quiet
	$(VENV)/bin/coverage json --quiet -o - | $(VENV)/bin/python tests/coverage_of_rooms.py

test-matrix: $(INSTALLED) $(PADDLE2)/installed
	$(VENV)/bin/python test_tipc/matrix.py --python $(VENV)/bin/python --python $(PADDLE2)/bin/python

lint: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

wheel: $(INSTALLED)
	rm -rf build dist
	$(VENV)/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

$(INSTALLED): pyproject.toml setup.py
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[cpu,deploy,onnx,dev]"
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps paddleclas==2.4.2
	touch $@

$(PADDLE2)/installed: pyproject.toml setup.py
	$(PYTHON) -m venv $(PADDLE2)
	$(PADDLE2)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[paddle2]"
	$(PADDLE2)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps paddleclas==2.4.2
	touch $@
