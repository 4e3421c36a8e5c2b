# Needs Python >= 3.11, git and make. `make demo` and `make test` set up the environment themselves; `make setup` only
# creates it, in .venv.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)

# Where it is set, every process compiles all that it imports: half of the time that Ray's processes take to start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test check docs format clean

setup: $(READY)

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet uv==$(UV_VERSION)

$(READY): pyproject.toml $(filter .uv/bin/uv,$(UV))
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	VIRTUAL_ENV=.venv $(UV) pip install --quiet --editable . --group dev
	touch $@

DEMO := storage=.orchard/store tracking=sqlite:///.orchard/mlflow.db

demo: $(READY)
	$(BIN)/orchard run jobs/sweeps/quickstart.yaml $(DEMO)
	$(BIN)/orchard report quickstart --storage .orchard/store --out .orchard/report

# The tests of a folder run in one process, and what takes minutes comes first: tests/conftest.py. Three processes keep two
# processors busy: one of them waits for clusters half of the time.
PROCESSES ?= 3
TESTS ?=

test: $(READY)
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadscope --no-loadscope-reorder $(TESTS)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The site, in build/site: open its index.html.
docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

.venv/.docs: $(READY)
	VIRTUAL_ENV=.venv $(UV) pip install --quiet --group docs
	touch $@

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv .uv .orchard build
