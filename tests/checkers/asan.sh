#!/usr/bin/env bash
# A program that is compiled with -fsanitize=address on libraries as they were built: each stray around a secret is reported at the
# access, and no valid use is, under each policy; told to take no notice, the sanitizer reports none.
#
#   asan.sh SOURCES INCLUDE LIBRARIES COMPILER ...
set -euo pipefail
sources=$1 include=$2 libraries=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset LD_PRELOAD
tried=0
for compiler in "$@"; do
  command -v "$compiler" > /dev/null || continue
  program=$work/strays
  if ! "$compiler" -g -O1 -fsanitize=address "$sources"/strays.c "$sources"/uses.c -I "$include" -L "$libraries" -Wl,-rpath,"$libraries" -llockfast-sodium -llockfast \
       -pthread -o "$program" 2> "$work/log"; then
    grep -qiE 'asan' "$work/log" && { echo "left out: $compiler has no run-time library for it"; continue; }
    cat "$work/log"
    exit 1
  fi
  tried=$((tried + 1))
  # As programs have it, but that reports need no symbols.
  export ASAN_OPTIONS=symbolize=0:detect_leaks=0
  echo "$compiler:"
  LOCKFAST_OPTIONS= "$program"
  policies=('')
  # What depends on the policy does not depend on the compiler.
  if ((tried == 1)); then
    LOCKFAST_OPTIONS=freed=recycle "$program"
    policies+=(freed=recycle fork=inherit fork=wipe hidden=off,fork=inherit placement=grouped rest=keep,hidden=off
               native_placement=isolated)
  fi
  for options in "${policies[@]}"; do
    said=$(LOCKFAST_OPTIONS=$options "$program" valid 2>&1) || { printf 'under %s\n%s\n' "${options:-no options}" "$said"; exit 1; }
    [[ $said == done ]] || { printf 'under %s\n%s\n' "${options:-no options}" "$said"; exit 1; }
  done
  # The control: the same stray, found by the canary when the secret is freed.
  said=$(ASAN_OPTIONS=$ASAN_OPTIONS:allow_user_poisoning=0:handle_abort=0 LOCKFAST_OPTIONS= "$program" overflow 2>&1) && exit 1
  [[ $said == *'not reported at once'*'lockfast: '* && $said != *AddressSanitizer:* ]] || { echo "the control: $said"; exit 1; }
done
((tried)) || { echo 'skipped: no compiler with AddressSanitizer'; exit 77; }
