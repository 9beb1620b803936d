"""Threads that share secrets, and what a forked child has of them."""
import errno
import signal
import sys
import threading

import lockfast
import pytest
from children import ended_well, live
from lockfast import Access, Placement, Secret


def test_threads_share_and_free_secrets():
    shared, before, faults = Secret.take(bytearray(b"s" * 32)), live(), []

    def work(number):
        try:
            for turn in range(200):
                with shared.read() as view:
                    assert view[31] == 0x73
                own = Secret(16 + number, Placement(turn % 2))
                with own.write() as view:
                    view[0] = number
                assert not own.equals(bytes(16 + number)) or number == 0
                if turn % 3:
                    own.free()
        except BaseException as fault:
            faults.append(fault)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults and live() == before and shared.receipt.access == Access.NOACCESS


def test_of_many_writers_one_has_the_secret():
    key, inside, clashes, barrier = Secret(8), [], [], threading.Barrier(8)

    def work():
        barrier.wait()
        for _ in range(200):
            try:
                with key.write():
                    inside.append(1)
                    clashes.append(len(inside) > 1)
                    inside.pop()
            except BufferError:
                pass
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clashes and not any(clashes) and key.receipt.access == Access.NOACCESS


FORKED = """
    key, grouped = Secret.take(bytearray(b"kkkk")), Secret.take(bytearray(b"gggg"), lockfast.Placement.GROUPED)
    def in_child():
        child = os.fork()
        if child != 0:
            status = os.waitpid(child, 0)[1]
            print(os.waitstatus_to_exitcode(status), key.equals(b"kkkk"), grouped.equals(b"gggg"))
        sys.stdout.flush()
        return child == 0
"""


@pytest.mark.parametrize("fork, seen", [("inherit", "b'kkkk' b'gggg'"), ("wipe", f"{bytes(4)} {bytes(4)}")])
def test_a_forked_child_has_a_copy_or_zeros(fork, seen):
    assert ended_well(FORKED + """
    if in_child():
        with key.read() as view, grouped.read() as other:
            print(bytes(view), bytes(other))
        for each in (key, grouped):
            with each.write() as view:
                view[:] = b"xxxx"
        key.free()
        sys.exit()  # the other is freed at exit""", f"fork={fork}") == f"{seen}\n0 True True\n"


def test_a_child_has_no_secret_by_default():
    assert ended_well(FORKED + """
    if in_child():
        try:
            key.equals(b"kkkk")
        except lockfast.Refused as refused:
            print(refused.errno)
        del key
        with Secret.random(32) as own, own.read():
            sys.exit()
    with key.read() as view:  # a fork within a block
        if in_child():
            sys.exit()
    view = grouped.read().__enter__()
    if in_child():
        sys.exit()  # where the view is left""") == f"{errno.ENOMEM}\n" + "0 True True\n" * 3


@pytest.mark.parametrize("secret", ["key", "grouped"])
def test_a_child_that_touches_an_absent_secret_traps(secret):
    assert ended_well(FORKED + f"""
    with {secret}.read() as view:
        if in_child():
            view[0]
            os._exit(0)""") == f"{-signal.SIGSEGV} True True\n"


def test_a_fork_beside_threads_that_open_secrets():
    assert ended_well("""
        import threading
        key, stop = Secret.take(bytearray(b"kkkk")), threading.Event()
        def work():
            own = Secret(32)
            while not stop.is_set():
                with own.write() as view:
                    view[0] ^= 1
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for turn in range(20):
            child = os.fork()
            if child == 0:
                os._exit(0 if key.equals(b"kkkk") else 1)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        for thread in threads:
            thread.join()
        print("done")""", "fork=inherit") == "done\n"


def test_a_view_of_another_thread_counts_in_the_child():
    assert ended_well(FORKED + """
    import threading
    opened, done = threading.Event(), threading.Event()
    def work():
        with key.read():
            opened.set()
            done.wait()
    thread = threading.Thread(target=work)
    thread.start()
    opened.wait()
    if in_child():
        print(key.equals(b"kkkk"))
        for end in (key.write().__enter__, key.free):
            try:
                end()
            except BufferError:
                print("refused")
        sys.stdout.flush()
        os._exit(0)
    done.set()
    thread.join()""", "fork=inherit") == "True\nrefused\nrefused\n0 True True\n"
