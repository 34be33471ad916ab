# `make demo` and `make test` do all the set-up they need on a machine with Python 3.11+, git and make.
PYTHON ?= python3
BIN := .venv/bin
TOOLS := .metrics/test-tools
SCHEMA := $(TOOLS)/node_modules/@octokit/graphql-schema/schema.graphql
AXE := $(TOOLS)/node_modules/axe-core/axe.min.js
WORKERS ?= 2

.PHONY: help demo test up check schema lock pictures benchmark clean chromium

help:            ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: .venv/installed   ## set up and run the main job on the sample organisation
	$(BIN)/metrics demo

up: .venv/installed     ## open the Dagster UI on 127.0.0.1:3000
	$(BIN)/metrics up

check: .venv/installed  ## say what is wrong with metrics.yaml, the database or the token
	$(BIN)/metrics check

test: .venv/installed-for-tests $(SCHEMA) $(AXE) chromium  ## set up and run linters, type checker and all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

schema: .venv/installed ## write metrics.schema.json, the JSON Schema of metrics.yaml
	$(BIN)/metrics schema > metrics.schema.json

pictures: .venv/installed-for-tests chromium ## take the README's pictures anew (needs a demo that has run)
	$(BIN)/python docs/take_pictures.py

benchmark: .venv/installed-for-tests ## print the figures of benchmarks/
	$(BIN)/python benchmarks/demo.py
	$(BIN)/python benchmarks/collect.py
	$(BIN)/python benchmarks/derive.py
	$(BIN)/python benchmarks/query.py
	$(BIN)/python benchmarks/predict.py
	$(BIN)/python benchmarks/alerts.py
	$(BIN)/python benchmarks/site.py

# Locks hold versions and hashes for every platform, and no addresses.
lock:            ## resolve pyproject.toml again into both lock files (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command "make lock" --extra build pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command "make lock" --extra build --extra test -c requirements.lock \
	  pyproject.toml -o requirements-test.lock

clean:           ## remove the environment and everything that was collected
	rm -rf .venv .metrics

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name it: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/installed: requirements.lock pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

.venv/installed-for-tests: requirements-test.lock .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-test.lock
	touch $@

# GitHub's published GraphQL schema, which the queries are checked against, and the accessibility checks for the site's
# pages; without npm those tests are skipped.
$(SCHEMA) $(AXE) &:
	@if command -v npm >/dev/null; then \
	  npm install --silent --no-audit --no-fund --no-save --prefix $(TOOLS) @octokit/graphql-schema@15.26.1 axe-core@4.14.1 ; \
	else echo "npm is not there: neither queries nor accessibility are checked"; fi

# A browser from the system's packages, for the tests of the site; where it cannot be had they are skipped.
chromium:
	@if ! command -v chromium >/dev/null && ! command -v google-chrome >/dev/null; then \
	  if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null ; fi ; \
	  command -v chromium >/dev/null || \
	    echo "There is no Chromium: nothing is tested in a browser; install it, for example with: apt-get install chromium" ; fi
