# minisign.sh - minisign generates keys, signs and verifies on the drop-in, and refuses what was changed.
. "$(dirname "$0")/client.sh" "$@"
needs minisign minisign

echo 'a message' >message
served minisign -G -W -p open.pub -s open.key
served minisign -S -s open.key -m message
served minisign -V -p open.pub -m message
minisign -V -p open.pub -m message || fail 'libsodium does not verify what was signed on the drop-in'

printf 'pass phrase\npass phrase\n' | served minisign -G -p closed.pub -s closed.key
printf 'pass phrase\n' | served minisign -S -s closed.key -m message -x closed.minisig
served minisign -V -p closed.pub -m message -x closed.minisig
fails served minisign -S -s closed.key -m message -x wrong.minisig <<<'wrong phrase'
[[ ! -e wrong.minisig ]] || fail 'a wrong pass phrase signs'

fails served minisign -V -p open.pub -m message -x closed.minisig
echo 'a changed message' >message
fails served minisign -V -p open.pub -m message
was_served minisign sodium_malloc sodium_free
