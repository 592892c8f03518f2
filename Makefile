# make demo    environment, install, the quickstart suite, a leaderboard and a page
# make test    what CI runs: lint, types, layers, every test (under 25 minutes on 2 cores)
# make check   lint, types, layers and the quick tests (under 90 s), for every commit
# make prove   the same proofs in full: kills, simulations, mutations
# make audit   known vulnerabilities of requirements.lock; exit 2: could not look, so nobody knows
# make lock    requirements.lock again from pyproject.toml: every version with its hashes
# make bench   skinbench beside what people use, in one run of under an hour; ROW=inference for
#              one row, three times

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

COVERED := -p no:cacheprovider --cov=skinbench --cov-branch --cov-report= --cov-fail-under=0

.PHONY: demo test check lint unit prove audit lock bench clean

demo: $(STAMP)
	$(BIN)/skinbench run suites/quickstart.yaml

test: $(STAMP) lint
	$(BIN)/coverage erase
	$(BIN)/pytest $(COVERED) -n 2 --dist loadfile -m "not ray"
	$(BIN)/pytest $(COVERED) --cov-append -m ray
	$(BIN)/coverage report --skip-covered --skip-empty | tail -n 30

check: $(STAMP) lint unit

lint: $(STAMP)
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(STAMP)
	SKINBENCH_QUICK_TESTS=1 $(BIN)/pytest -q -x -n auto --dist loadfile -m "not ray and not slow and not browser and not real"

prove: $(STAMP)
	$(BIN)/python tests/prove/run.py

audit: $(STAMP)
	$(BIN)/pip install --quiet pip-audit
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m tests.prove.audit

lock: $(STAMP)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --upgrade \
		--generate-hashes --no-header --no-annotate pyproject.toml -o requirements.lock

bench: $(STAMP)
	$(BIN)/pip install --quiet -e '.[run,bench]'
	$(BIN)/python benchmark/run.py $(ROW) --repeats $(if $(ROW),3,1) --write

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -e '.[run,dev]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .coverage*
