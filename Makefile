# What a person, CI and the fresh-machine proof call. Each target installs or names what it lacks (.ci/need).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help need test quick mutants-isolation demo bench fmt-check clippy docs deny one-provider build foreign tests

# $(call step,what,command): says what runs and how long it took.
define step
@printf '\n== %s\n' '$(1)'; began=$$SECONDS; $(2); printf '== %s: %d s\n' '$(1)' "$$((SECONDS - began))"
endef

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

need: ## install (as root on Debian) or name what the build and the tests need
	@.ci/need

test: need fmt-check clippy docs deny one-provider build tests ## everything CI checks

quick: need foreign fmt-check clippy ## format, lints and the unit tests of the libraries, under 2 minutes when warm
	$(call step,unit tests,cargo test --quiet --locked --workspace --lib)

fmt-check:
	$(call step,format,cargo fmt --all --check)

clippy:
	$(call step,lints,cargo clippy --quiet --locked --workspace --all-targets -- -D warnings)

docs:
	$(call step,documentation,RUSTDOCFLAGS='-D warnings' cargo doc --quiet --locked --workspace --no-deps)

deny:
	$(call step,licences and bans and sources,.ci/deny)

one-provider:
	$(call step,one TLS provider,.ci/one-provider)

# One build of everything: the tests call the real binaries and must not build them a second time.
build:
	$(call step,build,cargo build --quiet --locked --workspace --all-targets)

# What nobody here wrote and tests compare with: a decoder of ESC/POS, a reader of QR codes, a mail server. Made once.
foreign:
	$(call step,foreign parts,.ci/foreign)

# A test that stands still is a failure that names itself (cargo says which has been running for over a minute).
tests: foreign
	$(call step,tests,timeout --verbose 1500 cargo test --quiet --locked --workspace --no-fail-fast)
	@cat target/tmp/isolation/* | awk '{ cases += $$1 } END { printf "\n==> isolation: %d distinct cases, none open <==\n", cases }'

mutants-isolation: need ## every row-level policy and every permission check disabled one by one: each must turn the suite red
	$(call step,mutants,TILLWAY_ALL_MUTANTS=1 timeout --verbose 900 cargo test --locked -p tillway-tests --test isolation -- --nocapture what_is_not_ours no_verb)

demo: need ## head office, two shops and their lanes on this machine, until Ctrl-C or DEMO_SECONDS
	$(call step,build,cargo build --locked --workspace --bins)
	@exec target/debug/demo

# One selection, so that dependencies are optimised once. Head office and replay beside the agent need no optimising.
BENCHES := -p edge-agent -p control-plane --bench ledger --bench close --bench mqtt --bench print --bench agent --bench ingest --bench pages --bench rights --bench api

bench: need ## the figures of BENCHMARKS.md, each against its limit; target/bench holds them as JSON
	$(call step,programs beside the benches,cargo build --quiet --locked --workspace --bins)
	$(call step,build,cargo bench --quiet --locked $(BENCHES) --no-run)
	$(call step,benchmarks,cargo bench --quiet --locked $(BENCHES))
