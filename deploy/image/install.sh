#!/bin/sh
# install.sh serve|stages: the packages of one image into /opt/venv, from the index that pip is configured with.
# EXTRAS, EXTRA and GPU are the build arguments of the Dockerfile.
set -eu
image="$1"
export VIRTUAL_ENV=/opt/venv UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1
UV_DEFAULT_INDEX="${PIP_INDEX_URL:-$(pip config get global.index-url 2>/dev/null || true)}"
export UV_DEFAULT_INDEX
export UV_SYSTEM_CERTS=1  # a base image may trust a company's own index or proxy

python - "$image" > /tmp/without.txt <<'P'
import sys
import tomllib
from pathlib import Path

images = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["netops"]["images"]
print(*images["without"], *(images["serve-without"] if sys.argv[1] == "serve" else []), sep="\n")
P
set -- -r pyproject.toml -c constraints.txt --excludes /tmp/without.txt
for extra in $(echo "${EXTRAS:-}" | tr ',' ' '); do
    set -- "$@" --extra "$extra"
done
for package in ${EXTRA:-}; do
    set -- "$@" "$package"
done

if [ "$image" = serve ]; then
    python -m venv --without-pip "$VIRTUAL_ENV"
else
    python -m venv "$VIRTUAL_ENV"  # with pip: MLRun installs the requirements of a function with it
fi
uv pip install "$@"
if [ "$image" = stages ] && [ -n "${GPU:-}" ]; then
    version="$(sed -n 's/^xgboost-cpu==//p' constraints.txt)"
    uv pip uninstall xgboost-cpu
    uv pip install "xgboost==$version" -c constraints.txt
fi

sh "$(dirname "$0")/trim.sh" "$VIRTUAL_ENV"
