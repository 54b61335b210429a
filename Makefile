# Each command sets everything up by itself; `make demo` and `make test` are the ones to begin with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo demo-agent demo-preview demo-nodes test test-nodes node-images check format lint types contracts unit reference lock clean

demo: $(VENV)/.installed  ## the main job, end to end, on a sandbox; ENV=prod-onprem: that whole environment
	$(BIN)/python $(if $(ENV),hack/demo-platform $(ENV),hack/demo)

demo-agent: $(VENV)/.installed  ## the agent: pushes, drift, a bad commit, a replica that dies
	$(BIN)/python hack/demo-agent

demo-preview: $(VENV)/.installed  ## a pull request: its preview as one comment, and the same change applied
	$(BIN)/python hack/demo-preview

demo-nodes: $(VENV)/.installed  ## two real nodes with the platform on them: images, alerts, scaling, upgrading; needs root
	$(BIN)/python hack/node-packages
	$(BIN)/python hack/demo-nodes

test: $(VENV)/.installed check  ## everything: `make check`, then the tests on a real control plane
	$(BIN)/pytest --cluster

node-images: $(VENV)/.installed  ## builds the programs of real nodes and the images that run on them, once
	$(BIN)/python hack/node-packages
	$(BIN)/python -m tests.nodes

test-nodes: $(VENV)/.installed  ## the tests on real nodes; skipped, with the reason, where they cannot run
	$(BIN)/python hack/node-packages
	$(BIN)/pytest --nodes -rs tests/nodes

check: format lint types contracts unit  ## the quick loop

format: $(VENV)/.installed
	$(BIN)/ruff format --check

lint: $(VENV)/.installed
	$(BIN)/ruff check

types: $(VENV)/.installed
	$(BIN)/mypy

contracts: $(VENV)/.installed
	$(BIN)/lint-imports --no-logo

unit: $(VENV)/.installed
	$(BIN)/pytest

reference: $(VENV)/.installed  ## writes the schema and the reference pages from the code
	$(BIN)/python hack/reference

lock: $(VENV)/.installed  ## resolves the dependencies anew
	hack/lock

$(VENV)/.installed: requirements/dev.lock pyproject.toml
	$(PYTHON) hack/bootstrap $(VENV)
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
