# gpg_agent.sh - gpg-agent, which forks into the background after it has begun, holds and uses a key on the drop-in for libgcrypt.
. "$(dirname "$0")/client.sh" "$@"
needs gpg-agent gpg-agent
needs gpg gpg

export GNUPGHOME=$scratch/home
mkdir -m 700 "$GNUPGHOME"
echo allow-loopback-pinentry >"$GNUPGHOME/gpg-agent.conf"
trap 'gpgconf --kill gpg-agent; rm -rf "$scratch"' EXIT

report=$scratch/report
LD_PRELOAD=$drop_in LOCKFAST_OPTIONS=report=$report setsid timeout 120 gpg-agent --daemon </dev/null >/dev/null 2>&1
printf '%s\n' 'Key-Type: eddsa' 'Key-Curve: ed25519' 'Name-Real: Nobody' 'Name-Email: nobody@example.org' 'Passphrase: pass phrase' \
  '%commit' >parameters
gpg() { command timeout 60 gpg --batch --yes --quiet --pinentry-mode loopback "$@"; }
gpg --gen-key parameters </dev/null || fail 'no key was made'
echo 'a message' >message
gpgconf --reload gpg-agent  # forgets the pass phrase
gpg --passphrase-fd 0 --clearsign message <<<'pass phrase' || fail 'the key does not sign'
gpg --verify message.asc || fail 'a bad signature'
gpgconf --reload gpg-agent
fails gpg --passphrase-fd 0 --clearsign -o wrong.asc message <<<'wrong phrase'
gpgconf --kill gpg-agent
for ((turn = 0; turn < 100; ++turn)); do
  if totals=$(grep -h '"totals"' "$report" | grep -v '"allocations":0,'); then break; fi
  sleep 0.1
done
[[ -n ${totals-} ]] || fail 'gpg-agent allocated nothing from the drop-in'
echo "$totals"
grep -q '"live_unlocked":0,' <<<"$totals" || fail 'some were not locked'
