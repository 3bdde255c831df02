# Two commands set everything up: `make run` and `make test`. They need Python 3.11 or newer with its venv module.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TOOLS := $(VENV)/.test-tools
BUNDLE := $(VENV)/.bundle
LOCKED := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-find-links --no-emit-index-url \
	--custom-compile-command "make lock"
# Tests run in so many processes at once, a file at a time; much of their time is waiting for browsers and servers.
PROCESSES ?= 2

.PHONY: run headless test coverage texts lint bench build clean load size faults fuzz mutations lock audit sbom release

run: $(BUNDLE)  ## a sample organisation on this machine, and what to open
	$(BIN)/ballot demo

headless: $(INSTALLED)  ## the same annual general meeting from roll to verified result, without a browser
	$(BIN)/ballot demo --headless

build: $(BUNDLE)  ## the environment, and the booth's script

test: $(BUNDLE) $(TOOLS)  ## everything that this machine can run; says what it skips
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

coverage: $(BUNDLE) $(TOOLS)
	$(BIN)/coverage run -m pytest $(PYTEST_ARGS)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

lint: $(TOOLS)
	$(BIN)/ruff check .
	$(BIN)/mypy

texts: $(INSTALLED)  ## brings the catalogues of other languages up to date with the sources
	$(BIN)/python -m ballot.language

bench: $(BUNDLE) $(TOOLS)  ## speed, beside Belenios's own tool
	$(BIN)/python -m bench

load: $(BUNDLE) $(TOOLS)  ## the running service under load, on SQLite and PostgreSQL; LOAD_ARGS=--short takes two minutes
	$(BIN)/python -m bench.load $(LOAD_ARGS)

size: $(BUNDLE) $(TOOLS)  ## what an election of 1,000 to 100,000 ballots costs; SIZE_ARGS="--ballots 1000 5000" for less
	$(BIN)/python -m bench.size $(SIZE_ARGS)

fuzz: $(BUNDLE) $(TOOLS)  ## every reader under a coverage-guided fuzzer, ten minutes each (FUZZ_ARGS="csv --seconds 60")
	$(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

mutations: $(BUNDLE) $(TOOLS)  ## each refusal of the verifier taken out in turn: which hostile archive misses it, and the score
	$(BIN)/python -m tests.verifier.test_mutations

faults: $(BUNDLE) $(TOOLS)  ## kills, power cuts, full disks at their full counts; goes on where it stopped (FAULTS_ARGS="--only R1 --rounds 50")
	$(BIN)/python -m tests.faults $(FAULTS_ARGS)

lock:  ## the newest versions that pyproject.toml allows, with the hashes of their files; needs uv
	uv pip compile $(LOCKED) --extra postgresql --extra build --extra host pyproject.toml .ci/lock/build.in -o .ci/lock/service.txt
	uv pip compile $(LOCKED) --all-extras pyproject.toml .ci/lock/build.in .ci/lock/test.in -c .ci/lock/service.txt -o .ci/lock/test.txt

audit: $(TOOLS)  ## known vulnerabilities in what is locked; 3 means that the question could not be answered in full
	$(BIN)/python .ci/audit.py $(AUDIT_ARGS)

sbom: $(INSTALLED)  ## the software bill of materials, CycloneDX
	@mkdir -p build
	$(BIN)/python .ci/sbom.py > build/ballot.cdx.json
	@echo build/ballot.cdx.json

release: $(BUNDLE)  ## list the scripts that this release serves (.ci/RELEASING.md has the other steps)
	$(BIN)/python -m ballot.web.build --force --release

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis node_modules ballot/web/static/dist

# Nothing is installed but what the lock files name, each file compared with its hash.
$(INSTALLED): pyproject.toml .ci/lock/service.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed (Debian: apt-get install python3 python3-venv)."; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is older."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .ci/lock/service.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(TOOLS): $(INSTALLED) .ci/lock/test.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .ci/lock/test.txt
	@touch $@

$(BUNDLE): $(INSTALLED) package.json package-lock.json ballot/web/build.py $(filter-out ballot/web/static/dist/%,$(wildcard ballot/web/static/*/*.js))
	$(BIN)/python -m ballot.web.build
	@touch $@
