#!/usr/bin/env bash
# wine.sh PROGRAM ARGUMENT... - runs a program of Windows under Wine, in a prefix of the build's own.
#
# Wine's service processes keep the output that they were started with open, and who reads it to its end would wait for them: so it
# goes to a file first. Its debugger would start at every crash.
set -u
build=${LOCKFAST_WINE_FOLDER:-$(dirname "$(dirname "$(readlink -f "$1")")")}
export WINEPREFIX=$build/wine WINEDEBUG=-all WINEDLLOVERRIDES='winedbg.exe=d;mscoree=;mshtml=' WINEPATH=${LOCKFAST_WINE_PATH:-}
unset DISPLAY
output=$(mktemp)
trap 'rm -f "$output"' EXIT
# One at a time makes the prefix.
if [ ! -e "$WINEPREFIX/system.reg" ]; then
  mkdir -p "$build"
  (flock 9; [ -e "$WINEPREFIX/system.reg" ] || wineboot --init >/dev/null 2>&1) 9>"$build/wine.lock"
fi
wine "$@" >"$output" 2>&1 </dev/null
status=$?
cat "$output"
exit $status
