# Each target sets itself up: `make demo` and `make test` are all a new machine needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# One test process a core: threads of libraries inside each would only wait for one another (a third of the time).
ALONE := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS=1

.PHONY: setup demo test bench app pictures clean
setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Python 3.11 to 3.13 is needed: make PYTHON=/path/to/python3.12 setup"; exit 1; }
	@echo "Setting up $(VENV) (one to three minutes the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@

demo: setup
	@$(BIN)/rptdosimetry demo --out demo-output

test: setup
	@$(MAKE) --no-print-directory $(VENV)/.app-ready \
		|| echo "Slicer's libraries cannot be installed here: the tests of the panel say so and are skipped."
	@$(MAKE) --no-print-directory $(VENV)/.dl-ready \
		|| echo "Torch cannot be installed here: the tests of the networks say so and are skipped."
	@$(MAKE) --no-print-directory $(VENV)/.predict-ready \
		|| echo "scikit-learn or mirp cannot be installed here: their tests say so and are skipped."
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(ALONE) $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

bench: setup
	@$(BIN)/python Testing/benchmark/run.py

app: $(VENV)/.app-ready
	@$(BIN)/python Testing/slicer/app.py

# The pictures of the panel in docs/pictures/panel, which a test compares: look at each before you commit it.
pictures: $(VENV)/.app-ready
	@$(BIN)/python Testing/slicer/golden_views.py

# Slicer's libraries and Qt: also make the tests of the panel run, which skip without them.
$(VENV)/.app-ready: $(VENV)/.ready
	@echo "Adding Slicer's libraries and Qt to $(VENV) (about 400 MB, one to three minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[app]'
	@touch $@

# Torch first: what comes after it then takes it as it is.
$(VENV)/.dl-ready: $(VENV)/.ready
	@echo "Adding torch and MONAI to $(VENV) (about 1 GB, one to five minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dl]'
	@touch $@

# For learning the projection of a PET, and its textures.
$(VENV)/.predict-ready: $(VENV)/.ready
	@echo "Adding scikit-learn and mirp to $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[predict]'
	@touch $@

clean:
	rm -rf $(VENV) demo-output
