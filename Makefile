# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

.DEFAULT_GOAL := help
.PHONY: help demo test test-hosts test-page lint molecule docs bench clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-19s %s\n", $$1, $$2}'

demo: ## See the real Codex CLI work in a closed slice: no key, no tokens
	@scripts/demo

test: ## Run every check: lint, sanity, unit, adversary, integration; ONLY=unit runs one
	@scripts/test $(ONLY)

test-hosts: ## Test users, helpers and roles on throw-away hosts, in namespaces and in podman (as root)
	@scripts/test-hosts
	@scripts/molecule

test-page: ## Test the report page in a real Chromium, without a screen
	@scripts/test-page

molecule: ## Only the roles, on Debian 12 and 13 in podman (as root; takes a while)
	@scripts/molecule

lint: ## Run only the static checks
	@scripts/test lint

docs: ## Check the documentation and build it to .cache/docs
	@scripts/docs

bench: ## Compare the speed of the engine with plain commands
	@scripts/bench

clean: ## Remove what make created: .venv, .cache, test output
	@scripts/clean
