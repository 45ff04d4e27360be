# Copyright (c) 2026, bulwark.docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

PYTHON ?= python3
HOST ?= debian13-machine
CMD ?=

HOSTS := $(PYTHON) tests/hosts/hosts.py
RUN := $(PYTHON) tests/run/run.py
PREPARE := @tests/run/bootstrap.sh $(PYTHON)

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-fast report lint unit contract ansible-lint sanity docs-lint artefact molecule host host-ssh host-down images clean

help: ## Show this list
	@sed -n 's/^\([a-z -]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS="|" read -r name text; do printf "  %-20s %s\n" "$$name" "$$text"; done

venv: ## Make the pinned Python environments under .venv/
	$(PREPARE)
	@$(PYTHON) tests/run/environments.py --second

demo: ## Boot a disposable Docker host, harden it and show what changed
	$(PREPARE)
	@$(RUN) demo

test: ## Run everything: static checks, unit and contract tests, sanity, all Molecule scenarios
	$(PREPARE) shellcheck chromedriver=chromium-driver
	@$(RUN) test

test-fast: ## The same without virtual machines and without the long corpus
	$(PREPARE) shellcheck chromedriver=chromium-driver
	@$(RUN) test-fast

lint unit contract ansible-lint sanity docs-lint artefact: ## One layer of the tests
	$(PREPARE) shellcheck
	@$(RUN) $@

report: ## The page of the report in a real browser without a window
	$(PREPARE) chromedriver=chromium-driver
	@$(RUN) $@

molecule: ## One Molecule scenario: make molecule SCENARIO=default
	$(PREPARE)
	@$(RUN) molecule $(SCENARIO)

host: ## Boot one disposable host to play with: make host HOST=debian12-container
	$(PREPARE)
	@$(HOSTS) deps
	@$(HOSTS) image $(HOST)
	@$(HOSTS) up $(HOST)

host-ssh: ## Log in to it, or run CMD there: make host-ssh HOST=… CMD='docker info'
	@$(HOSTS) ssh $(HOST) $(CMD)

host-down: ## Take it down and forget its disk
	@$(HOSTS) down $(HOST)

images: ## Build the images of all test hosts ahead of time
	$(PREPARE)
	@$(HOSTS) deps
	@$(HOSTS) image debian12-container debian13-container testing-container debian12-machine debian13-machine testing-machine

clean: ## Take all hosts down and remove what the targets above made in this directory
	@$(HOSTS) down --all
	rm -rf .venv .cache build tests/output
