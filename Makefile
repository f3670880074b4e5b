# make demo: train, evaluate, export and search on synthetic persons, on the CPU.   make test: all tests.
# make test-matrix: TIPC's chain on PaddlePaddle 3 and 2, with PaddleClas's wheel and the checkouts that
# PADDLECLAS_HOMES=path:path names.
# make serve: a search page on the demo's model and gallery, which it makes if they are absent.
# Each sets everything up by itself in .venv*; PYTHON chooses the interpreter (3.9 or newer).
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/installed
PADDLE2 := .venv-paddle2
DEMO := output/ISE_demo

.PHONY: demo serve test test-matrix lint

demo: $(INSTALLED)
	$(VENV)/bin/python tools/demo.py

serve: $(INSTALLED) $(DEMO)/inference/inference.yml $(DEMO)/gallery/gallery.json
	cd deploy && ../$(VENV)/bin/python serving/serve.py -c configs/gallery.yaml

$(DEMO)/inference/inference.yml: | $(INSTALLED)
	$(VENV)/bin/python tools/demo.py

$(DEMO)/gallery/gallery.json: $(DEMO)/inference/inference.yml | $(INSTALLED)
	cd deploy && ../$(VENV)/bin/python python/build_gallery.py -c configs/gallery.yaml

test: $(INSTALLED) lint
	$(VENV)/bin/python -m pytest

test-matrix: $(INSTALLED) $(PADDLE2)/installed
	$(VENV)/bin/python test_tipc/matrix.py --python $(VENV)/bin/python --python $(PADDLE2)/bin/python

lint: $(INSTALLED)
	$(VENV)/bin/ruff check .

$(INSTALLED): setup.py
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[cpu,deploy,onnx,test]"
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps paddleclas==2.4.2
	touch $@

$(PADDLE2)/installed: setup.py
	$(PYTHON) -m venv $(PADDLE2)
	$(PADDLE2)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[paddle2]"
	$(PADDLE2)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps paddleclas==2.4.2
	touch $@
