# Everything runs in .venv; the targets install what they need. `make demo` and `make test` are all the set-up there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two processes, each test file whole in one of them; in their order, so that long files of few tests are not the last.
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test light browser broker screenshots notebooks figures soak siege lowest sbom lint style types format docs bench pretrain wheel-check licences emulators kernels clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# One stamp per set of extras: reinstalled only when the metadata or what is compiled changes.
SOURCES := pyproject.toml constraints.txt hatch_build.py src/anomalyclip/native/compile.py \
  $(wildcard src/anomalyclip/native/csrc/*.[ch])

$(VENV)/.demo: $(SOURCES) | $(BIN)/python
	$(PIP) -e '.[demo]'
	@touch $@

$(VENV)/.dev: $(SOURCES) | $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $@

$(VENV)/.docs: $(SOURCES) | $(BIN)/python
	$(PIP) -e '.[docs]'
	@touch $@

$(VENV)/.release: $(SOURCES) | $(BIN)/python
	$(PIP) -e '.[release,onnx]'
	@touch $@

$(VENV)/.all: $(SOURCES) | $(BIN)/python
	$(PIP) -e '.[all,release]'
	@touch $@

demo: $(VENV)/.demo ## Install without PyTorch, then detect defects in real solar cells with the embedded model
	$(BIN)/python examples/solar_cells.py demo-results

test: $(VENV)/.dev browser broker ## Install, then run all tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

light: $(BIN)/python ## Install without PyTorch on another Python of this machine, run the main job's tests there
	$(BIN)/python tools/light_tests.py --other

# Playwright's own download of a browser is not used: the system's Chromium is one package away.
browser: ## Install Chromium for the tests of the web page, where it is missing
	@command -v chromium || command -v chromium-browser || command -v google-chrome || { \
	  if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
	  else echo "Chromium is missing: install it (Debian: sudo apt-get install chromium), then run make again" >&2; exit 1; fi; }

broker: ## Install mosquitto for the tests of MQTT, where it is missing and can be installed; they are skipped without it
	@command -v mosquitto || test -x /usr/sbin/mosquitto || { \
	  command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq \
	    && apt-get install -y -qq --no-install-recommends mosquitto >/dev/null; } || \
	  echo "mosquitto is missing: the tests of MQTT are skipped (Debian: sudo apt-get install mosquitto)" >&2

screenshots: $(VENV)/.dev browser ## Redraw the pictures of docs/serve.md with the browser test
	mkdir -p docs/images/serve
	ANOMALYCLIP_SCREENSHOTS=docs/images/serve $(BIN)/python -m pytest tests/e2e/test_serve_browser*.py -p no:xdist

notebooks: $(VENV)/.dev ## Run the notebooks of docs/notebooks again and keep what they show
	$(BIN)/python tools/notebooks.py

figures: $(VENV)/.dev ## Redraw the figures of docs/method-pictures.md with the embedded model
	$(BIN)/python tools/docs_figures.py

soak: $(VENV)/.dev ## Load the server with 50 clients for a minute; print latencies and memory
	$(BIN)/python benchmarks/soak.py

siege: $(VENV)/.dev ## Kills at random moments, mutated files, hostile clients; print one table (SIEGE='--kills 1' for less)
	$(BIN)/python benchmarks/siege $(SIEGE)

lowest: $(BIN)/python ## Run the main job's tests without PyTorch on the oldest versions that are allowed
	$(BIN)/python tools/light_tests.py $(or $(LOWEST),3.10) --lowest

sbom: $(VENV)/.all ## Write dist/sbom.cdx.json, the CycloneDX list of what is installed
	$(BIN)/python tools/licences.py --sbom dist/sbom.cdx.json

lint: style types ## Ruff, strict types, and the floors contract

style: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy

format: $(VENV)/.dev ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.docs ## Build the documentation, warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(VENV)/.dev ## Time the model on this machine and print tables
	$(BIN)/python benchmarks/latency.py

pretrain: $(VENV)/.dev ## Rebuild the embedded model from nothing (hours; interrupt and repeat at will)
	$(PIP) -e '.[pretrain]'
	$(BIN)/python -m anomalyclip.pretraining --folder runs/pocket

wheel-check: $(VENV)/.release ## Build sdist and wheels, install into a fresh environment, run offline (TAG=v1.2.3 to release)
	$(BIN)/python tools/check_wheel.py $(if $(TAG),--tag $(TAG))

emulators: $(VENV)/.dev ## Install qemu-user and Bochs where missing (Debian, as root); test the kernels of other processors
	@command -v qemu-aarch64 >/dev/null && command -v bochs-bin >/dev/null && command -v aarch64-linux-gnu-gcc >/dev/null || { \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends \
	    qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross bochs bochs-term >/dev/null; }
	$(BIN)/python -m pytest $(PYTEST_ARGS) tests/native

kernels: $(BIN)/python ## Compile the C kernels again, beside their sources
	PYTHONPATH=src $(BIN)/python -m anomalyclip.native.compile

licences: $(VENV)/.all ## Rewrite docs/licences.md from the installed packages
	$(BIN)/python tools/licences.py --check

clean: ## Remove build products, not the environment
	rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache demo-results src/anomalyclip/native/.kernels-*
