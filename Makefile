# Two commands do all the set-up: `make demo` runs the main job, `make test` passes the tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test test-lowest lint docs clean

demo: $(VENV)/.installed
	$(BIN)/instyle demo

# A process for each core, with one thread each: with more, they would wait for one another.
test: $(VENV)/.browser
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto

# With the lowest versions that pyproject.toml allows, in an environment of their own.
test-lowest: $(VENV)/.installed
	$(BIN)/uv venv --clear --python $(PYTHON) $(VENV)-lowest
	$(BIN)/uv pip install --python $(VENV)-lowest/bin/python --resolution lowest-direct \
		--editable '.[dev]'
	.ci/browser $(VENV)-lowest/bin/playwright || true
	OMP_NUM_THREADS=1 $(VENV)-lowest/bin/pytest --numprocesses auto

# Style, types, imports between rooms, and the layout of the files.
lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/house.py

# The parts of the docs that are generated; a test fails when they are out of date.
docs: $(VENV)/.installed
	$(BIN)/python docs/reference.py

clean:
	rm -rf $(VENV) $(VENV)-lowest build dist demo

# A browser, for the tests of the studio's page and of the report of a run. Without one, they fail.
$(VENV)/.browser: $(VENV)/.installed
	.ci/browser $(BIN)/playwright && touch $@ || true

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --editable '.[dev]'
	touch $@
