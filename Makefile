# Every target sets up what it needs in .venv, from a bare Python 3.11+ and a package index.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
APP    := $(VENV)/.app
DEMO   := $(VENV)/.demo
DEV    := $(VENV)/.dev
SHORTENED := $(addprefix tests/, connectors/test_msproject_hostile.py connectors/test_msproject_tables_hostile.py \
	sync/test_migrations.py sync/test_digest_chat.py system/test_jira_kill.py)

.PHONY: run demo test soak check format bench bench-small screenshots clean

run: $(APP)
	@$(BIN)/python examples/run.py

# Its tools stay up until Ctrl-C; `make demo` again goes on with it.
demo: $(DEMO)
	@$(BIN)/unstuck demo

# More workers than cores: tests wait for servers and disks more than they compute. `bench-small` tests the benchmarks.
test: $(DEV)
	$(BIN)/pytest -n 4 --dist worksteal --ignore tests/system/test_bench.py

# What is shortened in `test`, at its full length: docs/reliability.md. About three quarters of an hour.
soak: $(DEV)
	UNSTUCK_SOAK=1 $(BIN)/pytest -n 0 --log-cli-level=info tests/system/test_machine.py tests/system/test_kill.py
	UNSTUCK_SOAK=1 $(BIN)/pytest -n auto $(SHORTENED)
	UNSTUCK_SOAK=1 $(BIN)/pytest -n auto tests/system/test_breaks.py

check: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/unstuck --config examples/config.toml rules check rules/builtin
	$(BIN)/unstuck --config examples/config.toml rules test rules/builtin --edges

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@missed=0; for script in $(filter-out bench/tables.py bench/claims.py bench/duck.py,$(wildcard bench/*.py)); do echo "$$script"; $(BIN)/python $$script || missed=1; done; exit $$missed

# The small form of each, with everything that they compare with: whether they still work.
bench-small: $(DEV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/pytest -n auto tests/system/test_bench.py

# What docs/images shows: the example's report, in Debian's chromium.
screenshots: $(DEV)
	@$(BIN)/python docs/screenshots.py

clean:
	rm -rf $(VENV) build dist examples/out examples/inbox/labelled

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "unstuck needs Python 3.11 or newer; name one with make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV)

$(APP): pyproject.toml | $(BIN)/python
	@echo "Installing unstuck into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEMO): pyproject.toml | $(BIN)/python
	@echo "Installing unstuck into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $(APP) $@

$(DEV): pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(APP) $(DEMO) $@
