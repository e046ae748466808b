# Every recipe works on a fresh clone with git, make and Python 3.11+.
PYTHON ?= python3
UV := .venv/bin/uv
STAMP := .venv/.synced

# Where it is set, each worker, server and command of the tests would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

PYTEST := .venv/bin/python -m pytest -n auto --maxprocesses 5 --dist loadgroup --no-loadscope-reorder

# Where secrets are looked for: everywhere but where tests plant some, in what is generated, and in examples of JSON,
# which are full of ids. A file that hasn't changed since the last time isn't looked at again.
SCANNED := ':!tests' ':!bench' ':!uv.lock' ':!*.min.js' ':!*.svg' ':!*.png' ':!docs/actions/verbs' ':!docs/openapi.json' \
	':!*schema.json' ':!docs/json.md'
# Names such as `password` with a text are ruff's and bandit's. `user:password@` is a placeholder.
NO_SECRETS := --disable-plugin KeywordDetector --exclude-lines ':password@'

.PHONY: demo demo-stop test test-quick nightly lint audit bench sbom build dev clean

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

nightly: $(STAMP)  ## try 2,000 examples of every property, where make test tries 100, erase everybody of the demo, run the engine, models, rules, contract and demo on DuckLake
	LEAT_EXAMPLES=2000 .venv/bin/python -m pytest -n auto --maxprocesses 5 --timeout 3600 \
		$$(grep -rl "tests.kit.examples import" tests --include='test_*.py')
	LEAT_TEST_ENGINES=ducklake $(PYTEST) --timeout 1800 tests/engine tests/hooks tests/models tests/contract
	LEAT_TEST_ENGINES=ducklake $(PYTEST) tests/company/test_parity.py tests/company/test_reports.py
	LEAT_TEST_ENGINES=shared $(PYTEST) tests/engine tests/hooks

lint: $(STAMP)  ## formatting, style, types, import direction, secrets, unsafe code
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/bandit --quiet --configfile pyproject.toml --recursive leat assets dagster_project pipelines quality sources warehouse
	@test -e .venv/.scanned || touch -d @0 .venv/.scanned
	@touch .venv/.scanning
	git ls-files -- $(SCANNED) | xargs -d '\n' sh -c 'find "$$@" -newer .venv/.scanned -print0' find \
		| xargs -0 -r .venv/bin/detect-secrets-hook $(NO_SECRETS)
	@mv .venv/.scanning .venv/.scanned

audit: $(STAMP)  ## look the locked versions up in the database of vulnerabilities; needs a network
	$(UV) export --frozen --no-dev --all-extras --no-emit-project --no-header --quiet > .venv/audit.txt
	.venv/bin/pip-audit --strict --require-hashes --disable-pip --requirement .venv/audit.txt

bench: $(STAMP)  ## run the benchmarks, compared with limits and peers
	.venv/bin/python -m bench

sbom: $(STAMP)  ## the bill of materials of what the lock installs with the wheel
	@mkdir -p sboms
	@$(UV) export --frozen --no-dev --no-emit-project --no-header --quiet \
		| .venv/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --sv 1.6 \
		--output-file sboms/leat.cdx.json -

build: sbom  ## the wheel and the source distribution, in dist/
	$(UV) build --quiet

dev: $(STAMP)  ## open the Dagster UI
	@.venv/bin/leat dev

clean:
	rm -rf .venv .leat dist sboms .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
