#!/usr/bin/env bash
# Files of secrets that other tools share are read as those tools read them: AWS's as botocore does, netrc as curl does.
# Thousands of generated files, and those that people have; the same ones every time.
# prepare: moto-venv
# builds: secret_files_probe
. "$(dirname "$0")/../../script/lib.sh"
venv=$("$PROJECT/script/moto-venv") || { echo "botocore cannot be installed from PyPI"; exit 77; }
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
"$venv/bin/python" "$PROJECT/test/store/secret_files.py" "$BUILD_DIR/unit/secret_files_probe" "$WORK"
