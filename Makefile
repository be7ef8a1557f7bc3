.DEFAULT_GOAL := help
SHELL := /bin/sh

# uv, or a copy of it from the package index if it is not installed.
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo .local/uv/bin/uv)
RUN := $(UV) run --quiet

# With this variable, Python would compile every module again at every start, and Copier would take twice as long.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[36m%-13s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.local/uv/bin/uv:
	@echo "uv is not installed: fetching it into .local/uv"
	@for python in python3 python python3.14 python3.13 python3.12 /usr/bin/python3; do \
	  $$python -m venv .local/uv >/dev/null 2>&1 && break; done; \
	if ! { test -x .local/uv/bin/python && .local/uv/bin/python -m pip install --quiet --retries 1 --disable-pip-version-check uv; }; then \
	  echo "uv cannot be fetched: install it (https://docs.astral.sh/uv), or Python with venv and a network," \
	  "or name a mirror (PIP_INDEX_URL) or a proxy (HTTPS_PROXY)." >&2; exit 1; fi

.PHONY: demo
demo: $(UV) ## Render the default backend into demo/ and serve it (SERVE=0: only check every endpoint; PORT=8000)
	@$(RUN) python -m scripts.demo --port "$(or $(PORT),8000)" $(if $(filter 0,$(SERVE)),--check-only)

.PHONY: new
new: $(UV) ## Ask the questions and render a backend of your own: make new DEST=path
	@$(RUN) python -m scripts.new "$(DEST)"

.PHONY: test
test: lint ## Everything: lint, renders, and the rendered backend's own checks
	@$(RUN) pytest -n 2 --durations 20 --durations-min 10 -m "not product and not long"

.PHONY: test-quick
test-quick: lint ## The same without the tests that run a rendered backend
	@$(RUN) pytest -n 2 -m "not slow and not product and not long"

.PHONY: test-product
test-product: $(UV) ## Render every combination of options (takes a long time)
	@$(RUN) pytest -n 2 -m product

.PHONY: test-long
test-long: $(UV) ## Make random changes to many more resources than `make test` does (takes a long time)
	@$(RUN) pytest -n 2 -m long

.PHONY: lint
lint: $(UV) ## Check style and types, and the style of template/ in place
	@$(RUN) ruff check . template
	@$(RUN) ruff format --check . template
	@$(RUN) mypy

.PHONY: format
format: $(UV) ## Format the code and fix what can be fixed
	@$(RUN) ruff check --fix --exit-zero --quiet . template
	@$(RUN) ruff format . template
	@$(RUN) ruff check --quiet . template

.PHONY: bench
bench: $(UV) ## Measure the default backend beside a bare app and handwritten SQL (the limit), and keep the result
	@$(RUN) --group bench python -m benchmarks

.PHONY: bench-quick
bench-quick: $(UV) ## The same in under a minute, without keeping the result
	@$(RUN) python -m benchmarks --quick

.PHONY: bench-updates
bench-updates: $(UV) ## Update edited projects of every release, and keep the results
	@$(RUN) pytest -n 2 -m "not product" --junitxml .local/updates.xml tests/test_update_measures.py
	@$(RUN) python -m benchmarks.updates .local/updates.xml

.PHONY: release
release: $(UV) ## Check that the commit may be released, then record and tag it: make release version=1.2.0
	@$(RUN) python -m scripts.release "$(version)"

.PHONY: drift
drift: export FORMAT := $(FORMAT)
drift: $(UV) ## Report how far projects are from their version of the template: make drift DIRS='../a ../b' (FORMAT=json)
	@$(RUN) python -m scripts.drift $(DIRS)

.PHONY: clean
clean: ## Remove the environment, caches and demo/
	@rm -rf .venv demo .mypy_cache .ruff_cache .pytest_cache .hypothesis template/.mypy_cache template/.ruff_cache
