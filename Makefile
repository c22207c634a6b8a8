# make run   installs into .venv and serves the bot; make test   sets up and runs the whole suite.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PO := $(wildcard locales/*/LC_MESSAGES/*.po)
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
SOURCE := pyproject.toml .ci/constraints.txt

.PHONY: run test checked fuzzed ear bench bench-large faults fuzz race check catalogs sbom audit clean

run: $(VENV)/.installed catalogs
	@exec $(BIN)/sala run

test:
	@sh .ci/system
	@$(MAKE) --no-print-directory -j2 $(VENV)/.tested $(VENV)/.npm
	@$(MAKE) --no-print-directory catalogs
	@$(MAKE) --no-print-directory -j2 -Otarget checked fuzzed
	$(BIN)/coverage erase
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore=tests/fuzz
	$(BIN)/python .ci/coverage_gate.py

checked:
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# The fuzzers judge all that is logged in their process, so nobody else's leavings may be in it.
fuzzed:
	$(BIN)/python -m pytest --no-cov -n 2 --dist loadfile tests/fuzz

bench: $(VENV)/.tested catalogs
	$(BIN)/python -m pytest --no-cov -s tests/bench/*.py

# 32 webhooks at once for a minute, commits in groups, then ten million cases (30 GB of disk, an hour).
bench-large: $(VENV)/.tested catalogs
	$(BIN)/python -m tests.bench.load
	$(BIN)/python -m tests.bench.stores
	$(BIN)/python -m tests.bench.growth

faults: $(VENV)/.tested catalogs
	SALA_UPDATE=1 $(BIN)/python -m pytest --no-cov tests/test_faults.py tests/test_crash_points.py
	@cat docs/faults.md

fuzz: $(VENV)/.tested catalogs
	SALA_FUZZ=300 $(BIN)/python -m pytest --no-cov tests/fuzz tests/test_machine.py \
	  tests/test_told_all.py

# 100,000 records written and paged at once, compared with the truth (some ten minutes).
race: $(VENV)/.tested catalogs
	$(BIN)/python -m tests.bench.exchange race

# After a change of bot/understanding/data/utterances: learns data/heads.npz anew (about ten minutes).
ear: $(VENV)/.tested
	$(BIN)/python -m bot.understanding.learning $(VENV)/ear.npz

# What a running Sala consists of (CycloneDX), with the digests of the page that opens images.
sbom: $(VENV)/.tested $(VENV)/.tools
	@mkdir -p dist
	@$(VENV)/tools/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	  $(BIN)/python > dist/.all.json
	@$(BIN)/python .ci/sbom.py < dist/.all.json > dist/sala.cdx.json && rm dist/.all.json
	@echo "dist/sala.cdx.json"

# Known faults of the pinned packages, asked of PyPI (AUDIT='-s osv': of OSV). Needs the internet.
audit: $(VENV)/.tools
	@$(PYTHON) .ci/audit.py $(VENV)/tools/bin/pip-audit $(AUDIT) .ci/constraints.txt

catalogs: $(VENV)/.catalogs

$(VENV)/.catalogs: $(PO) $(VENV)/.installed
	@$(BIN)/python .ci/compile_catalogs.py
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv is missing: apt-get install python3-venv"; exit 1; }

$(VENV)/.installed: $(SOURCE) | $(VENV)/bin/python
	@echo "Installing…"
	@$(PIP) install -c .ci/constraints.txt -e .
	@touch $@

# All that .installed is, and what the tests need beside it, in one go.
$(VENV)/.tested: $(SOURCE) .ci/system | $(VENV)/bin/python
	@sh .ci/system
	@$(PIP) install -c .ci/constraints.txt -e '.[test]'
	@touch $(VENV)/.installed $@

$(VENV)/.npm: .ci/package.json
	@mkdir -p $(VENV)/npm && cp .ci/package.json $(VENV)/npm
	@cd $(VENV)/npm && npm install --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error \
	  && touch ../.npm || echo "npm gave no packages: the tests that need them are skipped and say so."

$(VENV)/.tools: .ci/tools.txt
	@$(PYTHON) -m venv $(VENV)/tools
	@$(VENV)/tools/bin/python -m pip --disable-pip-version-check -q install -r .ci/tools.txt
	@touch $@

clean:
	rm -rf $(VENV) dist
