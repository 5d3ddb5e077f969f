# make demo   sets up what is missing and runs four experiments of the video loop
# make test   the whole test suite
SHELL := /bin/bash
CARGO ?= cargo
PYTHON ?= python3
export PATH := $(HOME)/.cargo/bin:$(PATH)

.PHONY: help setup build demo test lint fmt bench patches runaway chaos crash-points disk-full rivals nights endpoint power-cut container memory mutated redteam controls research-bench setup-python bench-data parity bench-train export-check gpu-check
.DEFAULT_GOAL := help

help:
	@printf '%s\n' \
	  'make demo    four experiments of the video loop on a small real data set' \
	  'make test    the whole test suite' \
	  'make lint    formatting and lints' \
	  'make setup   what the others need: libtorch, ffmpeg, crates' \
	  'make bench   figures, with a report in target/reports/bench.json' \
	  'make bench-data   files into batches, beside the Python libraries that make setup-python fetches' \
	  'make bench-train   steps of training beside those of the Python libraries' \
	  'make research-bench   what verdicts, certificates and the optimiser bring where the truth is known' \
	  'make parity  every model beside the same one of the Python libraries' \
	  'make export-check   every model written down in Python, beside itself; exams' \
	  'make gpu-check   every model on a GPU beside the CPU, its steps, and how busy a training keeps it' \
	  'make chaos KILLS=300, make crash-points, make disk-full   attempts to lose a night, in full' \
	  'make nights, make endpoint, make power-cut CUTS=10, make runaway   more of them' \
	  'make rivals RACES=1000   daemons at once, a human on the branch, a ledger that is locked' \
	  'make container   the steps of the container file, in Debian roots' \
	  'make mutated MUTATED=1000   damaged and hostile media files through dfr and its workers' \
	  'make patches   answers in four forms with the faults of the wild, and 100,000 damaged ones' \
	  'make memory  what the daemon has in memory with 10,000 experiments and 1 GiB of output' \
	  'make redteam, make controls   every hostile candidate, sealed in both tiers; what is at chance'

setup:
	@scripts/check_machine.sh
	@$(PYTHON) scripts/setup_libtorch.py
	@$(PYTHON) scripts/setup_ffmpeg.py
	@$(CARGO) fetch --locked --quiet

build: setup
	$(CARGO) build --release --locked -p dfr-daemon -p dfr-tool --bin dfr-daemon --bin dfr

demo: build
	@scripts/demo.sh

test: setup
	@scripts/test.sh

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

fmt:
	$(CARGO) fmt --all

bench: build
	$(CARGO) build --release --locked -p dfr-daemon --bin fake-trainer
	@$(PYTHON) scripts/bench.py

research-bench: build
	@SEEDS=$(or $(SEEDS),300) $(PYTHON) scripts/research_bench.py

setup-python:
	@$(PYTHON) scripts/setup_python.py

bench-data: build setup-python
	$(CARGO) build --release --locked -p dfr-lab --example feed_bench
	@third_party/python/bin/python scripts/bench_data/bench_data.py

parity: setup setup-python
	$(CARGO) build --release --locked -p dfr-lab --example parity
	@third_party/python/bin/python scripts/parity/parity.py $(MODELS)

# Of the whole workspace, as make test is: other sets of packages have other features, and are compiled again.
export-check: setup setup-python
	EXPORT_CHECK=1 $(CARGO) test --workspace --locked --test export --test submission --test gascli \
	  --test real_trainer -- --nocapture --test-threads=1

bench-train: setup setup-python
	$(CARGO) build --release --locked -p dfr-lab --example train_bench
	@third_party/python/bin/python scripts/bench_train/bench_train.py $(MODELS)

gpu-check: setup
	@scripts/gpu_check.sh

runaway:
	RUNAWAY_TIMES=$${RUNAWAY_TIMES:-20} $(CARGO) test --locked -p dfr-daemon --test containment -- --nocapture --test-threads=1

# A dev build: the daemon spends a life waiting for disks, and a release build costs minutes.
CHAOS = $(CARGO) test --quiet --locked -p dfr-daemon --test chaos --

chaos: setup
	@KILLS=$(or $(KILLS),300) $(CHAOS) --nocapture kills::

crash-points: setup
	@CRASH_POINTS=all $(CHAOS) --nocapture crash_points::

disk-full: setup
	@DISK_FULL=all $(CHAOS) --nocapture disk_full::

rivals: setup
	@RACES=$(or $(RACES),1000) $(CHAOS) --nocapture rivals:: held::

nights:
	@NIGHTS=$(or $(NIGHTS),200000) $(CARGO) test --quiet --release --locked -p dfr-daemon --lib -- --nocapture simulation

endpoint:
	@LLM_SEQUENCES=$(or $(LLM_SEQUENCES),10000) $(CARGO) test --quiet --locked -p dfr-daemon --test llm_faults -- --nocapture

mutated: setup
	@MUTATED=$(or $(MUTATED),1000) $(CARGO) test --quiet --locked -p dfr-tool --test mutated -- --nocapture

REDTEAM_TEST = $(CARGO) test --quiet --locked -p dfr-daemon --test redteam -- --nocapture --test-threads=1

redteam: setup
	@REDTEAM=all $(REDTEAM_TEST)

controls: setup
	@REDTEAM=controls $(REDTEAM_TEST) at_chance

patches:
	@PATCH_MUTATIONS=$(or $(MUTATIONS),100000) $(CARGO) test --quiet --release --locked -p dfr-daemon --test patch_corpus -- --nocapture

memory:
	@MEMORY_EXPERIMENTS=10000 MEMORY_FLOOD_MIB=1024 $(CARGO) test --quiet --release --locked -p dfr-daemon --test e2e -- --nocapture memory::

CUTS ?= 10
power-cut:
	$(CARGO) build --locked -p dfr-daemon --example power_cut_writer
	@$(PYTHON) scripts/power_cut.py --cuts $(CUTS) \
	  --writer "$${CARGO_TARGET_DIR:-target}/debug/examples/power_cut_writer"

container:
	@$(PYTHON) scripts/check_container.py
