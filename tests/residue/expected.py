"""expected.py - the processes of the machine, what is expected of each, the judgement of what was found, and the table of it."""
from typing import NamedTuple

from machine import NOTHING, Finding

SECRETS = 16  # of each type in each process: pattern_count of pattern.h
POINTERS = ("isolated", "grouped", "compartment")
SPLIT = ("split", "split_file", "file", "phrase", "record", "saved")
TYPES = POINTERS + ("piped", "ram", "cached") + SPLIT
ORDINARY = ("plain", "sodium")
LABELS = {  # in the table, where it is not the name
    "plain": "`malloc`",
    "sodium": "libsodium's",
    "compartment": "of a compartment",
    "ram": "`ram_memory`",
    "split_file": "split, a share in a file",
    "file": "`file_memory`",
    "phrase": "passphrase",
    "record": "vault",
    "cached": "vault, cached records",
    "piped": "read from a pipe",
    "saved": "vault, saved and loaded",
}
SEALED = ("isolated", "piped", "ram", "cached")  # what rest=seal seals when it is closed


class Holder(NamedTuple):
    name: str  # of its row
    role: str  # lives, forks, ends, hibernates, forbids
    options: str = ""
    ordinary: bool = False
    end: str = "exit"
    backing: str = "hidden"
    lock_limit: str = "32768"

    @property
    def seals(self):
        return "rest=seal" in self.options

    @property
    def wipes(self):
        return "crash=wipe" in self.options

    @property
    def types(self):
        return ORDINARY if self.ordinary else ("plain",) + TYPES  # the ordinary blocks beside the secrets are a control


def holders():
    backings = (("hidden", "hidden=on"), ("locked", "hidden=off"))
    seals = (("hidden, sealed", "hidden=on,rest=seal"), ("locked, sealed", "hidden=off,rest=seal"))
    yield Holder("ordinary", "lives", ordinary=True)
    for name, options in backings + seals:
        yield Holder(name, "lives", options, backing=name.split(",")[0])
    yield Holder("unlocked", "lives", "hidden=off,lock=preferred", backing="unlocked", lock_limit="0")
    yield Holder("ordinary", "forks", ordinary=True)
    for name, options in backings + seals:
        yield Holder(name, "forks", options + ",fork=inherit", backing=name.split(",")[0])
        yield Holder(name, "forks", options + ",fork=inherit,crash=wipe", backing=name.split(",")[0])
    for end in "crash", "exit":
        yield Holder("ordinary", "ends", ordinary=True, end=end)
        for name, options in backings + seals:
            yield Holder(name, "ends", options, end=end, backing=name.split(",")[0])
            yield Holder(name, "ends", options + ",crash=wipe", end=end, backing=name.split(",")[0])
    yield Holder("ordinary", "hibernates", ordinary=True)
    yield Holder("locked", "hibernates", "hidden=auto", backing="locked")  # on a machine that can hibernate
    yield Holder("locked, sealed", "hibernates", "hidden=off,rest=seal", backing="locked")
    yield Holder("hidden", "forbids", "hidden=on")
    yield Holder("hidden", "forbids", "hidden=auto")  # beside one that hides, so that the machine cannot hibernate


HOLDERS = tuple(holders())


def numbers(role, **facts):
    return [number for number, each in enumerate(HOLDERS)
            if each.role == role and all(getattr(each, name) == value for name, value in facts.items())]


# ---- What is expected ----

class Exactly(NamedTuple):
    """Each secret is there so many times, and no piece beside that."""
    times: int

    def holds(self, found):
        return found == (Finding(SECRETS, SECRETS * self.times, 0) if self.times else NOTHING)

    def text(self):
        return ("none", "once", "twice")[self.times] if self.times < 3 else f"{self.times} times"


class Found(NamedTuple):
    """Most secrets are there whole: a control."""

    def holds(self, found):
        return found.whole > SECRETS // 2

    def text(self):
        return "found"


class NoImage(NamedTuple):
    """Nothing: the kernel does not hibernate."""

    def holds(self, found):
        return found == NOTHING

    def text(self):
        return "no image"


class OnceOrMore(NamedTuple):
    """Each secret is there, and there may be copies in frames that the kernel has."""

    def holds(self, found):
        return found.whole == SECRETS

    def text(self):
        return "once or more"


class Left(NamedTuple):
    """What is found is explained, and nothing is no fault: the kernel uses frames again as it likes."""

    def holds(self, _):
        return True

    def text(self):
        return "may be left"


NONE, ONCE = Exactly(0), Exactly(1)


def in_use(holder, kind):
    """Copies in RAM: one, and of ram_memory the secret beside the buffer that was unlocked, unless that rests sealed."""
    return Exactly(2 if kind == "ram" and not holder.seals else 1)


def at_rest(holder, kind):
    return NONE if kind in SPLIT or (holder.seals and kind in SEALED) else ONCE


def with_child(holder, kind):
    """The child has a copy of what is open. What is closed it has sealed."""
    return Exactly(in_use(holder, kind).times + 1)


def expected_of(holder, kind):
    """(column, file, what is expected) of a type in a process. Not held: frames of a process that ended without a wipe."""
    if kind == "plain":
        yield from expected_of_ordinary(holder)
    elif kind == "sodium":
        if holder.role == "lives":
            yield "in use", "ram", ONCE
            yield "under pressure", "swap", NONE
            yield "freed", "ram", NONE
        if holder.role == "ends":
            yield "ended", "disk", NONE
            yield "ended", "ram", Left()
        if holder.role == "hibernates":
            yield "hibernated", "swap", Found()
    elif holder.backing == "unlocked":
        yield "in use", "ram", Exactly(2) if kind == "piped" else in_use(holder, kind)
        yield "under pressure", "swap", Found()
    elif kind == "piped":
        yield from expected_of_piped(holder)
    else:
        yield from expected_of_secrets(holder, kind)


def expected_of_piped(holder):
    """The kernel keeps the page of an empty pipe until the pipe is closed, and wipes it never. It neither swaps nor dumps it."""
    for column, file, wanted in expected_of_secrets(holder, "piped"):
        if column == "with a child":
            yield column, file, Exactly(2)  # the child has ended the use that its parent began, and sealed it
        elif column == "ended" and file == "ram":
            yield column, file, Left()
        elif isinstance(wanted, Exactly) and (file == "ram" or column in ("hibernated", "resumed")):
            yield column, file, Exactly(wanted.times + 1)
        else:
            yield column, file, wanted


def expected_of_ordinary(holder):
    if holder.role == "lives":
        yield "in use", "ram", ONCE
        yield "under pressure", "swap", Found()
        yield "at rest", "swap", Found()
        yield "freed", "ram", Left()
    if holder.role == "forks":
        yield "with a child", "ram", Found()
        yield "under pressure", "swap", Found()
    if holder.role == "ends" and holder.end == "crash":
        yield "ended", "disk", Found()
    if holder.role == "ends":
        yield "ended", "ram", Left()
    if holder.role == "hibernates":
        yield "hibernated", "swap", Found()
        yield "resumed", "swap", Found()


def expected_of_secrets(holder, kind):
    wiped = holder.wipes or holder.backing == "hidden"  # the kernel wipes hidden pages
    if holder.role == "lives":
        yield "in use", "ram", in_use(holder, kind)
        yield "at rest", "ram", at_rest(holder, kind)
        yield "freed", "ram", NONE
    if holder.role == "forks":
        yield "with a child", "ram", with_child(holder, kind)
        yield "after the child", "ram", in_use(holder, kind) if wiped else Left()
    if holder.role in ("lives", "forks"):
        for column in "under pressure", "at rest", "freed":
            yield column, "swap", NONE
            yield column, "disk", NONE
    if holder.role == "ends":
        at_end = at_rest(holder, kind) if holder.seals else in_use(holder, kind)
        yield "ended", "ram", NONE if wiped or at_end == NONE else Left()
        yield "ended", "disk", NONE
        yield "ended", "swap", NONE
    if holder.role in ("hibernates", "forbids"):
        rests = at_rest(holder, kind)
        yield "compacted", "ram", rests
        yield "moved", "ram", rests if holder.backing == "hidden" or rests == NONE else OnceOrMore()
    if holder.role == "hibernates":
        for column in "hibernated", "resumed":
            yield column, "swap", at_rest(holder, kind)
    if holder.role == "forbids":
        yield "hibernated", "swap", NoImage()


def expectations():
    """(column, number of the process, type, file, what is expected)"""
    for number, holder in enumerate(HOLDERS):
        for kind in holder.types:
            yield from ((column, number, kind, file, wanted) for column, file, wanted in expected_of(holder, kind))


# ---- Judgement ----

def turned(wanted):
    """An expectation that is wrong where the other is right; None where any finding is right."""
    if isinstance(wanted, Left):
        return None
    return ONCE if wanted == NONE or isinstance(wanted, NoImage) else NONE


def judge(found, expected):
    """What is not as expected; how many expectations could fail; how many of those are met when they are turned round."""
    wrong, judged, unnoticed = [], 0, 0
    for column, number, kind, file, wanted in expected:
        seen = found.get((column, number, kind, file), NOTHING)
        if not wanted.holds(seen):
            holder = HOLDERS[number]
            wrong.append(f"{column}, {holder.name} ({holder.options or 'no options'}), {kind}, {file}: "
                         f"{seen.whole} whole, {seen.copies} copies, {seen.pieces} pieces; expected: {wanted.text()}")
        if turned(wanted) is not None:
            judged += 1
            unnoticed += turned(wanted).holds(seen)
    return wrong, judged, unnoticed


# A title, the phases, the file, and which processes.
COLUMNS = (
    ("RAM, in use", ("in use",), "ram", lambda each: True),
    ("RAM, at rest", ("at rest",), "ram", lambda each: True),
    ("RAM, freed", ("freed",), "ram", lambda each: True),
    ("RAM, beside a child", ("with a child",), "ram", lambda each: True),
    ("RAM, after the child's exit", ("after the child",), "ram", lambda each: not each.wipes),
    ("RAM, after compaction", ("moved",), "ram", lambda each: True),
    ("swap", ("under pressure", "at rest", "freed", "ended"), "swap", lambda each: True),
    ("core file", ("ended",), "disk", lambda each: each.end == "crash" and not each.wipes),
    ("RAM, after a crash or an exit", ("ended",), "ram", lambda each: not each.wipes),
    ("the same, `crash=wipe`", ("ended",), "ram", lambda each: each.wipes),
    ("hibernation image", ("hibernated", "resumed"), "swap", lambda each: True),
)


def table(found, expected):
    """In Markdown: what was found, by backing and type; types of which all is equal share a row."""
    cells = {}
    for column, number, kind, file, wanted in expected:
        holder = HOLDERS[number]
        row = ("ordinary" if kind in ORDINARY else holder.name, kind)
        for title, columns, of, concerned in COLUMNS:
            if column in columns and file == of and concerned(holder):
                seen = found.get((column, number, kind, file), NOTHING)
                text = wanted.text() if wanted.holds(seen) else f"{seen.whole} of {SECRETS}"
                cells.setdefault(row, {}).setdefault(title, set()).add(text)
    rows = {}
    for (name, kind), line in cells.items():
        texts = tuple(" or ".join(sorted(line.get(title, {"–"}))) for title, *_ in COLUMNS)
        rows.setdefault((name, texts), []).append(LABELS.get(kind, kind))
    yield "| backing | type | " + " | ".join(title for title, *_ in COLUMNS) + " |"
    yield "|" + "---|" * (len(COLUMNS) + 2)
    for (name, texts), kinds in rows.items():
        yield f"| {name} | {'; '.join(kinds)} | " + " | ".join(texts) + " |"
