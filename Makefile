PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
TESTS := .venv/.tests
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
# The same pins and hashes by uv where there is one: a third of the time.
ifneq ($(shell command -v uv),)
VENV := uv venv --quiet --seed --allow-existing --python $(PYTHON)
INSTALL := uv pip install --quiet --python $(BIN)/python
else
VENV := $(PYTHON) -m venv
INSTALL := $(PIP)
endif
PINNED := --no-deps --require-hashes -r
LOWEST := _build/lowest
# A file's tests stay together, since they share what they have trained or built. There are more
# processes than most machines' two cores: browsers and locks leave some waiting now and then.
PYTEST := OMP_NUM_THREADS=1 GENCOMP_BUILD=1 $(BIN)/pytest --numprocesses 4 \
	--dist loadfile --no-loadscope-reorder
# Without an NVIDIA driver, PyTorch's CPU build: the common one brings gigabytes of CUDA.
TORCH_INDEX := $(shell [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null 2>&1 \
	&& echo --no-deps --retries 0 --extra-index-url https://download.pytorch.org/whl/cpu)

# Whether an environment can be made at all, in one sentence, by whatever Python there is.
define CHECK_PYTHON
import sys
if sys.version_info < (3, 11):
    sys.exit("$(PYTHON) is Python %d.%d, and the book needs 3.11 or later: install one and type, "
             "for example, make book PYTHON=python3.12" % sys.version_info[:2])
import platform
if (sys.platform, platform.machine()) == ("darwin", "x86_64"):
    sys.exit("PyTorch is no longer made for Intel Macs, nor for a Python that was: open the chapters "
             "in Colab or Binder, or on an Apple processor take a Python for arm64")
try:
    import ensurepip, venv
except ImportError:
    sys.exit("$(PYTHON) can make no environment, for want of its venv module: on Debian and Ubuntu "
             "type sudo apt-get install python%d.%d-venv" % sys.version_info[:2])
endef
export CHECK_PYTHON

.PHONY: help book pdf lint check test lowest browser train bench mutants serve lab address links pins clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

book: $(READY)  ## build the book into _build/html
	$(BIN)/python tools/book.py

pdf: book browser  ## print the book into _build/gencomp-book.pdf; less the solutions: make pdf SOLUTIONS=no
	$(BIN)/python tools/pdf.py $(if $(filter no,$(SOLUTIONS)),--without-solutions)

check: lint  ## lint, types, unit tests, ledger, dialect: a few minutes
	$(PYTEST) -m "not slow"

test: lint browser  ## everything: the book built, opened in a browser, run as in Colab and Binder
	$(PYTEST)

lowest:  ## unit tests with the lowest version of each dependency: 7 GB with a GPU's libraries
	@mkdir -p _build && $(PYTHON) tools/lowest.py > $(LOWEST).txt
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check $(TORCH_INDEX) \
		$$(grep ^torch== $(LOWEST).txt)
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check --constraint $(LOWEST).txt \
		--editable ".[book,test]"
	@# Old versions call what younger ones among their own dependencies deprecate.
	GENCOMP_BUILD=1 $(LOWEST)/bin/pytest -m "not slow and not pinned" -W default --disable-warnings

browser: $(TESTS)
	@$(BIN)/python tools/browser.py

lint: $(TESTS)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/zizmor --offline --quiet --min-severity medium .github
	@if command -v actionlint >/dev/null; then actionlint; else echo "actionlint isn't installed here: it runs on GitHub."; fi

train: $(if $(DASK),$(TESTS),$(READY))  ## record the runs that ship with the book and are missing; for an hour: make train MINUTES=60
	$(BIN)/python tools/train.py $(if $(MINUTES),--minutes $(MINUTES)) $(if $(DASK),--dask $(DASK))

bench: browser  ## time the training loops beside plain ones, in turns, and frames of live figures: three minutes
	$(BIN)/python tools/bench.py
	@$(BIN)/python tools/frames.py

mutants: $(TESTS)  ## change the package in small ways, and list what no test notices: an hour or two
	OMP_NUM_THREADS=1 $(BIN)/python tools/mutants.py

serve: $(READY)  ## serve the built book at http://127.0.0.1:8000, or another: make serve PORT=8001
	@$(BIN)/python tools/serve.py $(PORT)

lab: $(READY)  ## open the chapters in JupyterLab
	$(BIN)/jupyter lab $$([ "$$(id -u)" != 0 ] || echo --allow-root) book

address:  ## write the repository's address everywhere: make address URL=https://github.com/ORG/REPO
	@$(PYTHON) tools/address.py $(URL) $(if $(EDITION),--edition $(EDITION))

links: $(READY)  ## ask whether what the built pages lead to outside is still there
	$(BIN)/python tools/links.py

pins:  ## resolve the pins anew for pyproject.toml; to raise them all: make pins UPGRADE=1
	$(PYTHON) tools/pins.py $(if $(UPGRADE),--upgrade)

clean:  ## remove what was built; the environment in .venv stays
	rm -rf _build test-report

$(READY): requirements.txt requirements-torch.txt pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { echo "There is no $(PYTHON) here: install Python 3.11" \
		"or later, or name yours, for example: make book PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c "$$CHECK_PYTHON"
	@test "$$(cat $@ 2>/dev/null)" = "$$($(PYTHON) -V)" || rm -rf .venv
	@echo "Making the environment in .venv: a minute or two, 1.6 GB."
	@{ $(VENV) .venv \
		&& $(PIP) $(TORCH_INDEX) -r requirements-torch.txt \
		&& $(INSTALL) $(PINNED) requirements.txt \
		&& $(INSTALL) --no-deps --no-build-isolation -e .; \
	} || { test -e $@ || rm -rf .venv; exit 1; }
	@$(PYTHON) -V > $@

$(TESTS): $(READY) requirements-test.txt
	@echo "Adding what the tests need: half a minute, 0.4 GB."
	@$(INSTALL) $(PINNED) requirements-test.txt
	@touch $@
