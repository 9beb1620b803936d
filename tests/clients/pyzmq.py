"""Sends a question and an answer over a ZeroMQ socket with CURVE, then tries with the wrong server key."""

import sys

import zmq

PATIENCE = 10_000
IMPATIENCE = 300


def client_of(context, address, server_key, patience):
    client = context.socket(zmq.REQ)
    client.linger = 0
    client.curve_publickey, client.curve_secretkey = zmq.curve_keypair()
    client.curve_serverkey = server_key
    client.rcvtimeo = patience
    client.connect(address)
    client.send(b"question")
    return client


def main(address):
    context = zmq.Context()
    server = context.socket(zmq.REP)
    server.linger = 0
    server.rcvtimeo = PATIENCE
    server_key, server.curve_secretkey = zmq.curve_keypair()
    server.curve_publickey = server_key
    server.curve_server = True
    server.bind(address)

    for _ in range(20):
        client = client_of(context, address, server_key, PATIENCE)
        assert server.recv() == b"question"
        server.send(b"answer")
        assert client.recv() == b"answer"
        client.close()

    stranger_key, _ = zmq.curve_keypair()
    stranger = client_of(context, address, stranger_key, IMPATIENCE)
    try:
        stranger.recv()
        sys.exit("a client with the wrong server key is answered")
    except zmq.Again:
        pass
    stranger.close()
    server.close()
    context.term()


main(sys.argv[1])
