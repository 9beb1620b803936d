#!/usr/bin/env bash
# php_memzero.sh - PHP's sodium_memzero() overwrites no byte of a string that a second variable shares.
#
# Version: PHP 8.2.36 (Debian 12, php8.2-cli 8.2.36-1~deb12u1), libsodium 1.0.18.
# Guess:   The manual says that the string, passed by reference, is overwritten with zeros. So the variable then holds zeros, and
#          the key is in no other variable that was assigned from it.
# Seen:    The variable becomes NULL, not a string of zeros. A variable or an array that was assigned from it keeps the whole
#          key, because PHP shares the bytes of an assigned string until one of the two is written.
# Source:  php-src, ext/sodium/libsodium.c, sodium_memzero: it wipes only if the reference count is 1; then convert_to_null.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download php8.2-cli:amd64=8.2.36-1~deb12u1 libsodium23:amd64=1.0.18-1+deb12u1 \
  libargon2-1:amd64=0~20171227-0.3+deb12u1 libxml2:amd64=2.9.14+dfsg-1.3~deb12u6 libicu72:amd64=72.1-3+deb12u1 \
  libpcre2-8-0:amd64=10.42-1+deb12u2
for package in *.deb; do dpkg-deb -x "$package" root; done

cat >program.php <<'PROGRAM'
<?php
function state(mixed $value): string {
  if ($value === null) return 'NULL';
  return $value === str_repeat("\0", 32) ? 'zeros' : 'the key';
}
$key = random_bytes(32);
$second = $key;
$request = ['key' => $key];
sodium_memzero($key);
echo 'the variable: ', state($key), "\n";
echo 'a second variable: ', state($second), "\n";
echo 'an array: ', state($request['key']), "\n";
PROGRAM

LD_LIBRARY_PATH=root/usr/lib/x86_64-linux-gnu root/usr/bin/php8.2 -n program.php | tee seen

diff - seen <<'EXPECTED'
the variable: NULL
a second variable: the key
an array: the key
EXPECTED
