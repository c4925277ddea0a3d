# The commands of this project. CI calls only these.

GO       ?= go
BIN      := bin/sluice
TOOLS    := $(CURDIR)/.tools
# Two test processes at a time: the tests measure time and start servers.
TESTFLAGS ?= -p 2
FUZZTIME ?= 20s
# Kills of make kill.
ROUNDS   ?= 200
# The module of the third-party clients.
CLIENTS  := test/clients
# The module of other Avro libraries.
LIBRARIES := test/avrolibs

GOTESTSUM_VERSION := v1.13.0
GOTESTSUM := $(TOOLS)/gotestsum-$(GOTESTSUM_VERSION)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build demo test unit clients libraries kill e2e lint fuzz bench docs tools servers

help: ## list the commands
	@sed -n 's/^\([a-z0-9]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

build: ## build bin/sluice
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o $(BIN) ./cmd/sluice

demo: build ## simulated devices -> MQTT -> log -> S3, in one process; Ctrl-C ends it
	@$(BIN) demo

test: lint tools servers unit clients libraries e2e ## everything: install what is missing, then lint, unit and end-to-end tests

unit: tools servers ## unit tests and fuzz seeds, with the race detector
	$(GOTESTSUM) --format pkgname-and-test-fails -- -race -count=1 -timeout 20m $(TESTFLAGS) $$($(GO) list ./... | grep -v /test/e2e)

clients: tools servers ## third-party Kafka clients, and ten kills of the server under them
	cd $(CLIENTS) && $(GOTESTSUM) --format pkgname-and-test-fails -- -race -count=1 -timeout 20m $(TESTFLAGS) ./...

libraries: tools ## other Avro libraries read and write what the converter does
	cd $(LIBRARIES) && $(GOTESTSUM) --format pkgname-and-test-fails -- -count=1 -timeout 10m $(TESTFLAGS) ./...

kill: build ## kill -9 the server ROUNDS (200) times under load and compare its log, schemas, tables and S3 objects with what clients saw
	cd $(CLIENTS) && SLUICE_KILL_ROUNDS=$(ROUNDS) SLUICE_KILL_BINARY=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 0 -v ./kill
	cd $(CLIENTS) && SLUICE_REGISTRY_KILL_ROUNDS=$(ROUNDS) SLUICE_KILL_BINARY=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 0 -v -run Kill ./registry
	SLUICE_POSTGRES_KILL_ROUNDS=$(ROUNDS) SLUICE_KILL_BINARY=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 0 -v ./test/pgkill
	SLUICE_KILL_ROUNDS=$(ROUNDS) SLUICE_KILL_BINARY=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 0 -v ./test/s3kill

e2e: tools servers ## the real binary with Mosquitto and S3 servers
	$(GOTESTSUM) --format testname -- -count=1 -timeout 10m ./test/e2e

lint: ## formatting, go vet, go.mod and the rules of internal/lint
	@unformatted=$$(gofmt -l $$($(GO) list -f '{{.Dir}}' ./...) $(CLIENTS) $(LIBRARIES)); test -z "$$unformatted" || { echo "gofmt these: $$unformatted"; exit 1; }
	$(GO) vet $(TESTFLAGS) ./...
	cd $(CLIENTS) && $(GO) vet $(TESTFLAGS) ./...
	cd $(LIBRARIES) && $(GO) vet $(TESTFLAGS) ./...
	$(GO) mod tidy -diff
	cd $(CLIENTS) && $(GO) mod tidy -diff
	cd $(LIBRARIES) && $(GO) mod tidy -diff
	$(GO) test -count=1 ./internal/lint

fuzz: ## run every fuzz test for FUZZTIME (20s)
	@set -e; for file in $$(grep -rlE --include='*_test.go' '^func Fuzz' --exclude-dir='.*' * ); do \
	  dir=$$(dirname $$file); \
	  for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$file); do \
	    echo "== $$dir $$name"; $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) ./$$dir; \
	  done; done

bench: build ## measure the binary against the limits of this machine
	$(GO) run ./bench -sluice $(BIN)

docs: ## write docs/connectors.md, transforms.md, options.md and converters.md from the definitions
	$(GO) run ./internal/docgen > docs/connectors.md.new
	@mv docs/connectors.md.new docs/connectors.md
	$(GO) run ./internal/docgen transforms > docs/transforms.md.new
	@mv docs/transforms.md.new docs/transforms.md
	$(GO) run ./internal/docgen options > docs/options.md.new
	@mv docs/options.md.new docs/options.md
	$(GO) run ./internal/docgen converters > docs/converters.md.new
	@mv docs/converters.md.new docs/converters.md

tools: $(GOTESTSUM)

$(GOTESTSUM):
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) $(GO) install gotest.tools/gotestsum@$(GOTESTSUM_VERSION)
	@mv $(TOOLS)/gotestsum $@

# What the tests run against: an MQTT broker, two S3 servers, clients.
servers:
	@./test/install-servers.sh
