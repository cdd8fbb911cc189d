#!/usr/bin/env bash
# HyperPod runs this on every new node, as root, from a copy of the whole folder. It must end with 0, or the node fails.
# It only logs and hands over to on_create_main.sh, so that a fault there is found in the log with its line.
set -euo pipefail

readonly LOG=/var/log/provision/provisioning.log
mkdir -p "$(dirname "$LOG")"
# Both to the node's own log and to where HyperPod collects it for CloudWatch (LifecycleConfig/GROUP/INSTANCE).
exec > >(tee -a "$LOG") 2>&1

say() { printf '%s [on_create] %s\n' "$(date -u +%FT%TZ)" "$*"; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
main="$here/on_create_main.sh"
say "started in $here"

# Without the main script the node would work and fill its small root volume days later: better to fail now.
if [[ ! -f "$main" ]]; then
  say "error: on_create_main.sh is not beside on_create.sh; upload the whole folder"
  exit 1
fi

if bash "$main"; then
  say "finished"
else
  code=$?
  say "error: on_create_main.sh ended with $code"
  exit "$code"
fi
