# Thin: sets up .venv with locked versions, then calls the same commands the README names.
PYTHON ?= python3
UV := .uv/bin/uv
READY := .venv/.ready
TWO := -n 2 --dist loadfile --no-loadscope-reorder
UNIT := pytest tests $(TWO)

.PHONY: setup reproduce smoke test test-fast coverage book pdf faults security lint clean

setup: $(READY)

$(UV):
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet "uv==0.13.9"

$(READY): requirements.lock pyproject.toml | $(UV)
	test -x .venv/bin/python || $(UV) venv --python 3.11 .venv
	$(UV) pip sync --compile-bytecode --python .venv/bin/python --require-hashes requirements.lock
	$(UV) pip install --python .venv/bin/python --no-deps -e .
	touch $(READY)

reproduce: setup
	.venv/bin/cmbkit reproduce params/demo.yaml
	.venv/bin/cmbkit reproduce params/demo.yaml --retrain

smoke: setup
	.venv/bin/cmbkit reproduce params/smoke.yaml

test: setup lint
	.venv/bin/$(UNIT)
	.venv/bin/pytest notebooks $(TWO)

test-fast: setup
	.venv/bin/$(UNIT) -m "not slow"

coverage: setup
	.venv/bin/coverage erase
	.venv/bin/coverage run -m $(UNIT) -m "not slow"
	-.venv/bin/coverage combine -q  # tests kill processes, which leave half a file
	.venv/bin/coverage report --skip-covered -m

book: setup
	.venv/bin/python -m sphinx -W --keep-going -j auto -c book . build/book/html

# Twice, for the widths of long tables. Needs LaTeX (Debian: texlive-latex-extra, lmodern).
pdf:
	mkdir -p build
	cd figures/demo && for pass in 1 2; do \
		pdflatex -interaction=batchmode -halt-on-error -output-directory=$(CURDIR)/build all.tex || exit; done

faults: setup
	.venv/bin/python tests/faults/faults.py

# An advisory service that does not answer for a package ends it with a line: AUDIT=osv asks another.
AUDIT ?= pypi
security: | $(UV)
	$(UV) tool run --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements.lock -o sbom.json
	$(UV) tool run pip-audit==2.10.1 --strict -s $(AUDIT) --require-hashes --disable-pip -r requirements.lock

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports
	.venv/bin/mypy

clean:
	rm -rf build sbom.json data/raw data/derivatives figures/smoke figures/retrained figures/reproduction.html
