# vim.sh - vim writes and reads a file under xchacha20 on the drop-in.
. "$(dirname "$0")/client.sh" "$@"
needs vim vim
vim --version | grep -q '+sodium' || skip 'this vim is built without sodium'

# read_back COMMAND...: what vim reads from the encrypted file with a pass phrase from standard input.
read_back() {
  rm -f opened
  "$@" vim -u NONE -es -n -c 'set key=' -c 'write! opened' -c 'quitall!' encrypted || return
  cat opened
}

for ((line = 0; line < 2000; ++line)); do echo "line $line of the secret"; done >plain
served vim -u NONE -es -n -c 'set cryptmethod=xchacha20' -c "let &key = 'pass phrase'" -c 'write! encrypted' \
  -c 'quitall!' plain
[[ $(head -c 12 encrypted) == 'VimCrypt~04!' ]] || fail 'the file is not encrypted by xchacha20'
! grep -q 'of the secret' encrypted || fail 'the file holds its text'

read_back served <<<'pass phrase' | cmp - plain || fail 'vim does not read what it wrote'
read_back setsid --wait <<<'pass phrase' | cmp - plain || fail 'libsodium does not read what was written on the drop-in'
! read_back served <<<'wrong phrase' | grep -q 'of the secret' || fail 'a wrong pass phrase opens the file'
was_served vim sodium_malloc sodium_free sodium_mlock sodium_munlock
