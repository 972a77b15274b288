#!/bin/sh
# trim.sh ENVIRONMENT: remove what nothing at run time reads: headers, Arrow's RPC, the packages' own tests (0.5 GB).
set -eu
packages="$(echo "$1"/lib/python3.*/site-packages)"
rm -rf "$packages/tensorflow/include" "$packages/onnx/backend/test" "$packages/pyarrow/include" \
    "$packages"/pyarrow/*flight*
find "$packages" -type d -name tests -prune -exec rm -rf {} +
