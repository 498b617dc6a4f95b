# make app         start ELBO Room (PORT=8501, or the next free one)
# make test        run every test (ARGS="-k latent" for some)
# make test-fast   the tests that take no browser and less than a second each: 128 s of processor time
# make check       lint, formatting, types, imports
# make benchmarks  the measurements of tests/benchmarks/README.md (ARGS="training scoring" for some)
# Another Python than python3: make app PYTHON=python3.12

PYTHON ?= python3
PORT ?= $(or $(STREAMLIT_SERVER_PORT),8501)
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip install --disable-pip-version-check

.PHONY: app test test-fast check benchmarks
.DELETE_ON_ERROR:

app: $(VENV)/installed
	@exec $(BIN)/python -m app --port $(PORT)

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/browser $(ARGS) || [ $$? -eq 5 ]
	$(BIN)/python -m pytest tests/browser $(ARGS) || [ $$? -eq 5 ]

test-fast: $(VENV)/installed-test
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not browser" --ignore tests/browser $(ARGS)

check: $(VENV)/installed-test
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m pyright
	$(BIN)/lint-imports --no-cache

benchmarks: $(VENV)/installed-benchmarks
	$(BIN)/python -m tests.benchmarks $(ARGS)

$(VENV)/installed: requirements.txt pyproject.toml | $(VENV)/pyvenv.cfg
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(PIP) -e '.[test]'
	@touch $@

$(VENV)/installed-benchmarks: $(VENV)/installed-test
	$(PIP) -e '.[benchmarks]'
	@touch $@

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "ELBO Room needs Python 3.11 or later; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | head -n 1)."; \
	  echo "If a newer one is installed, name it: make app PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
