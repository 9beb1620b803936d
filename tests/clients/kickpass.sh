# kickpass.sh - kickpass creates a safe and opens it on the drop-in, and not with a wrong password.
. "$(dirname "$0")/client.sh" "$@"
needs kickpass kickpass

# kickpass asks for its password through the program ssh-askpass where there is no terminal.
answer() {
  mkdir -p answers
  printf '#!/bin/sh\necho "%s"\n' "$1" >answers/ssh-askpass
  chmod +x answers/ssh-askpass
}
export PATH=$scratch/answers:$PATH EDITOR=true

answer 'master password'
served kickpass init
served kickpass create -g -l 20 site
[[ $(served kickpass list) == site ]] || fail 'the safe is not listed'
password=$(served kickpass cat -p site)
[[ ${#password} == 20 ]] || fail "a password of ${#password} characters"
[[ $(setsid --wait kickpass cat -p site) == "$password" ]] || fail 'libsodium does not open what was closed on the drop-in'
answer 'wrong password'
fails served kickpass cat -p site
was_served kickpass sodium_malloc sodium_free
