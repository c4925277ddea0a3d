# The commands of this project. CI calls only these.

GO       ?= go
BIN      := bin/sluice
TOOLS    := $(CURDIR)/.tools
# Three test processes at a time, on two cores: they often wait for servers.
TESTFLAGS ?= -p 3
# What the test binaries do without: debug information takes a third of the time to link
# them, and `make lint` has run go vet.
LEAN     := -ldflags=-w -vet=off
FUZZTIME ?= 20s
# Of the objects of make demo-cdc: parquet or json.
FORMAT   ?= parquet
# Kills of make kill.
ROUNDS   ?= 200
# Packages whose tests take minutes: they start first, so that none of them runs alone at the end.
SLOW     := ./connectors/source/postgres ./test/e2e ./connectors/sink/s3 ./test/conformance/debezium ./test/s3kill ./engine ./log ./connectors/source/mqtt ./schemaregistry/protobuf
# The module of the third-party clients.
CLIENTS  := test/clients
# The module of other Avro libraries.
LIBRARIES := test/avrolibs

GOTESTSUM_VERSION := v1.13.0
GOTESTSUM := $(TOOLS)/gotestsum-$(GOTESTSUM_VERSION)

# How tests run: a few that fail run again, each alone, because a machine that does nothing for
# a while makes a test fail that is right; what passes then is listed. A data race, a panic, a
# hang, a second failure and more than three failures are never forgiven.
JSON      = $(TOOLS)/$@.json
AGAIN     = $(TOOLS)/$@.again
RUN_TESTS = rm -f $(AGAIN); $(GOTESTSUM) --format pkgname-and-test-fails --jsonfile $(JSON) --rerun-fails=1 --rerun-fails-max-failures=3 \
            --rerun-fails-run-root-test --rerun-fails-report=$(AGAIN)
CHECK_RUN = @if grep -q 'WARNING: DATA RACE' $(JSON); then echo "$@: a data race, see above"; exit 1; fi; \
            if [ -s $(AGAIN) ]; then echo "$@: failed at first (runs, failed):"; cat $(AGAIN); fi

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build demo demo-cdc test all unit clients libraries kill e2e lint fuzz bench docs tools servers

help: ## list the commands
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

build: ## build bin/sluice
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o $(BIN) ./cmd/sluice

demo: build ## simulated devices -> MQTT -> log -> S3, in one process; Ctrl-C ends it
	@$(BIN) demo

demo-cdc: build ## a shop on a PostgreSQL server -> change events -> log -> S3 as FORMAT (parquet); Ctrl-C ends it
	@./test/install-servers.sh postgresql
	@$(BIN) demo cdc --format $(FORMAT)

test: lint tools servers all clients libraries ## everything: install what is missing, then lint, and the tests of the three modules

all: tools servers ## unit tests, fuzz seeds and end-to-end tests, with the race detector
	$(RUN_TESTS) --packages "$$($(GO) list $(SLOW) ./... | tr '\n' ' ')" -- -race -count=1 -timeout 40m $(LEAN) $(TESTFLAGS)
	$(CHECK_RUN)

unit: tools servers ## the same without the end-to-end tests
	$(RUN_TESTS) --packages "$$($(GO) list $(SLOW) ./... | grep -v /test/e2e | tr '\n' ' ')" -- -race -count=1 -timeout 40m $(LEAN) $(TESTFLAGS)
	$(CHECK_RUN)

clients: tools servers ## third-party Kafka clients, and ten kills of the server under them
	cd $(CLIENTS) && $(RUN_TESTS) --packages ./... -- -race -count=1 -timeout 40m $(LEAN) $(TESTFLAGS)
	$(CHECK_RUN)

libraries: tools ## other Avro libraries read and write what the converter does
	cd $(LIBRARIES) && $(RUN_TESTS) --packages ./... -- -count=1 -timeout 10m $(LEAN) $(TESTFLAGS)
	$(CHECK_RUN)

kill: build ## kill -9 the server ROUNDS (200) times under load and compare its log, schemas, tables and S3 objects with what clients saw
	cd $(CLIENTS) && SLUICE_KILL_ROUNDS=$(ROUNDS) SLUICE_KILL_BINARY=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 0 -v ./kill
	cd $(CLIENTS) && SLUICE_REGISTRY_KILL_ROUNDS=$(ROUNDS) SLUICE_KILL_BINARY=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 0 -v -run Kill ./registry
	SLUICE_POSTGRES_KILL_ROUNDS=$(ROUNDS) SLUICE_KILL_BINARY=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 0 -v ./test/pgkill
	SLUICE_KILL_ROUNDS=$(ROUNDS) SLUICE_ZOMBIE_ROUNDS=10 SLUICE_TWO_OWNERS_SECONDS=60 SLUICE_STORM_WORKERS=10 SLUICE_STORM_EVENTS=100 SLUICE_STORM_RATE=30000 \
	    SLUICE_KILL_BINARY=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 0 -v ./test/s3kill

e2e: tools servers ## the real binary with Mosquitto and S3 servers
	$(RUN_TESTS) --packages ./test/e2e -- -count=1 -timeout 20m $(LEAN)
	$(CHECK_RUN)

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
	@GO=$(GO) ./test/fuzz.sh $(FUZZTIME)

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
