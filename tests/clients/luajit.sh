# luajit.sh - LuaJIT opens libsodium while it runs and takes its functions by name.
. "$(dirname "$0")/client.sh" "$@"
needs luajit luajit
by_name luajit "$folder/by_name.lua"
