# Every target makes .venv by itself. Only Python >= 3.11, git and make are needed.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Chapters run side by side: threads of BLAS would only wait for each other.
export OPENBLAS_NUM_THREADS = 1

.PHONY: book test serve lab rerun bench lint clean requirements

book: .venv/ready  ## execute what changed, build _build/html
	$(BIN)/python -m extensions.build

test: .venv/ready  ## run every test; REQUIRE_BROWSER=1 makes a missing browser a failure
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m extensions.build
	$(BIN)/pytest -q --nbval chapters --nbval-cell-timeout=120 -n 2 --dist loadscope
	$(BIN)/pytest -q tests kexue_core -n 2 --dist loadgroup --durations=10

serve: book  ## read the book at http://localhost:8000
	$(BIN)/python -m http.server 8000 --bind localhost --directory _build/html

lab: .venv/ready  ## edit the chapters
	$(BIN)/jupyter lab chapters

rerun: .venv/ready  ## re-execute chapters and store normalised outputs: make rerun [CHAPTERS="rope_base …"]
	$(BIN)/python -m extensions.rerun $(CHAPTERS)

bench: .venv/ready  ## measure speed, as ratios
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

requirements: .venv/ready  ## compile requirements.in anew; then run the tests
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --no-header --no-annotate requirements.in -o requirements.txt
	echo "-e ." >> requirements.txt

clean:
	rm -rf _build .venv .pytest_cache .ruff_cache *.egg-info

# The stamp is written last: an interrupted installation starts again.
.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -r requirements.txt
	touch $@
