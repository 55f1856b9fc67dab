# Everything a developer does here; `make` alone lists it. CI runs the same
# targets: .ci/run installs what the tests need and calls `make check test`.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

module  := github.com/lambhq/lamb
version := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
ldflags := -s -w -X $(module)/internal/cli.version=$(version)

# What is tested is what is shipped: static, without cgo.
export CGO_ENABLED := 0

# Tools have a module of their own, so that what they need never becomes lamb's.
staticcheck := go tool -modfile=tools/go.mod staticcheck

# Packages in which goroutines meet: their tests also run under the race
# detector, which is the only thing here that needs a C compiler.
race := $(addsuffix /...,$(addprefix ./internal/, \
	catalog control envapi execenv invoke launcher pool sandbox store \
	telemetry wire) ./lambda ./extension ./lambdatest)
cc := $(shell command -v $${CC:-gcc} || command -v clang || command -v cc)

.PHONY: help
help: ## Show this list
	@echo "lamb $(version)"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/lamb, one static binary
	go build -trimpath -ldflags "$(ldflags)" -o bin/lamb ./cmd/lamb

.PHONY: run
run: build ## First light: start lamb, deploy and call three functions, stay up
	@go build -trimpath -o bin/firstlight ./examples/firstlight
	@exec bin/firstlight

# The end-to-end tests run on the sandbox that lamb chooses and on process, with
# lamb as root and as an ordinary user, and those in which much happens at once
# with a lamb that looks for races. -count=1: what they find installed (Python, the
# AWS CLI) is not part of the cache's key.
e2e := go test -count=1 ./internal/e2e
e2e_race := -run '^Test(Parallel|Throttling|Noise|Crash|LayersSurviveCrashes|Drain.*|Reset|FunctionCalls)$$'

.PHONY: test
test: test-race test-e2e ## Run all tests; concurrent packages also with -race, end to end on both sandboxes
	go test $$(go list ./... | grep -v /internal/e2e$$)

.PHONY: test-e2e
test-e2e:
	$(e2e)
	LAMB_TEST_SANDBOX=process $(e2e)
ifeq ($(shell id -u),0)
	LAMB_TEST_USER=nobody $(e2e)
	LAMB_TEST_USER=nobody LAMB_TEST_SANDBOX=process $(e2e)
endif
ifneq ($(cc),)
	LAMB_TEST_RACE=1 $(e2e) $(e2e_race)
	LAMB_TEST_RACE=1 LAMB_TEST_SANDBOX=process $(e2e) $(e2e_race)
endif

.PHONY: test-race
test-race:
ifeq ($(cc),)
	@echo "No C compiler here: leaving out the tests under the race detector."
else
	CGO_ENABLED=1 go test -race $(race)
endif

.PHONY: check
check: format vet lint generated tidy rules ## Check format, vet, staticcheck, generated code, go.mod, import rules

.PHONY: format
format:
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then \
		echo "Not formatted; run gofmt -w on:"; echo "$$files"; exit 1; fi

.PHONY: vet
vet:
	go vet ./...
	GOOS=darwin go vet ./...

.PHONY: lint
lint:
	$(staticcheck) ./...

.PHONY: generated
generated:
	go run ./internal/api/apigen -check

# Nothing may be left that `go mod tidy` would change. It runs with -e, because
# some module proxies refuse github.com/google/pprof: only the tests of a
# dependency want it, and all that it could add here is its own checksum.
.PHONY: tidy
tidy:
	@changes=$$(go mod tidy -e -diff 2>/dev/null | grep -E '^[-+]' \
		| grep -vE '^(---|\+\+\+) |^\+github\.com/google/pprof '); \
	if [ -n "$$changes" ]; then \
		echo "go.mod is not tidy; go mod tidy -e would make this of it:"; echo "$$changes"; exit 1; fi

# -count=1: the go command that these tests ask is not part of the cache's key.
.PHONY: rules
rules:
	go test -count=1 ./internal/rules

# How it runs can be said: make bench BENCH='-sandbox process -rows ^cold'.
.PHONY: bench
bench: ## Measure lamb next to its floors (docs/benchmarks.md); BENCH=-h lists flags
	@go run ./bench $(BENCH)

.PHONY: microbench
microbench: ## Run the Go benchmarks of single packages
	@packages=$$(grep -rlE '^func Benchmark' --include='*_test.go' . | xargs -n1 dirname | sort -u); \
	go test -run '^$$' -bench . -benchmem $$packages

.PHONY: clean
clean: ## Remove what make has built
	rm -rf bin
