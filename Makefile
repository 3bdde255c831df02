# Two commands set everything up: `make run` and `make test`. They need Python 3.11 or newer with its venv module.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
BUNDLE := $(VENV)/.bundle

.PHONY: run test bench build lint coverage headless clean

run: $(INSTALLED) $(BUNDLE)  ## a sample organisation on this machine, and what to open
	$(BIN)/ballot demo

headless: $(INSTALLED)  ## the same annual general meeting from roll to verified tally, without a browser
	$(BIN)/ballot demo --headless

test: $(INSTALLED) $(BUNDLE)  ## everything that this machine can run; says what it skips
	$(BIN)/python -m pytest $(PYTEST_ARGS)

bench: $(INSTALLED) $(BUNDLE)  ## speed, beside Belenios's own tool
	$(BIN)/python -m bench

build: $(INSTALLED) $(BUNDLE)  ## the environment and the booth's bundle

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/mypy

coverage: $(INSTALLED) $(BUNDLE)
	$(BIN)/coverage run -m pytest $(PYTEST_ARGS)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis ballot/web/static/dist

$(INSTALLED): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed (Debian: apt-get install python3 python3-venv)."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

$(BUNDLE): $(INSTALLED) $(wildcard ballot/web/booth/*.py ballot/web/static/booth/*.js ballot/web/build.py package.json)
	$(BIN)/python -m ballot.web.build
	@touch $@
