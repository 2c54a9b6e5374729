# Every target makes .venv by itself. Only Python >= 3.11, git and make are needed.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Chapters run side by side: threads of BLAS would only wait for each other.
export OPENBLAS_NUM_THREADS = 1
# What pip leaves uncompiled is compiled when it is first imported, and kept.
unexport PYTHONDONTWRITEBYTECODE
COMPILE = -q --upgrade --universal --python-version 3.11 --no-header --no-annotate

# An older processor, whose sums and functions are rounded otherwise; its instructions are among those of every x86-64.
ifeq ($(shell uname -m),x86_64)
OLDER := OPENBLAS_CORETYPE=Nehalem NPY_DISABLE_CPU_FEATURES=X86_V3,X86_V4,AVX512_ICL,AVX512_SPR
endif
NBVAL = pytest -q --nbval $$($(BIN)/python -m extensions.toc .) --nbval-cell-timeout=300 -n 2 --dist loadscope

.PHONY: book test serve lab rerun new check bench lint clean requirements

book: .venv/ready  ## execute what changed, build _build/html
	$(BIN)/python -m extensions.build

test: .venv/ready  ## run every test; REQUIRE_BROWSER=1 makes a missing browser a failure
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m $(NBVAL) -p extensions.validated
	$(if $(OLDER),$(OLDER) $(BIN)/python -m $(NBVAL))
	$(BIN)/python -m extensions.build
	$(BIN)/pytest -q tests kexue_core -n 2 --dist loadgroup --durations=20

serve: book  ## read the book at http://localhost:8000
	$(BIN)/python -m http.server 8000 --bind localhost --directory _build/html

lab: .venv/ready  ## edit the chapters
	$(BIN)/jupyter lab chapters

rerun: .venv/ready  ## re-execute chapters and store normalised outputs: make rerun [CHAPTERS="rope_base …"]
	$(BIN)/python -m extensions.rerun $(CHAPTERS)

new: .venv/ready  ## begin a chapter from the template: make new CHAPTER=slug
	$(BIN)/python -m extensions.new $(CHAPTER)

check: .venv/ready  ## form, run and stored outputs of one chapter, a line for each problem: make check CHAPTER=slug
	$(BIN)/python -m extensions.check $(CHAPTER)

bench: .venv/ready  ## measure speed, as ratios
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

requirements: .venv/ready  ## compile the two .in files anew; then run the tests
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile $(COMPILE) requirements.in -o requirements.txt
	$(BIN)/uv pip compile $(COMPILE) requirements-dev.in -c requirements.txt -o requirements-dev.txt
	grep -vxFf requirements.txt requirements-dev.txt > requirements-dev.new && mv requirements-dev.new requirements-dev.txt
	echo "-e ." >> requirements.txt

clean:
	rm -rf _build .venv .pytest_cache .ruff_cache *.egg-info

# The stamp is written last: an interrupted installation starts again.
.venv/ready: requirements.txt requirements-dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --no-compile -r requirements.txt -r requirements-dev.txt
	touch $@
