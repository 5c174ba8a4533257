#!/usr/bin/env bash
# The GitHub Action of action.yml: install this revision, check $PATHS, print the findings and write the verdict.
set -euo pipefail
# The current folder holds what is checked, so Python must not import modules from it.
export PYTHONSAFEPATH=1
VENV="$RUNNER_TEMP/generator-check"
"$PYTHON" -m venv "$VENV"
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "$ACTION"
arguments=()
[ -z "$ACCOUNT_LIMIT" ] || arguments+=(--account-limit "$ACCOUNT_LIMIT")
[ -z "$RESERVED_ELSEWHERE" ] || arguments+=(--reserved-elsewhere "$RESERVED_ELSEWHERE")
[ "$ONLY_QUOTA" = false ] || arguments+=(--only quota)
read -ra rules <<< "$IGNORE"
for rule in "${rules[@]}"; do arguments+=(--ignore "$rule"); done
[ "$ALLOW_UNPROVEN" != true ] || arguments+=(--allow-unproven)
while IFS= read -r path; do
  # ./NAME is a file or folder, however it is called.
  case "$path" in
    "") ;;
    /*) arguments+=("$path") ;;
    *) arguments+=("./$path") ;;
  esac
done <<< "$PATHS"
"$VENV/bin/generator" check "${arguments[@]}" && code=0 || code=$?
case "$code" in
  0 | 1)
    verdict=$("$VENV/bin/generator" check "${arguments[@]}" --format json |
      "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["verdict"])' || true)
    echo "verdict=$verdict" >> "$GITHUB_OUTPUT"
    ;;
esac
exit "$code"
