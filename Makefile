# make demo   sets up what is missing and runs four experiments of the video loop
# make test   the whole test suite
SHELL := /bin/bash
CARGO ?= cargo
PYTHON ?= python3
export PATH := $(HOME)/.cargo/bin:$(PATH)

.PHONY: help setup build demo test lint fmt bench power-cut
.DEFAULT_GOAL := help

help:
	@printf '%s\n' 'make demo    four experiments of the video loop on a small real data set' \
	  'make test    the whole test suite' 'make lint    formatting and lints' \
	  'make bench   figures, with a report in target/reports/bench.json' \
	  'make power-cut CUTS=10   power cuts under the ledger and the repository; needs root' \
  'make setup   what the others need: libtorch, ffmpeg, crates'

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

CUTS ?= 10
power-cut:
	$(CARGO) build --locked -p dfr-daemon --example power_cut_writer
	@$(PYTHON) scripts/power_cut.py --cuts $(CUTS) \
	  --writer "$${CARGO_TARGET_DIR:-target}/debug/examples/power_cut_writer"
