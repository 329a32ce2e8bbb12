# headrace: make demo, then make test. Everything it needs goes into .venv and .jars.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CLASSES := .jars/classes.jsa
INSTALL := $(BIN)/pip install --disable-pip-version-check -c conf/constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup demo test long quick law coverage lint bench flink freshness outcomes join sessions patterns enriched apply changes view rules chaos soak notebook reference zip wheel clean

help: ## say what there is to make
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

setup: $(VENV)/demo.ready $(VENV)/spark.ready .jars/ready ## make the virtual environment (1.2 GB) and fetch the jars: what the demo and jobs need

# Java is asked for first: who has none should not wait for pip.
$(VENV)/demo.ready: pyproject.toml conf/constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("headrace needs Python 3.11 or newer, this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m jobs.running.java
	@echo "installing 38 Python packages into $(VENV): 1.2 GB on disk, about 3 minutes the first time"
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e '.[demo]'
	@touch $@

$(VENV)/dev.ready: $(VENV)/demo.ready
	@echo "installing 80 more packages, for tests, lint and notebooks: 0.3 GB, about a minute the first time"
	$(INSTALL) -e '.[demo,notebook,dev]'
	@touch $@

# Without it each process that Spark starts compiles pyspark, for 1.3 CPU-seconds.
$(VENV)/spark.ready: $(VENV)/demo.ready jobs/running/compiled_pyspark.py
	@$(BIN)/python -m jobs.running.compiled_pyspark
	@touch $@

.jars/ready: $(VENV)/demo.ready conf/jars.txt
	@echo "fetching $$(grep -c '^[^#]' conf/jars.txt) jars into .jars: 23 MB"
	$(BIN)/python -m jobs.admin.jars .jars
	@touch $@

# Java keeps what it has parsed of Spark's classes in a file: each later start costs 10 CPU-seconds less.
$(CLASSES): .jars/ready
	@echo "warming up Java, once: half a minute, 0.2 GB in .jars"
	@$(BIN)/python -m jobs.admin.class_archive $@

demo: setup zip $(CLASSES) ## real departures into the log, three results out of it, shown as tables
	@$(BIN)/headrace demo

# Two at a time: a Spark that drains a short log leaves half of a small machine idle; a third costs more than it gains. In
# order: the longest come first.
test: $(VENV)/dev.ready setup zip $(CLASSES) ## every test that is not long, or some: make test TESTS=tests/sketches
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m 'not long' $(TESTS)

long: $(VENV)/dev.ready setup zip $(CLASSES) ## the tests of minutes: killed jobs, full disks and memory, more of the cluster
	$(BIN)/python -m pytest -m long $(TESTS)

law: $(VENV)/dev.ready setup $(CLASSES) ## new random histories that must not change the tables: make law CUTS=25 SEED=7
	@cuts=$(or $(CUTS),25); seed=$(or $(SEED),$$(date +%s)); echo "make law CUTS=$$cuts SEED=$$seed"; \
	CUTS=$$cuts $(BIN)/python -m pytest --hypothesis-seed $$seed --timeout $$((120 * cuts)) -m law tests/jobs tests/cluster/test_random_statements.py

quick: $(VENV)/dev.ready .jars/ready ## the tests that start neither Spark nor a broker
	$(BIN)/python -m pytest -m 'not java and not slow and not long' $(TESTS)

# What Spark runs in processes of its own is not seen; most of it is tested without Spark too.
coverage: $(VENV)/dev.ready setup $(CLASSES) ## lines and branches of the pure rooms that no test of theirs reaches
	$(BIN)/coverage run -m pytest -q tests/sketches tests/jobs/events tests/jobs/facts tests/jobs/decisions tests/jobs/answers
	$(BIN)/coverage report

lint: $(VENV)/dev.ready ## style, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Without Flink the benchmark goes on with the others.
bench: $(VENV)/dev.ready setup $(CLASSES) ## what it costs, beside Flink, plain Structured Streaming, numpy and DuckDB: an hour or two; tests/bench/README.md has its options
	-@$(MAKE) --no-print-directory flink
	$(BIN)/python tests/bench/run.py $(if $(KAFKA),--homes kafka) $(if $(SIZES),--sizes $(SIZES)) $(if $(CONTENDERS),--contenders $(CONTENDERS)) \
		$(if $(REPEAT),--repeat $(REPEAT)) $(if $(COMPRESSION),--compression $(COMPRESSION)) $(if $(BEFORE),--before $(BEFORE)) \
		--report tests/bench/RESULTS.md --csv tests/bench/results.csv

flink: .flink/ready ## Flink for make bench, in an environment of its own, .flink: 0.9 GB

.flink/ready: tests/bench/flink_install.py tests/bench/flink_jars.txt | $(VENV)/demo.ready
	@$(BIN)/python tests/bench/flink_install.py .flink

freshness: $(VENV)/dev.ready setup $(CLASSES) ## how old a record is when it can be seen, 5,000 a second from Kafka; LOG_HOME=archive, SECONDS=1200 for longer, BEFORE=folder for an earlier checkout too
	$(BIN)/python tests/bench/freshness.py --publish "2 seconds" --seconds $(or $(SECONDS),60) $(if $(LOG_HOME),--home $(LOG_HOME)) $(if $(BEFORE),--before $(BEFORE))

BESIDE_PEERS = $(BIN)/python tests/bench/beside_peers.py $@ --records $(or $(RECORDS),2000000) \
	--contenders $(or $(CONTENDERS),headrace spark flink) --repeat $(or $(REPEAT),1)

outcomes: $(VENV)/dev.ready setup $(CLASSES) ## how old an outcome is when it can be read, 5,000 events a second from Kafka, and the time of a restart: SECONDS=, KILLED=1 after a run that was killed
	$(BIN)/python tests/bench/outcome_age.py --seconds $(or $(SECONDS),120) $(if $(KILLED),--killed)

join: $(VENV)/dev.ready setup $(CLASSES) flink ## a join of two topics beside Spark's and Flink's: RECORDS=, CONTENDERS=, REPEAT=
	$(BESIDE_PEERS)

sessions: $(VENV)/dev.ready setup $(CLASSES) flink ## sessions beside Spark's and Flink's, with the same options
	$(BESIDE_PEERS)

patterns: $(VENV)/dev.ready setup $(CLASSES) flink ## a pattern of events beside Spark's and Flink's, with the same options
	$(BESIDE_PEERS)

enriched: CONTENDERS ?= headrace flink
enriched: RECORDS ?= 2500000
enriched: $(VENV)/dev.ready setup $(CLASSES) flink ## events with the version of their time beside Flink's temporal join, with the same options
	$(BESIDE_PEERS)

apply: $(VENV)/dev.ready setup $(CLASSES) ## 100,000 changes onto a table of 1,000,000 rows, beside Spark's MERGE
	$(BIN)/python tests/bench/apply_changes.py

changes: $(VENV)/dev.ready setup $(CLASSES) ## how old a change of a row in PostgreSQL is when it can be read, 1,000 changes a second through Debezium and Kafka: SECONDS=
	$(BIN)/python tests/bench/change_age.py --seconds $(or $(SECONDS),60)

view: $(VENV)/dev.ready ## a timeline of 759,058 follows kept up to date, and computed as a whole
	$(BIN)/python tests/bench/view_timeline.py

rules: $(VENV)/dev.ready ## rules that users store, tried on events, beside a cross join: RULES=100000 EVENTS=1000000
	$(BIN)/python tests/bench/stored_queries.py --rules $(or $(RULES),100000) --events $(or $(EVENTS),1000000)

chaos: $(VENV)/dev.ready setup $(CLASSES) ## kill jobs again and again: make chaos N=100 SEED=7
	$(BIN)/python -m tests.cluster.chaos --kills $(or $(N),100) $(if $(SEED),--seed $(SEED))

soak: $(VENV)/dev.ready setup $(CLASSES) ## a run of many small batches, whose tables and memory must not grow: make soak BATCHES=2000
	$(BIN)/python tests/bench/soak.py --batches $(or $(BATCHES),2000)

notebook: setup ## open the notebooks
	$(INSTALL) -e '.[demo,notebook]' jupyterlab
	$(BIN)/jupyter lab notebooks

reference: $(VENV)/demo.ready ## write docs/reference.md anew, out of the code
	$(BIN)/python -m jobs.admin.reference docs/reference.md

zip: dist/headrace.zip ## what spark-submit ships to executors

dist/headrace.zip: $(VENV)/demo.ready $(shell find jobs schemas sketches -name '*.py')
	@echo "building $@: a few seconds"
	@mkdir -p dist && rm -rf build $@
	@$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps -w build/zip . && mv build/zip/headrace-*.whl $@

wheel: $(VENV)/demo.ready ## the package, for a project of one's own
	@rm -rf build dist/headrace-*.whl
	@$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps -w dist . && ls dist/headrace-*.whl

clean: ## remove what was made, the demo's tables too
	rm -rf $(VENV) .jars .flink dist build data *.egg-info
