# Needs python3 (3.11 or newer) and nothing else: everything is installed into .venv.
PYTHON ?= python3
INSTALLED := .venv/installed

.PHONY: demo test check

demo: $(INSTALLED)  ## Train women <-> men on built-in portraits, measure the result, write a report.
	.venv/bin/viceversa demo

# Compiled code is kept whatever the caller has set: the tests start many processes, and each would compile all of it.
test: $(INSTALLED)  ## All tests; each process has one thread, so that they do not take it from one another.
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 .venv/bin/pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

check: $(INSTALLED)  ## Style, formatting and types.
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/pyright

# A stamp file, so that nothing is installed again until what is needed changes.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "viceversa needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	@echo "Installing into .venv; the first time takes some minutes."
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[all,dev]"
	@touch $@
