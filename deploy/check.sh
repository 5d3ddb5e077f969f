#!/usr/bin/env bash
# What systemd itself says of the unit: whether it is right, and how exposed it leaves the machine.
#   deploy/check.sh [UNIT]
# Ends with 1 when it is wrong or more exposed than LIMIT, and with 3 without systemd-analyze.
set -euo pipefail

LIMIT=4.0
deploy=$(cd "$(dirname "$0")" && pwd)
unit=${1:-$deploy/dfr-daemon@.service}

if ! command -v systemd-analyze >/dev/null; then
    echo "error: no systemd-analyze here: apt-get install systemd" >&2
    exit 3
fi
# A root of its own: the programs need not be installed, and nothing here is changed.
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/usr/lib/systemd"
cp -a /usr/lib/systemd/system "$root/usr/lib/systemd/"
install -D -m 0755 "$deploy/dfr-session" "$root/usr/local/bin/dfr-session"
install -D -m 0644 "$unit" "$root/etc/systemd/system/dfr-daemon@.service"

analyze() { LC_ALL=C systemd-analyze --no-pager --root="$root" "$@" dfr-daemon@check.service; }

# Whatever it says is a finding, also where it ends with 0.
said=$(analyze --man=no verify 2>&1) || { echo "verify: $said"; exit 1; }
if grep -q 'dfr-daemon@' <<<"$said"; then
    echo "verify: $said"
    exit 1
fi
echo "verify: passes"
report=$(analyze --offline=true security)
exposure=$(sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p' <<<"$report")
echo "security: exposure $exposure of 10, at most $LIMIT wanted"
awk -v found="$exposure" -v limit="$LIMIT" 'BEGIN { exit !(found != "" && found <= limit) }'
