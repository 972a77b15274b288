# One environment, .venv, in the clone; a target that is up to date costs nothing.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
SERVER := .venv-server
STAMP := $(VENV)/.installed
KERNELS := $(VENV)/.kernels

.PHONY: setup setup-server run demo test lint bench soak mutation docs image clean
.DEFAULT_GOAL := run

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not on PATH: NetOps needs Python 3.11 (make PYTHON=/path/to/python3.11)" >&2; exit 1; }
	@echo "making the environment in $(VENV) (once, about two minutes)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q uv
	@echo libclang > $(VENV)/without.txt  # TensorFlow's, for building operators
	@$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python -c constraints.txt --excludes $(VENV)/without.txt -e '.[dev]'
	@sh deploy/image/trim.sh $(VENV)
	@$(BIN)/python -m compileall -q netops components pipeline tests tools
	@$(BIN)/python -m tools.compile_kernels
	@touch $@ $(KERNELS)

setup: $(STAMP)

$(KERNELS): $(STAMP) $(shell grep -rl --include='*.py' netops.kernels netops)
	@$(BIN)/python -m tools.compile_kernels
	@touch $@

# Server, dashboard, scheduler and client alone, without training.
setup-server: pyproject.toml constraints.txt
	@$(PYTHON) -m venv $(SERVER)
	@$(SERVER)/bin/pip install -q uv
	@$(PYTHON) -c 'import tomllib; i = tomllib.load(open("pyproject.toml", "rb"))["tool"]["netops"]["images"]; \
	  print(*i["without"], *i["serve-without"], sep="\n")' > $(SERVER)/without.txt
	@$(SERVER)/bin/uv pip install -q --compile-bytecode --python $(SERVER)/bin/python -c constraints.txt \
	  --excludes $(SERVER)/without.txt -e .
	@sh deploy/image/trim.sh $(SERVER)

run: setup
	@$(BIN)/netops run

demo: setup
	@$(BIN)/netops dashboard --demo

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# Lint and types run beside the tests, whose processes wait now and then; their output follows at the end. Bytecode is
# written also where the environment forbids it: without, each process compiles and rewrites every file of tests again.
# Kernels that were edited are compiled before: each process would compile them at the same time. The plugin of
# schemathesis, which the one test with it does not use, takes half a second of each process.
test: export PYTHONDONTWRITEBYTECODE =
test: setup $(KERNELS)
	@log=$$(mktemp); $(MAKE) lint >$$log 2>&1 & lint=$$!; \
	  $(BIN)/pytest -p no:schemathesis -n 3 --dist loadfile --no-loadscope-reorder -m 'not soak and not timing'; tests=$$?; \
	  wait $$lint; lint=$$?; cat $$log; rm $$log; exit $$((lint || tests))
	@$(BIN)/pytest -p no:schemathesis -m 'timing and not soak' $$(grep -rl --include='test_*.py' mark.timing tests)

bench: setup
	@$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[dev,bench]'
	@$(BIN)/python -m benchmarks

soak: setup
	@$(BIN)/pytest -m soak -o addopts=""

mutation: setup
	@$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[dev,mutation]'
	@$(BIN)/python -m tests.mutation

docs: setup
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q
	@echo "build/docs/index.html"

IMAGE ?= netops:0.2.0
SERVE_IMAGE ?= $(IMAGE)-serve
BUILD = docker build --build-arg EXTRAS='$(EXTRAS)' --build-arg EXTRA='$(EXTRA)' --build-arg GPU='$(GPU)'
image:
	@$(BUILD) --target stages --tag $(IMAGE) .
	@$(BUILD) --target serve --tag $(SERVE_IMAGE) .

constraints.txt:
	@$(BIN)/uv pip compile -q --no-emit-index-url --no-header --no-annotate --python-version 3.11 --all-extras pyproject.toml -o $@

clean:
	@rm -rf $(VENV)
