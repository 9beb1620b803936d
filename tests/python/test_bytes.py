"""How bytes come into a secret and out of it, and that none stay elsewhere."""
import copy
import hashlib
import os
import pickle
import secrets
import subprocess
import sys
import textwrap

import lockfast
import pytest
from children import SOURCE, live
from lockfast import Access, Placement, Secret

sys.path.append(str(SOURCE / "examples/vault"))
from search import found_in, pieces_of  # noqa: E402


def test_it_reads_and_writes_descriptors_and_unbuffered_files(tmp_path):
    file = tmp_path / "secret"
    file.write_bytes(b"0123456789")
    key = Secret(8)
    with open(file, "rb", buffering=0) as source:
        assert key.readinto(source) == 8 and key.equals(b"01234567")
        assert key.readinto(source) == 2 and key.equals(b"89234567")
        assert key.readinto(source) == 0
    reader, writer = os.pipe()
    os.write(writer, b"abc")
    os.write(writer, b"defgh")
    assert key.readinto(reader) == 8 and key.equals(b"abcdefgh")
    key.write_to(writer)
    assert os.read(reader, 99) == b"abcdefgh"
    with open(file, "wb", buffering=0) as sink:
        key.write_to(sink)
    assert file.read_bytes() == b"abcdefgh"
    os.set_blocking(reader, False)
    with pytest.raises(BlockingIOError):
        key.readinto(reader)
    os.close(reader)
    os.close(writer)
    with pytest.raises(OSError, match="Bad file descriptor"):
        key.readinto(reader)
    with open(file, "rb") as buffered, pytest.raises(TypeError, match="buffering=0"):
        key.readinto(buffered)
    with open(file, "wb") as buffered, pytest.raises(TypeError, match="buffering=0"):
        key.write_to(buffered)
    assert key.receipt.access == Access.NOACCESS


def test_it_copies_compares_and_wipes():
    key = Secret(4)
    key.copy_from(b"abcd")
    assert key.equals(b"abcd") and key.equals(bytearray(b"abcd")) and key.equals(memoryview(b"abcd"))
    assert not key.equals(b"abce") and not key.equals(b"abc") and not key.equals(b"") and not key.equals(b"abcde")
    assert key == key and key == Secret.take(bytearray(b"abcd")) and key != Secret(4)
    assert key.equals(Secret.take(bytearray(b"abcd"), Placement.GROUPED)) and key != b"abcd"
    for wrong in (b"abc", b"abcde"):
        with pytest.raises(ValueError, match="for a secret of 4"):
            key.copy_from(wrong)
    with pytest.raises(BufferError):
        key.copy_from(memoryview(b"a-b-c-d-")[::2])
    with pytest.raises(TypeError):
        key.copy_from("abcd")
    key.wipe()
    assert key.equals(bytes(4))
    assert Secret.random(32) != Secret.random(32)
    own = bytearray(b"own")
    lockfast.wipe(own)
    assert own == bytes(3)


def test_take_wipes_its_source_and_takes_none_that_it_cannot_wipe():
    source = bytearray(b"abcd")
    assert Secret.take(source).equals(b"abcd") and source == bytes(4)
    before = live()
    with pytest.raises(BufferError):
        Secret.take(b"abcd")
    with pytest.raises(BufferError):
        lockfast.wipe(b"abcd")
    assert live() == before


def test_no_copy_is_made_of_itself():
    key = Secret(4)
    for copied in (bytes, copy.copy, copy.deepcopy, pickle.dumps, bytearray, memoryview, hash, hashlib.sha256):
        with pytest.raises(TypeError):
            copied(key)
    assert "0, 0" not in repr(key) and repr(key) == f"<lockfast.Secret: {key.receipt}>"


SEARCHED = """
    key = Secret(32)
    assert key.readinto(0) == 32
    os.write(1, b"?")
    import hashlib, hmac
    with key.read() as view:
        for name in ("blake2b", "sha256", "sha3_256"):
            hashlib.new(name, view).digest()
            hmac.digest(view, view, name)
        assert key.equals(view) and not key.equals(bytes(32))
    other = Secret(32, lockfast.Placement.GROUPED)
    with key.read() as view, other.write() as to:
        to[:] = view
    assert other == key
    with open("/dev/null", "wb", buffering=0) as nowhere:
        key.write_to(nowhere)
    try:
        with key.read() as view:
            raise KeyError(view)
    except KeyError as error:
        text = repr(error) + repr(key) + str(key.receipt)
    {more}
    with lockfast.Secret.random(4096) as page, page.read() as view:  # what calls have left in registers and below the stack's end
        hashlib.blake2b(view).digest()
    os.write(1, b"?")
    os.read(0, 1)
"""


@pytest.mark.parametrize("options", ["", "hidden=off"])
@pytest.mark.parametrize("more, is_found", [
    ("", False),
    ("other.free(); key.free()", False),
    ("with key.read() as view: copy = view.tobytes()", True),
    ("with key.read() as view: copy = bytearray(view); lockfast.wipe(copy)", False)])
def test_no_copy_is_left_in_memory_that_is_not_locked(options, more, is_found):
    program = "import os, lockfast\nfrom lockfast import Secret\n" + textwrap.dedent(SEARCHED.format(more=more))
    secret, control = secrets.token_bytes(32), secrets.token_hex(16)
    environment = dict(os.environ, LOCKFAST_OPTIONS=options, LOCKFAST_CONTROL=control)
    with subprocess.Popen([sys.executable, "-c", program], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(secret)
        process.stdin.flush()
        assert process.stdout.read(2) == b"??"
        try:
            found = found_in(process.pid, pieces_of(secret) | {control.encode()[:16]})
        except PermissionError:
            process.kill()
            pytest.skip("the memory of another process cannot be read here")
        process.stdin.write(b".")
        process.stdin.close()
        assert process.wait() == 0
    assert control.encode()[:16] in found  # the search sees memory
    assert (len(found) > 1) == is_found
