"""lockfast.py - secrets of Lockfast in Python: in locked or hidden memory, between guard pages, wiped when they are freed.

    with lockfast.Secret(32) as key:       # 32 bytes, each 0, that nobody can touch
        key.readinto(descriptor)           # straight into the secret: no bytes object is made
        with key.read() as view:           # open while the block runs; view is a read-only memoryview, without a copy
            digest.update(view)
                                           # freed: checked, wiped, closed

This file is the whole module: copy it. It needs CPython 3.11 or newer, on Linux, and liblockfast.so of the same minor version: the
one that the environment variable LOCKFAST_LIBRARY names (not read under python -E and -I), or that the dynamic linker finds.

    secret ------> memory ------> state: views, access        view, slice of a view ------> array ------> token, memory

A secret is freed when nothing refers to its memory any more, and a view is counted until nothing refers to its token. So no view,
slice or buffer of another object can touch pages that were closed or freed.

Invariants
  1. A secret is freed once: by free(), by the collector, or at exit; never while a view of it lives.
  2. The access of an isolated secret is that of its views: readers, or one writer; without views nobody has access.
  3. No function of this module makes a Python object of a secret's bytes.

Threads: every call is safe from any number of threads. A finalizer may run in any thread, within any other call.
"""
import atexit
import collections
import contextlib
import ctypes
import enum
import errno
import io
import itertools
import os
import sys
import threading
from ctypes import c_char_p, c_int, c_size_t, c_uint64, c_void_p

__version__ = "0.1.0"
__all__ = ["Access", "Backing", "Placement", "Receipt", "Refused", "Rest", "Secret", "audit", "configure", "explain", "report",
           "statistics", "trim", "wipe", "wipe_all"]

# ---- The library: its enums and structures, as lockfast.h has them ----------------------------------------------------

Access = enum.IntEnum("Access", "NOACCESS READONLY READWRITE", start=0)
Placement = enum.IntEnum("Placement", "ISOLATED GROUPED", start=0)
Backing = enum.IntEnum("Backing", "HIDDEN LOCKED UNLOCKED", start=0)
Rest = enum.IntEnum("Rest", "OPEN CLOSED SEALED", start=0)
_ACCESS_REFUSED = 3  # of enum lockfast_breach_reason

# The values of each option from 1 on; 0 leaves it open.
_OPTIONS = {
    "lock": ("required", "preferred"), "hidden": ("auto", "on", "off"), "fork": ("inherit", "wipe", "absent"),
    "freed": ("trap", "recycle"), "placement": ("isolated", "grouped"), "crash": ("none", "wipe"),
    "native_placement": ("isolated", "grouped"), "notice": ("none", "stderr"), "quarantine": ("yield", "hold"),
    "environment": ("read", "ignored"), "rest": ("auto", "seal", "keep"), "report_map": ("off", "on"),
    "report_addresses": ("off", "on"), "idle": ("auto", "few")}


class _Options(ctypes.Structure):
    _fields_ = [*((name, c_int) for name in _OPTIONS if name != "idle"), ("report", c_char_p), ("idle", c_int), ("reserved", c_int * 7)]


class _Receipt(ctypes.Structure):
    _fields_ = [("size", c_size_t), *((name, c_int) for name in (
        "placement", "backing", "access", "lock_error", "dump_error", "hide_error", "fork_error", "access_error", "rest_error", "rest"))]


class _Statistics(ctypes.Structure):
    _fields_ = [*((name, c_size_t) for name in (
        "live", "live_isolated", "live_grouped", "live_hidden", "live_unlocked", "bytes_live", "bytes_locked", "bytes_reserved",
        "lock_limit", "maps_used", "map_limit", "live_sealed", "bytes_sealed")),
        *((name, c_uint64) for name in ("allocations", "frees", "refusals")), ("bytes_idle", c_size_t)]


def _load():
    path = None if sys.flags.ignore_environment else os.environ.get("LOCKFAST_LIBRARY")
    library = ctypes.CDLL(path or "liblockfast.so.0.1", use_errno=True)
    for name, result, *arguments in (
            ("malloc", c_void_p, c_size_t), ("malloc_isolated", c_void_p, c_size_t), ("free", None, c_void_p),
            ("size", c_size_t, c_void_p), ("protect", c_int, c_void_p, c_int), ("check", c_int, c_void_p),
            ("audit", c_size_t), ("trim", c_size_t), ("wipe_all", None), ("wipe", None, c_void_p, c_size_t),
            ("equal", c_int, c_void_p, c_void_p, c_size_t), ("try_random", c_int, c_void_p, c_size_t),
            ("describe", c_int, c_void_p, ctypes.POINTER(_Receipt)), ("get_statistics", None, ctypes.POINTER(_Statistics)),
            ("report", c_int, c_int), ("explain", c_size_t, c_int, c_char_p, c_size_t),
            ("configure", c_int, ctypes.POINTER(_Options)), ("breach", None, c_int)):
        function = getattr(library, "lockfast_" + name)
        function.restype, function.argtypes = result, arguments
    return library


_library = _load()


class Refused(OSError):
    """A request was refused, and nothing is changed: errno says why, strerror what that means here and what to do."""


def explain(error):
    """Says what the errno of a refusal means in this process as it is now, and what to do."""
    text = ctypes.create_string_buffer(1024)
    _library.lockfast_explain(error, text, len(text))
    return text.value.decode(errors="replace")


def _check(result):
    if result in (-1, None):
        error = ctypes.get_errno()
        raise Refused(error, explain(error))
    return result


# ---- What lives how long ----------------------------------------------------------------------------------------------

_live = {}    # the state of each live secret, by its address
_viewed = {}  # the state of the secret of each view, by the view's number
_numbers = itertools.count()
_mutex = threading.RLock()  # of the states; a child of fork has no other thread that could hold it
_is_ending = False
os.register_at_fork(before=_mutex.acquire, after_in_parent=_mutex.release, after_in_child=_mutex.release)


class _State:
    """A secret's views, by number, and the access of its pages."""

    def __init__(self, address, size):
        receipt = _Receipt()
        _check(_library.lockfast_describe(address, receipt))
        self.address, self.size, self.placement = address, size, Placement(receipt.placement)
        self.views, self.access = {}, Access.READWRITE

    def settle(self):
        """Makes the access that of the views. A finalizer or a signal handler may change them in between: hence the loop."""
        while self.placement == Placement.ISOLATED and self.access != (wanted := max(self.views.values(), default=Access.NOACCESS)):
            _check(_library.lockfast_protect(self.address, wanted))
            self.access = wanted

    def leave(self, number):
        """Counts a view out. The process ends if the secret cannot be closed; a child that does not have it has nothing to close."""
        if self.views.pop(number, None) is not None:
            try:
                self.settle()
            except Refused:
                if _library.lockfast_size(self.address) == self.size:
                    _library.lockfast_breach(_ACCESS_REFUSED)
                self.access = Access.NOACCESS


class _Kept(int):
    """A number that refers to nothing, so that the collector of cycles need not know it: what it stands for ends with the last
    reference to it, never before the views that are in the same cycle."""
    __slots__ = ()

    def __new__(cls, value):
        self = super().__new__(cls, value)
        ctypes.pythonapi.PyObject_GC_UnTrack(ctypes.py_object(self))
        return self


class _Memory(_Kept):
    """The address of a secret."""
    __slots__ = ()

    def __del__(self, _live=_live, _free=_library.lockfast_free):
        if _live.pop(int(self), None) is not None:
            _free(self)


class _Token(_Kept):
    """The number of a view."""
    __slots__ = ()

    def __del__(self, _viewed=_viewed, _mutex=_mutex):
        if (state := _viewed.pop(int(self), None)) is not None:
            with _mutex:
                state.leave(int(self))


@atexit.register
def _end():
    """Frees all secrets. One that has a view is wiped instead: what still looks at it sees zeros, and does not trap."""
    global _is_ending
    with _mutex:
        _is_ending = True
        _viewed.clear()
        for address in list(_live):
            state = _live.pop(address, None)
            if state is not None and not state.views:
                _library.lockfast_free(address)
            elif state is not None and _library.lockfast_size(address) == state.size:  # not absent in a child
                if state.placement == Placement.GROUPED or _library.lockfast_protect(address, Access.READWRITE) == 0:
                    _library.lockfast_wipe(address, state.size)


# ---- Secrets ----------------------------------------------------------------------------------------------------------


class Receipt(collections.namedtuple("Receipt", [name for name, _ in _Receipt._fields_])):
    """What a secret's memory really got. An error is 0 if the protection is in force, otherwise the errno that says why not."""
    __slots__ = ()

    @property
    def refused(self):
        """The protections that are not in force, with the name of the errno, such as {"hide": "ENOSYS"}."""
        return {name.removesuffix("_error"): errno.errorcode.get(value, str(value))
                for name, value in self._asdict().items() if name.endswith("_error") and value != 0}

    def __str__(self):
        words = [f"{self.size} bytes", *(each.name.lower() for each in (self.placement, self.backing, self.rest))]
        return ", ".join(words + [f"no {name}: {error}" for name, error in self.refused.items()])


class _Opening:
    """A with block in which a secret is open."""

    def __init__(self, secret, access):
        self._secret, self._access, self._view, self._number = secret, access, None, None

    def __enter__(self):
        if self._view is not None:
            raise ValueError("this block was entered already: call read() or write() for each")
        self._view, self._number = self._secret._open(self._access)
        return self._view

    def __exit__(self, kind, error, trace):
        view, self._view = self._view, None
        with contextlib.suppress(BufferError):  # another object uses it
            view.release()
        if self._number in _viewed:
            why = "something still has a view of the secret, which stays open until that is gone"
            if error is None:
                raise BufferError(why)
            error.add_note(why)


class Secret:
    """size bytes, each 0 at first. An isolated one is open within `with secret.read()` and `with secret.write()` alone; a grouped
    one shares its pages, and is open always. Freed at the end of `with Secret(size) as secret`, by free(), or by the collector."""
    __slots__ = ("_memory", "_size", "__weakref__")

    def __init__(self, size, placement=Placement.ISOLATED):
        """Refusals: ENOMEM, as for lockfast_malloc."""
        self._memory, self._size = None, c_size_t(size).value
        if self._size != size:
            raise ValueError("a size is neither negative nor larger than the address space")
        with _mutex:
            if _is_ending:
                raise RuntimeError("the interpreter is at its end: there are no more secrets")
            isolated = Placement(placement) == Placement.ISOLATED
            address = _check((_library.lockfast_malloc_isolated if isolated else _library.lockfast_malloc)(size))
            state = _live[address] = _State(address, size)
            self._memory = _Memory(address)
            state.settle()

    @classmethod
    def random(cls, size, placement=Placement.ISOLATED):
        """Makes a secret of size bytes from the system's generator."""
        secret = cls(size, placement)
        with secret.write():
            _check(_library.lockfast_try_random(secret._memory, size))
        return secret

    @classmethod
    def take(cls, buffer, placement=Placement.ISOLATED):
        """Makes a secret of a buffer's bytes, then wipes the buffer. BufferError: it cannot be written to, as bytes cannot."""
        with _bytes_of(buffer, writable=True) as (address, size):
            secret = cls(size, placement)
            with secret.write():
                ctypes.memmove(secret._memory, address, size)
            _library.lockfast_wipe(address, size)
        return secret

    def read(self):
        """Opens the secret for a with block, which gets a read-only memoryview. At its end the view is released.

        BufferError: a writer has the secret; or, at the end, a slice or another object still has a view: then the secret stays open
        until that is gone. Refusals: those of lockfast_protect.
        """
        return _Opening(self, Access.READONLY)

    def write(self):
        """The same with a memoryview that can be written to, beside which there is no other view."""
        return _Opening(self, Access.READWRITE)

    def readinto(self, file):
        """Reads from a descriptor or an unbuffered file until the secret or the file is at its end; returns how many bytes.

        TypeError: the file has a buffer, in which a copy would stay: open it with buffering=0.
        """
        with self.write() as view:
            return _transfer(view, file, lambda part: os.readv(file, [part]), getattr(file, "readinto", None))

    def write_to(self, file):
        """Writes the whole secret to a descriptor or an unbuffered file."""
        with self.read() as view:
            _transfer(view, file, lambda part: os.write(file, part), getattr(file, "write", None))

    def copy_from(self, buffer):
        """Copies a buffer of as many bytes, which stays as it is."""
        with _bytes_of(buffer) as (address, size):
            if size != self._size:
                raise ValueError(f"{size} bytes for a secret of {self._size}")
            with self.write():
                ctypes.memmove(self._memory, address, size)

    def wipe(self):
        """Makes each byte 0."""
        with self.write():
            _library.lockfast_wipe(self._memory, self._size)

    def equals(self, other):
        """Tells whether a secret or a buffer has the same bytes, in a time that depends on their number alone."""
        with contextlib.ExitStack() as held:
            held.enter_context(self.read())
            address, size = held.enter_context(_bytes_of(held.enter_context(other.read()) if isinstance(other, Secret) else other))
            return size == self._size and _library.lockfast_equal(self._memory, address, size) == 1

    def __eq__(self, other):
        return self.equals(other) if isinstance(other, Secret) else NotImplemented

    __hash__ = None

    def check(self):
        """Verifies the bytes beside the secret. Refusals: EFAULT - something wrote to them."""
        _check(_library.lockfast_check(self._state().address))

    @property
    def receipt(self):
        """What the secret's memory really got, as it is now."""
        found, kinds = _Receipt(), {"placement": Placement, "backing": Backing, "access": Access, "rest": Rest}
        _check(_library.lockfast_describe(self._state().address, found))
        return Receipt(*(kinds.get(name, int)(getattr(found, name)) for name in Receipt._fields))

    def free(self):
        """Verifies, wipes and frees the secret, unless it is freed already. BufferError: there is a view of it."""
        with _mutex:
            if not self.freed:
                if self._state().views:
                    raise BufferError("a secret is not freed while there is a view of it")
                self._memory = None

    @property
    def freed(self):
        return self._memory not in _live

    def _state(self):
        state = _live.get(self._memory)
        if state is None:
            raise ValueError("this secret was freed")
        return state

    def _open(self, access):
        """A new view, and its number."""
        with _mutex:
            memory, state = self._memory, self._state()
            if state.views and Access.READWRITE in (access, *state.views.values()):
                raise BufferError("a writer has no other view beside it")
            number = next(_numbers)
            token = _Token(number)
            _viewed[number], state.views[number] = state, access
            try:
                state.settle()
                array = (ctypes.c_ubyte * self._size).from_address(memory)
                array.kept = memory, token
                view = memoryview(array).cast("B")
                return view if access == Access.READWRITE else view.toreadonly(), number
            except BaseException:
                del _viewed[number]
                state.leave(number)
                raise

    def __enter__(self):
        self._state()
        return self

    def __exit__(self, kind, error, trace):
        try:
            self.free()
        except BufferError as stray:
            if error is None:
                raise
            error.add_note(str(stray))

    def __len__(self):
        return self._size

    def __repr__(self):
        return f"<lockfast.Secret: {'freed' if self.freed else self.receipt}>"

    def __bytes__(self):
        raise TypeError("bytes cannot be wiped, so none are made of a secret")

    def __reduce_ex__(self, protocol):
        raise TypeError("a secret is neither copied nor pickled")


# ---- The bytes of others ----------------------------------------------------------------------------------------------


def _transfer(view, file, by_descriptor, by_file):
    """Has one of both called for the rest of the view until that is empty or nothing more comes; returns how many bytes went."""
    if not isinstance(file, (int, io.RawIOBase)):
        raise TypeError("neither a descriptor nor an unbuffered file (buffering=0)")
    done = 0
    while done < len(view):
        with view[done:] as rest:
            count = (by_descriptor if isinstance(file, int) else by_file)(rest)
        if count is None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), done)
        if count == 0:
            break
        done += count
    return done


class _Buffer(ctypes.Structure):
    """Py_buffer, of Python's stable interface since 3.11."""
    _fields_ = [("address", c_void_p), ("owner", c_void_p), ("size", ctypes.c_ssize_t), ("rest", c_void_p * 8)]


@contextlib.contextmanager
def _bytes_of(buffer, writable=False):
    """The address and the size of a buffer's own bytes."""
    held = _Buffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(buffer), ctypes.byref(held), int(writable))
    try:
        yield held.address, held.size
    finally:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(held))


def wipe(buffer):
    """Makes each byte of a buffer 0. BufferError: it cannot be written to."""
    with _bytes_of(buffer, writable=True) as (address, size):
        _library.lockfast_wipe(address, size)


# ---- The process ------------------------------------------------------------------------------------------------------

audit = _library.lockfast_audit        # verifies all secrets of the process; returns how many are damaged
trim = _library.lockfast_trim          # gives the pages that no secret uses back to the system; returns how many bytes
wipe_all = _library.lockfast_wipe_all  # wipes all secrets of the process; they stay allocated


def configure(report=None, **options):
    """Sets the policy before the first secret, with the keys and values of LOCKFAST_OPTIONS: configure(fork="inherit").

    Refusals: EBUSY - the process, this module or another library, has made a secret already.
    """
    wanted = _Options(report=None if report is None else os.fsencode(report))
    for name, value in options.items():
        if name not in _OPTIONS:
            raise TypeError(f"there is no option {name}, but report, {', '.join(_OPTIONS)}")
        if value not in _OPTIONS[name]:
            raise ValueError(f"{name} is one of {', '.join(_OPTIONS[name])}, not {value}")
        setattr(wanted, name, _OPTIONS[name].index(value) + 1)
    _check(_library.lockfast_configure(wanted))


def statistics():
    """The counts of the whole process, by name; None for a limit that there is not."""
    found = _Statistics()
    _library.lockfast_get_statistics(found)
    counts = {name: getattr(found, name) for name, _ in _Statistics._fields_}
    return {name: None if count == c_size_t(-1).value else count for name, count in counts.items()}


def report(file):
    """Writes a report as lines of JSON to a descriptor, or to a file that has one."""
    _check(_library.lockfast_report(file if isinstance(file, int) else file.fileno()))
