# Every recipe works on a fresh clone with git, make and Python 3.11+.
PYTHON ?= python3
UV := .venv/bin/uv
STAMP := .venv/.synced

# Where it is set, each worker, server and command of the tests would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

PYTEST := .venv/bin/python -m pytest -n auto --maxprocesses 5 --dist loadgroup --no-loadscope-reorder

.PHONY: demo demo-stop test test-quick nightly lint bench build dev clean

$(UV):
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"

$(STAMP): $(UV) uv.lock pyproject.toml
	$(UV) sync --locked --quiet
	@touch $@

demo: $(STAMP)  ## start the demo's servers, load everything, say what to do next
	@.venv/bin/leat demo $(if $(REPO),--repo $(REPO))

demo-stop: $(STAMP)  ## end the demo's servers
	@.venv/bin/leat demo --stop

test: $(STAMP)  ## run the tests, on DuckDB and on a Postgres of their own
	$(PYTEST)

test-quick: $(STAMP)  ## run the tests that start no systems and load little
	$(PYTEST) -m "not slow"

nightly: $(STAMP)  ## try 2,000 examples of every property, where make test tries 100
	LEAT_EXAMPLES=2000 .venv/bin/python -m pytest -n auto --maxprocesses 5 --timeout 3600 \
		$$(grep -rl "tests.kit.examples import" tests --include='test_*.py')

lint: $(STAMP)  ## formatting, style, types, import direction
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: $(STAMP)  ## run the benchmarks, compared with limits and peers
	.venv/bin/python -m bench

build: $(STAMP)  ## the wheel and the source distribution, in dist/
	$(UV) build --quiet

dev: $(STAMP)  ## open the Dagster UI
	@.venv/bin/leat dev

clean:
	rm -rf .venv .leat dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
