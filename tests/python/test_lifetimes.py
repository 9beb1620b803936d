"""When a secret ends: by free, by the collector, at exit; and what is found then."""
import errno
import gc
import signal

import lockfast
import pytest
from children import BOTH, died, ended_well, live
from lockfast import Secret


@BOTH
def test_a_thousand_secrets_are_freed_by_the_collector(placement):
    before = live()
    many = [Secret.random(32, placement) for _ in range(1000)]
    assert live() == before + 1000
    many.append(many)  # a cycle: only the collector finds it
    gc.collect()
    assert live() == before + 1000
    del many
    gc.collect()
    assert live() == before
    one = Secret(32, placement)
    del one
    assert lockfast.statistics()["live"] == before  # without the collector


def test_a_slice_keeps_the_secret():
    def kept():
        key = Secret.take(bytearray(b"k" * 32))
        return key.read().__enter__()[1:3]
    before = live()
    piece = kept()
    assert live() == before + 1 and bytes(piece) == b"kk"
    del piece
    assert lockfast.statistics()["live"] == before


def test_a_view_in_the_same_cycle_is_whole_until_its_finalizers_ran():
    assert ended_well("""
        class Last:
            def __del__(self):
                print(bytes(self.view), self.key.freed, flush=True)
        for place in ("before", "after"):
            last, key = Last(), Secret.take(bytearray(b"k" * 4))
            try:
                with key.read() as view:
                    last.view = view[:]
            except BufferError:
                pass
            last.key, last.itself = key, last
            del last, key, view
            gc.collect()
        print(lockfast.statistics()["live"])""") == "b'kkkk' False\n" * 2 + "0\n"


def test_the_numbers_behind_it_are_none_of_the_collectors():
    key = Secret(32)
    assert not gc.is_tracked(key._memory) and gc.is_tracked(key)


def test_secrets_are_freed_at_exit_behind_the_programs_own_handlers():
    assert ended_well("""
        import atexit
        atexit.unregister(lockfast._end)
        atexit.register(lambda: print("at last", lockfast.statistics()["live"], flush=True))
        atexit.register(lockfast._end)
        many = [Secret.random(32, place) for place in lockfast.Placement]
        many.append(many)
        def still_there():
            with many[0].read() as view:
                print(len(view), lockfast.statistics()["live"], flush=True)
        atexit.register(still_there)""") == "32 2\nat last 0\n"


@pytest.mark.parametrize("placement", ["ISOLATED", "GROUPED"])
def test_a_view_that_is_left_at_exit_sees_zeros(placement):
    assert ended_well(f"""
        import atexit
        atexit.unregister(lockfast._end)
        def late():
            print(bytes(kept), ctypes.string_at(kept_address, 4), flush=True)
            try:
                Secret(1)
            except RuntimeError as error:
                print("refused", flush=True)
        atexit.register(late)
        atexit.register(lockfast._end)
        key = Secret.take(bytearray(b"kkkk"), lockfast.Placement.{placement})
        kept_address = int(key._memory)
        try:
            with key.read() as view:
                kept = view[:]
        except BufferError:
            print(bytes(kept), flush=True)""") == "b'kkkk'\n" + repr(bytes(4)) + " " + repr(bytes(4)) + "\nrefused\n"


@pytest.mark.parametrize("placement, place", [("ISOLATED", -1), ("GROUPED", 32)])
@pytest.mark.parametrize("end", ["key.free()", "del key", "sys.exit()"])
def test_a_stray_write_is_found_when_the_secret_is_freed(placement, place, end):
    said = died(f"""
        key = Secret.random(32, lockfast.Placement.{placement})
        view = key.write().__enter__()
        ctypes.c_ubyte.from_address(int(key._memory) + {place}).value ^= 1
        try:
            key.check()
        except lockfast.Refused as damaged:
            assert damaged.errno == {errno.EFAULT} and lockfast.audit() == 1
            print("ready", flush=True)
        del view
        {end}""", signal.SIGABRT)
    assert "broken canary" in said
