"""The module and the C interface are of one shape: structures, refusals, receipts, options."""
import ast
import ctypes
import errno
import os
import pathlib
import re
import secrets
import subprocess
import sys

import lockfast
import pytest
from children import SOURCE, child, ended_well, live
from lockfast import Access, Backing, Placement, Rest, Secret


def test_structures_and_enums_are_those_of_the_header(tmp_path):
    lines = []
    for name, structure in (("receipt", lockfast._Receipt), ("statistics", lockfast._Statistics), ("options", lockfast._Options)):
        lines.append(f"_Static_assert(sizeof(struct lockfast_{name}) == {ctypes.sizeof(structure)}, \"{name}\");")
        for field, kind in structure._fields_:
            place = getattr(structure, field)
            lines.append(f"_Static_assert(offsetof(struct lockfast_{name}, {field}) == {place.offset}, \"{name}.{field}\");")
            lines.append(f"_Static_assert(sizeof(((struct lockfast_{name}*)0)->{field}) == {ctypes.sizeof(kind)}, \"{name}.{field}\");")
    enums = [value for kind in (Access, Placement, Backing, Rest) for value in kind]
    lines += [f"_Static_assert(LOCKFAST_{value.name} == {value.value}, \"{value.name}\");" for value in enums]
    for option, values in lockfast._OPTIONS.items():
        prefix = {"native_placement": "PLACEMENT"}.get(option, option.upper())
        for number, value in enumerate(values, 1):
            lines.append(f"_Static_assert(LOCKFAST_{prefix}_{value.upper()} == {number}, \"{option}={value}\");")
    lines.append(f"_Static_assert(LOCKFAST_ACCESS_REFUSED == {lockfast._ACCESS_REFUSED}, \"breach\");")
    file = tmp_path / "layout.c"
    file.write_text("#include <lockfast/lockfast.h>\n" + "\n".join(lines) + "\n")
    compiler = [os.environ["LOCKFAST_TEST_CC"], "-std=c11", "-fsyntax-only", f"-I{SOURCE}/include"]
    subprocess.run([*compiler, str(file)], check=True)
    file.write_text(file.read_text() + "_Static_assert(LOCKFAST_READONLY == 2, \"the control\");\n")
    assert subprocess.run([*compiler, str(file)], capture_output=True, check=False).returncode != 0


def test_the_version_is_that_of_the_header():
    header = (SOURCE / "include/lockfast/lockfast.h").read_text()
    assert re.search(r'#define LOCKFAST_VERSION "(.*)"', header)[1] == lockfast.__version__
    assert f"liblockfast.so.{lockfast.__version__.rpartition('.')[0]}" in pathlib.Path(lockfast.__file__).read_text()


def test_it_needs_the_standard_library_alone():
    tree = ast.parse(pathlib.Path(lockfast.__file__).read_text())
    names = {name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in (each.name for each in node.names)}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "ctypes" in names and names <= set(sys.stdlib_module_names)


def test_the_library_is_the_one_that_the_environment_names():
    environment = dict(os.environ, LOCKFAST_LIBRARY="/nowhere/liblockfast.so")
    program = f"import sys; sys.path.insert(0, {os.path.dirname(lockfast.__file__)!r}); import lockfast; print(lockfast._library._name)"
    for flags, named in (([], True), (["-E"], False)):
        ended = subprocess.run([sys.executable, *flags, "-c", program], env=environment, capture_output=True, text=True, check=False)
        assert ("/nowhere/" in ended.stderr) == named, ended
        assert named or "liblockfast.so.0.1" in ended.stdout + ended.stderr, ended


def test_a_receipt_has_names_and_says_what_is_not_in_force():
    assert ended_well("""
        key = Secret(32)
        receipt = key.receipt
        assert receipt.size == 32 and receipt.placement is lockfast.Placement.ISOLATED and receipt.lock_error == 0
        assert receipt.backing is lockfast.Backing.LOCKED and receipt.refused == {"hide": "ECANCELED"}
        print(receipt)
        print(Secret(5, lockfast.Placement.GROUPED).receipt)""", "hidden=off") == (
            "32 bytes, isolated, locked, closed, no hide: ECANCELED\n"
            "5 bytes, grouped, locked, open, no hide: ECANCELED, no rest: ENOTSUP\n")


def test_a_refusal_has_the_errno_and_says_what_it_means():
    before = live()
    with pytest.raises(lockfast.Refused, match="the size is more than there is room for") as caught:
        Secret(1 << 60)
    assert caught.value.errno == errno.ENOMEM and isinstance(caught.value, OSError)
    with pytest.raises(lockfast.Refused, match="too late") as caught:
        lockfast.configure(lock="preferred")
    assert caught.value.errno == errno.EBUSY and lockfast.explain(errno.EBUSY) == caught.value.strerror
    for size in (-1, 1 << 70):
        with pytest.raises(ValueError, match="size"):
            Secret(size)
    for size in ("1", 1.0, None):
        with pytest.raises(TypeError):
            Secret(size)
    with pytest.raises(ValueError, match="7"):
        Secret(1, 7)
    assert live() == before


def test_options_are_those_of_the_library():
    assert ended_well("""
        for wrong, kind in (({"lock": "maybe"}, ValueError), ({"luck": "required"}, TypeError)):
            try:
                lockfast.configure(**wrong)
            except kind as error:
                print(error)
        lockfast.configure(hidden="off", rest="seal", native_placement="isolated", report="2")
        key = Secret.random(32, lockfast.Placement.GROUPED)
        print(key.receipt)
        with key.read():
            print(key.receipt.rest.name)
        sys.stdout.flush()
        os._exit(0)""").splitlines() == [
            "lock is one of required, preferred, not maybe",
            "there is no option luck, but report, " + ", ".join(lockfast._OPTIONS),
            "32 bytes, isolated, locked, sealed, no hide: ECANCELED", "OPEN"]


def test_the_process_is_counted_and_reported():
    with Secret(32) as key:
        counts = lockfast.statistics()
        assert counts["live"] >= 1 and counts["map_limit"] > counts["maps_used"] > 0
        assert counts["allocations"] - counts["frees"] == counts["live"]
        assert lockfast.audit() == 0 and key.check() is None
    assert lockfast.trim() >= 0
    reader, writer = os.pipe()
    lockfast.report(writer)
    assert b'"live"' in os.read(reader, 65536)
    os.close(reader)
    with open(writer, "wb", buffering=0) as file, pytest.raises(lockfast.Refused) as caught:
        lockfast.report(file)
    assert caught.value.errno == errno.EPIPE
    assert ended_well("""
        key = Secret.random(32)
        lockfast.wipe_all()
        print(key.equals(bytes(32)))""") == "True\n"


def test_the_programs_of_the_documents_run(tmp_path):
    programs = re.findall(r"```python\n(.*?)```", (SOURCE / "docs/python.md").read_text(), re.S)
    assert len(programs) >= 2
    (tmp_path / "key").write_bytes(secrets.token_bytes(32))
    for program in programs:
        ended = child(program, cwd=tmp_path)
        assert (ended.returncode, ended.stderr) == (0, ""), ended
