"""Who can touch a secret, and for how long."""
import ctypes
import gc
import signal

import lockfast
import pytest
from children import BOTH, died
from lockfast import Access, Placement, Rest, Secret


@BOTH
def test_a_new_secret_is_zero_and_holds_what_is_written(placement):
    with Secret(33, placement) as key:
        assert len(key) == 33 and key.receipt.placement == placement
        with key.write() as view:
            assert view.nbytes == 33 and not view.readonly and bytes(view) == bytes(33)
            view[:] = b"x" * 33
        with key.read() as view:
            assert view.readonly and bytes(view) == b"x" * 33
            with pytest.raises(TypeError):
                view[0] = 1
    assert key.freed and repr(key) == "<lockfast.Secret: freed>"
    for touch in (key.read().__enter__, key.write().__enter__, key.check, key.wipe, lambda: key.receipt, key.__enter__):
        with pytest.raises(ValueError, match="freed"):
            touch()
    key.free()


@BOTH
@pytest.mark.parametrize("size", [0, 1, 16384, 16385, 1 << 20])
def test_any_size(size, placement):
    with Secret.random(size, placement) as key, key.read() as view:
        assert len(view) == len(key) == key.receipt.size == size


def test_a_secret_is_open_while_it_has_a_view_and_closed_otherwise():
    key = Secret(32)
    assert (key.receipt.access, key.receipt.rest) == (Access.NOACCESS, Rest.CLOSED)
    with key.read():
        assert key.receipt.access == Access.READONLY
        with key.read():
            pass
        assert key.receipt.access == Access.READONLY
    assert key.receipt.access == Access.NOACCESS
    with key.write():
        assert key.receipt.access == Access.READWRITE
    assert key.receipt.access == Access.NOACCESS
    with pytest.raises(ZeroDivisionError), key.write():
        raise ZeroDivisionError
    assert key.receipt.access == Access.NOACCESS


@pytest.mark.parametrize("touch", ["ctypes.string_at(address, 1)", "ctypes.memset(address, 1, 1)"])
def test_a_touch_of_a_closed_secret_traps(touch):
    died(f"""
        key = Secret.random(32)
        address = int(key._memory)
        with key.write():
            {touch}
        print("ready", flush=True)
        {touch}
        print("went on", flush=True)""", signal.SIGSEGV)


def test_a_write_to_a_secret_that_is_open_for_reading_traps():
    died("""
        key = Secret.random(32)
        with key.read() as view:
            ctypes.string_at(int(key._memory), 32)
            print("ready", flush=True)
            ctypes.memset(int(key._memory), 1, 1)
            print("went on", flush=True)""", signal.SIGSEGV)


def test_a_read_past_the_end_traps():
    died("""
        key = Secret.random(32)
        with key.read() as view:
            ctypes.string_at(int(key._memory), 32)
            print("ready", flush=True)
            ctypes.string_at(int(key._memory), 33)
            print("went on", flush=True)""", signal.SIGSEGV)


@BOTH
def test_a_view_is_released_with_its_block(placement):
    key = Secret(32, placement)
    with key.read() as view:
        walk = iter(view)
    for touch in (lambda: next(walk), lambda: view[0], lambda: bytes(view), lambda: memoryview(view), lambda: view.obj):
        with pytest.raises(ValueError, match="released"):
            touch()


@pytest.mark.parametrize("keep", [lambda view: view[1:3], memoryview, lambda view: view.toreadonly(), lambda view: view.obj,
                                  lambda view: view.cast("I"), (ctypes.c_ubyte * 4).from_buffer])
def test_what_outlives_a_block_is_told_and_keeps_the_secret_open(keep):
    key = Secret(32)
    with key.write() as view:
        view[:] = bytes(range(32))
    with pytest.raises(BufferError, match="still has a view"):
        with key.write() as view:
            kept = keep(view)
    del view
    assert key.receipt.access == Access.READWRITE
    assert kept is not None and ctypes.string_at(int(key._memory), 2) == b"\0\1"
    with pytest.raises(BufferError, match="while there is a view"):
        key.free()
    with pytest.raises(BufferError), key.read():
        pass
    del kept
    gc.collect()
    assert key.receipt.access == Access.NOACCESS
    key.free()
    assert key.freed


def test_the_error_of_a_block_stays_the_one_that_is_raised():
    key, kept = Secret(32), []
    with pytest.raises(ZeroDivisionError) as caught, key.read() as view:
        kept.append(view[:1])
        raise ZeroDivisionError
    assert "still has a view" in caught.value.__notes__[0]
    with pytest.raises(ZeroDivisionError) as caught, key:
        raise ZeroDivisionError
    assert "while there is a view" in caught.value.__notes__[0] and not key.freed


def test_a_writer_has_no_view_beside_it():
    key = Secret(32)
    for first, second in ((key.write, key.write), (key.write, key.read), (key.read, key.write)):
        with first():
            access = key.receipt.access
            with pytest.raises(BufferError, match="beside it"), second():
                pass
            assert key.receipt.access == access
    block = key.read()
    with block, pytest.raises(ValueError, match="entered already"), block:
        pass
    assert key.receipt.access == Access.NOACCESS


def test_a_reader_that_comes_while_the_secret_closes_is_counted(monkeypatch):
    key, reader, protect = Secret.take(bytearray(b"k")), [], lockfast._library.lockfast_protect

    def interrupted(address, access):
        result = protect(address, access)
        if access == Access.NOACCESS and not reader:  # as a signal handler may
            reader.append(key.read())
            reader.append(reader[0].__enter__())
        return result
    monkeypatch.setattr(lockfast._library, "lockfast_protect", interrupted)
    with key.write():
        pass
    assert key.receipt.access == Access.READONLY and reader[1][0] == ord("k")
    reader[0].__exit__(None, None, None)
    assert key.receipt.access == Access.NOACCESS
