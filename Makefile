# Two commands suffice: `make demo` and `make test`. Everything runs in .venv, made here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint types architecture check bench bench-large bench-spark model teacher card \
	soak-serve soak-memory readme docs notebooks clean

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed."; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "The venv module is needed (Debian: apt install python3-venv)."; rm -rf $(VENV); exit 2; }

# `&& touch` only after success: a broken install is tried again
$(VENV)/.installed: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . && touch $@

$(VENV)/.installed-test: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]' && touch $@ $(VENV)/.installed

demo: $(VENV)/.installed ## score the sample inbox
	@mkdir -p demo
	@$(BIN)/customer-nlp score data/sample_inbox.mbox --own-domain brightwell.example --out demo/analysis.jsonl

test: $(VENV)/.installed-test ## all tests
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

architecture: $(VENV)/.installed-test
	$(BIN)/lint-imports

check: lint types architecture test docs ## what CI runs

bench: $(VENV)/.installed-test ## speed, as ratios within one run
	$(BIN)/python benchmarks/bench.py

bench-large: $(VENV)/.installed-test ## 200,000 mails and 1,000,000 messages: rate and peak memory (an hour)
	$(BIN)/python benchmarks/bench_large.py

$(VENV)/.installed-spark: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[spark,test]' && touch $@

bench-spark: $(VENV)/.installed-spark ## Spark with two executors against this machine alone (needs Java)
	$(BIN)/python benchmarks/bench_spark.py

$(VENV)/.installed-train: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train,peers,test]' && touch $@

$(VENV)/.installed-teacher: $(VENV)/.installed-train setup.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[mpnet]' && touch $@

teacher: $(VENV)/.installed-teacher ## judge the texts with a fine-tuned MiniLM and an MPNet (two hours)
	$(BIN)/python -m customer_nlp.training.teacher
	$(BIN)/python -m customer_nlp.training.teacher --encoder mpnet

model: $(VENV)/.installed-train ## retrain the shipped model from the corpus and the teacher's soft labels
	$(BIN)/python -m customer_nlp.training.undertakings
	$(BIN)/python -m customer_nlp.training.build

card: $(VENV)/.installed-train ## write the figures of the shipped model into its card
	$(BIN)/customer-nlp evaluate --peers --card models/en/README.md

soak-serve: $(VENV)/.installed-test ## 5,000 webhooks with a kill -9 in the middle
	CUSTOMER_NLP_SOAK=5000 $(BIN)/python -m pytest tests/test_serve_store.py -k burst -s

soak-memory: $(VENV)/.installed-test ## half an hour of constant load: is the memory of the service flat?
	$(BIN)/python benchmarks/soak_memory.py

readme: $(VENV)/.installed-test ## put the figures of the card and the picture into the README
	$(BIN)/python benchmarks/refresh_readme.py

$(VENV)/.installed-docs: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs,test]' && touch $@

docs: $(VENV)/.installed-docs ## build the site into site/
	$(BIN)/python -m mkdocs build --strict --quiet

notebooks: $(VENV)/.installed-test ## run the notebooks and keep what they show
	$(BIN)/python benchmarks/run_notebooks.py

clean:
	rm -rf $(VENV) demo site build *.egg-info
