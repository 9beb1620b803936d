# ruby.sh - Ruby opens libsodium while it runs and takes its functions by name.
. "$(dirname "$0")/client.sh" "$@"
needs ruby ruby-ffi
ruby -e "require 'ffi'" 2>/dev/null || skip 'the bindings are not installed (package ruby-ffi)'
by_name ruby "$folder/by_name.rb"
