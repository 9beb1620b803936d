# pyzmq.sh - two ZeroMQ sockets speak CURVE on the drop-in; a client that expects another server gets no answer.
. "$(dirname "$0")/client.sh" "$@"
python=/usr/bin/python3
needs "$python" python3
"$python" -c 'import sys, zmq; sys.exit(not zmq.has("curve"))' 2>/dev/null ||
  skip 'pyzmq with CURVE is not installed (package python3-zmq)'

served "$python" "$folder/pyzmq.py" "ipc://$scratch/socket"
was_served python3 sodium_allocarray sodium_free
