# The two commands of the README are `make demo` and `make test`; both set everything up first.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check real bench fuzz grading-doc clean

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vpbench needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

demo: $(READY)
	$(BIN)/vpbench run --study real-critics --output runs/demo
	$(BIN)/vpbench run --nano --task all --critic visualprm,orm,likelihood,self-consistency --output runs/demo
	$(BIN)/vpbench run --nano --task visualprocessbench --critic visualprm --threshold 0.5 --output runs/demo
	$(BIN)/vpbench leaderboard --output runs/demo --site leaderboard/demo

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadscope

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

real: $(READY)
	$(BIN)/python scripts/real/make.py

bench: $(READY)
	for script in benchmarks/*.py; do OMP_NUM_THREADS=1 $(BIN)/python $$script || exit 1; done

fuzz: $(READY)
	HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest tests/test_fuzz.py tests/test_paraphrase.py

grading-doc: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python scripts/grading_doc.py $${VPBENCH_SHARED:-../shared}/conformance

clean:
	rm -rf $(VENV) runs/demo leaderboard/demo
