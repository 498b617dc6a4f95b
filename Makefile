# make app         start ELBO Room (PORT=8501, or the next free one)
# make test        the tests of a change: all but long proofs, and a tour of the app in a browser
#                  (ARGS="-k latent" for some)
# make test-all    every test: the long proofs too, and all that a user does in a browser
# make test-fast   the tests that take no browser and less than a second each
# make check       lint, formatting, types, imports
# make soak        random clicks by three browsers while both cores are busy (MINUTES=20)
# make benchmarks  the measurements of tests/benchmarks/README.md (ARGS="training scoring" for some)
# Another Python than python3: make app PYTHON=python3.12
# PyTorch as the package index has it, whatever this machine is: make app TORCH=index

PYTHON ?= python3
PORT ?= $(or $(STREAMLIT_SERVER_PORT),8501)
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip install --disable-pip-version-check
# Without a browser two processes keep two cores busy. A browser alone keeps them busy.
PLAIN_TESTS := $(BIN)/python -m pytest -n 2 --ignore tests/browser
BROWSER_TESTS := $(BIN)/python -m pytest tests/browser

# On Linux the package index has PyTorch with 3 GB of CUDA libraries. Without an NVIDIA driver the
# build for processors does the same; PyTorch's own index has it.
CPU_BUILDS := https://download.pytorch.org/whl/cpu
WSL := /usr/lib/wsl/lib
TORCH ?= $(if $(filter Linux,$(shell uname -s)),$(if $(shell \
  PATH="$$PATH:$(WSL)" command -v nvidia-smi),index,cpu),index)

.PHONY: app test test-all test-fast check soak benchmarks torch-for-processors
.DELETE_ON_ERROR:

app: $(VENV)/installed
	@exec $(BIN)/python -m app --port $(PORT)

test: $(VENV)/installed-test
	$(PLAIN_TESTS) --dist loadfile -m "not thorough" $(ARGS) || [ $$? -eq 5 ]
	$(BROWSER_TESTS) -m tour $(ARGS) || [ $$? -eq 5 ]

test-all: $(VENV)/installed-test
	$(PLAIN_TESTS) --dist loadfile $(ARGS) || [ $$? -eq 5 ]
	$(BROWSER_TESTS) $(ARGS) || [ $$? -eq 5 ]

test-fast: $(VENV)/installed-test
	$(PLAIN_TESTS) --dist worksteal -m "not slow and not thorough" $(ARGS)

check: $(VENV)/installed-test
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m pyright
	$(BIN)/lint-imports --no-cache

soak: $(VENV)/installed-test
	$(BIN)/python -m tests.browser.soak --minutes $(or $(MINUTES),20)

benchmarks: $(VENV)/installed-benchmarks
	$(BIN)/python -m tests.benchmarks $(ARGS)

$(VENV)/installed: requirements.txt pyproject.toml | $(VENV)/pyvenv.cfg
	@[ "$(TORCH)" != cpu ] || $(MAKE) --no-print-directory torch-for-processors
	$(PIP) -r requirements.txt
	@touch $@

torch-for-processors:
	@if timeout 5 $(BIN)/python -c 'import urllib.request as u; u.urlopen("$(CPU_BUILDS)/torch/")' 2>/dev/null; \
	then echo "No NVIDIA driver was found: taking PyTorch for processors, from $(CPU_BUILDS)."; \
	  echo "For a graphics card: delete $(VENV), then make app TORCH=index"; \
	  $(PIP) "$$(grep ^torch== requirements.txt)" --index-url $(CPU_BUILDS) \
	    || echo "That failed: taking PyTorch from the package index."; \
	else echo "$(CPU_BUILDS) cannot be reached: taking PyTorch from the package index."; \
	  echo "On Linux that may be the build for NVIDIA cards, of some 3 GB."; \
	fi

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
