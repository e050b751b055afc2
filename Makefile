# What one does with this project. `make help` lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run dev build dist setup test test-below-a-path simulate io-faults live-data bad-day bench clean
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

# Where cargo builds, whatever says so (CARGO_TARGET_DIR, a cargo configuration, the default).
target = $(shell cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

run: setup ## Install what is missing, build, serve at http://127.0.0.1:3000
	@cargo xtask build --quick
	@exec env LOCKSTEP_SITE_ROOT="$${LOCKSTEP_SITE_ROOT:-$(target)/site-quick}" "$(target)/quick/lockstep" $(ARGS)

build: setup ## Build the server and the browser's half for release, small and fast
	@scripts/release.sh

dist: setup ## Pack what operators download into target/dist: one program with the page inside, and what belongs to it
	@cargo xtask dist

dev: ## Build for development, serve, and rebuild on every change
	@scripts/setup.sh --dev
	@cargo leptos watch

setup: ## Install what the build needs and this machine lacks
	@scripts/setup.sh

test: ## Format, clippy for both targets, all tests, and the browser tests in Chromium
	@scripts/test.sh

test-below-a-path: ## Run the browser tests through nginx below a path, with the release build that is there
	@LOCKSTEP_BEHIND=nginx LOCKSTEP_SITE_ROOT=$$(scripts/site.sh) npx playwright test --config end2end/playwright.config.ts

# How many, and from where on: make simulate SEEDS=1000000 FIRST=10000
SEEDS ?= 100000
FIRST ?= 10000

simulate: ## Try many more seeds of trouble than the tests do: make simulate SEEDS=1000000
	@LOCKSTEP_SEEDS=$(SEEDS) LOCKSTEP_FIRST_SEED=$(FIRST) cargo test --features ssr --test simulation s1_to_s11 -- --nocapture

io-faults: ## Let every call of the real stores to their disk fail once, and look that nothing is lost
	@LOCKSTEP_IO_FAULTS=all cargo test --features ssr --test io_faults s2_s3 -- --nocapture

live-data: ## Compare charts with real servers in trouble, point by point, for 15 minutes
	@LOCKSTEP_LIVE_SECONDS=900 cargo test --features ssr --test data real -- --nocapture

bad-day: ## Give a real server a full disk, a wrong clock, floods and kill -9, and look that all held
	@scripts/bad-day.sh

bench: ## Measure: deliveries, cursors, idle sessions, joins, live figures, page weight, frame times
	@scripts/bench.sh $(ARGS)

clean: ## Remove what was built and installed here; your dashboards in ./data stay
	@cargo clean
	@rm -rf node_modules .venv public/vendor end2end/test-results
