# make run   installs into .venv and serves the bot; make test   sets up and runs the whole suite.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PO := $(wildcard locales/*/LC_MESSAGES/*.po)
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
SOURCE := pyproject.toml .ci/constraints.txt

.PHONY: run test ear bench faults fuzz race check catalogs clean

run: $(VENV)/.installed catalogs
	@exec $(BIN)/sala run

test: $(VENV)/.tested $(VENV)/.npm catalogs
	@sh .ci/system
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/coverage erase
	$(BIN)/python -m pytest -n 2 --dist loadfile
	$(BIN)/python .ci/coverage_gate.py

bench: $(VENV)/.tested catalogs
	$(BIN)/python -m pytest --no-cov -s tests/bench/*.py

faults: $(VENV)/.tested catalogs
	SALA_UPDATE=1 $(BIN)/python -m pytest --no-cov tests/test_faults.py
	@cat docs/faults.md

fuzz: $(VENV)/.tested catalogs
	SALA_FUZZ=300 $(BIN)/python -m pytest --no-cov tests/fuzz/*.py tests/test_told_all.py

# 100,000 records written and paged at once, compared with the truth (some ten minutes).
race: $(VENV)/.tested catalogs
	$(BIN)/python -m tests.bench.exchange race

# After a change of bot/understanding/data/utterances: learns data/heads.npz anew (about ten minutes).
ear: $(VENV)/.tested
	$(BIN)/python -m bot.understanding.learning $(VENV)/ear.npz

catalogs: $(VENV)/.catalogs

$(VENV)/.catalogs: $(PO) $(VENV)/.installed
	@$(BIN)/python .ci/compile_catalogs.py
	@touch $@

$(VENV)/.installed: $(SOURCE)
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv is missing: apt-get install python3-venv"; exit 1; }
	@echo "Installing…"
	@$(PIP) install -c .ci/constraints.txt -e .
	@touch $@

$(VENV)/.tested: $(VENV)/.installed .ci/system
	@sh .ci/system
	@$(PIP) install -c .ci/constraints.txt -e '.[test]'
	@touch $@

$(VENV)/.npm: .ci/package.json $(VENV)/.tested
	@mkdir -p $(VENV)/npm && cp .ci/package.json $(VENV)/npm
	@cd $(VENV)/npm && npm install --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error \
	  && touch ../.npm || echo "npm gave no packages: the tests that need them are skipped and say so."

clean:
	rm -rf $(VENV) dist
