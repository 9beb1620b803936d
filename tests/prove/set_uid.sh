#!/bin/sh
# A set-uid program ignores LOCKFAST_OPTIONS. Options that make no sense end a program that reads them: an ordinary copy of the
# program is the control. set_uid.sh PROGRAM
set -eu
[ "$(id -u)" = 0 ] && command -v setpriv > /dev/null || { echo "skipped: needs root and setpriv, to become another user"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cp "$1" "$folder/plain"
cp "$1" "$folder/set_uid"
chmod 755 "$folder/plain"
chmod 4755 "$folder/set_uid"
as_other() { LOCKFAST_OPTIONS=$1 setpriv --reuid 65534 --regid 65534 --clear-groups "$2"; }
as_other '' "$folder/plain" || { echo "skipped: another user has no secret here"; exit 77; }
case $(findmnt -no OPTIONS -T "$folder" 2> /dev/null) in *nosuid*) echo "skipped: $folder is mounted nosuid"; exit 77 ;; esac
if as_other no_such_option=1 "$folder/plain" 2> "$folder/said"; then
  echo "the control was not ended by its options"
  exit 1
fi
as_other no_such_option=1 "$folder/set_uid" || { echo "a set-uid program read LOCKFAST_OPTIONS"; exit 1; }
