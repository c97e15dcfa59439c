SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup serve test test-service check format lint types imports schema schema-check web web-check bench soak lock clean

VENV := .venv
BIN := $(VENV)/bin
# Many short processes of ours start: what they import is compiled once.
unexport PYTHONDONTWRITEBYTECODE
WORKERS ?= auto
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
SERVICE_DATABASE_URL ?= postgresql://postgres@127.0.0.1:5432/postgres

help: ## Explain all of this
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.stamp ## Make .venv with everything in requirements.lock and the nimrod command

$(VENV)/.stamp: requirements.lock pyproject.toml .ci/python
	@python=$$(.ci/python) || exit 1; echo "Setting up $(VENV) with $$($$python --version) …"; \
	"$$python" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

serve: setup web ## Serve a whole demo city at 127.0.0.1:8000 (NIMROD_PORT, NIMROD_MAP=city.osm.pbf)
	@exec $(BIN)/nimrod serve

test: setup web ## Run the tests on the embedded PostgreSQL
	$(PYTEST)

test-service: setup web ## Run the tests on a PostgreSQL service, where one answers
	@if $(BIN)/python -c 'import psycopg, sys; psycopg.connect(sys.argv[1], connect_timeout=3)' "$(SERVICE_DATABASE_URL)" 2>/dev/null; then \
		NIMROD_TEST_DATABASE_URL="$(SERVICE_DATABASE_URL)" $(PYTEST); \
	else echo "No PostgreSQL service answers: tested on the embedded one alone."; fi

check: lint types imports schema-check web-check test test-service ## Everything CI checks: format, lint, types, imports, schema, web, tests

format: setup ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

schema: setup ## Print the schema files after a change
	$(BIN)/python -m schema.printing

schema-check: setup
	$(BIN)/python -m schema.printing --check

web: setup ## Build GraphiQL (needs Node.js 20 or newer; without it the API runs alone)
	@$(BIN)/python -m app.web.build

web-check: web
	@if [ -d app/web/node_modules ]; then cd app/web && npm run --silent check; else echo "No Node.js: the page was not checked."; fi

bench: setup ## Measure Nimrod beside its peers, its streams and its seeding (BENCH=folder of the peer benchmark, else ../shared/bench)
	@$(BIN)/python -m tests.bench.run
	@$(BIN)/python -m tests.bench.fanout
	@$(BIN)/python -m tests.bench.cities

soak: setup ## Run what takes minutes: chaos below 1,000 subscribers, 10,000 that come back, readers that are stuck
	NIMROD_SOAK=1 $(BIN)/pytest tests/soak -m soak

lock: setup ## Compile requirements.lock again after a change of dependencies
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --extra routing --extra dev --output-file requirements.lock pyproject.toml

clean: ## Remove what was built; the city in .nimrod stays
	rm -rf $(VENV) app/web/dist app/web/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
