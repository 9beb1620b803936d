# ctypes.sh - Python opens libsodium while it runs and takes its functions by name.
. "$(dirname "$0")/client.sh" "$@"
python=/usr/bin/python3
needs "$python" python3
by_name "$python" "$folder/by_name.py"
