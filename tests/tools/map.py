"""`lockfast map`: what it draws of a report, as text and as a picture."""
import json
import os
import re
import subprocess
import xml.etree.ElementTree as tree

from suite import at_terminal, client, command, lockfast, refused, run_tests, scratch

svg = "{http://www.w3.org/2000/svg}"
machine = {"line": "machine", "version": "0.1.0", "process": 7, "reason": "call", "page_size": 4096}
isolated = {"line": "region", "family": "native", "kind": "isolated", "pages": 9, "guards": 4, "guarded_by": "markers", "places": 3,
            "place_pages": 2, "states": [["hidden", 1], ["sealed", 1], ["resting", 1]]}
grouped = {"line": "region", "family": "native", "kind": "grouped", "pages": 17, "guards": 2, "guarded_by": "maps", "places": 1,
           "place_pages": 16, "states": [["locked", 1]]}
slab = {"line": "slab", "family": "native", "pages": 1, "backing": "locked", "capacity": 32, "states": [["live", 2], ["free", 1]]}


def written(*lines, end="\n"):
    path = os.path.join(scratch, "report")
    with open(path, "w") as file:
        file.write("\n".join(map(json.dumps, lines)) + end)
    return path


def drawn(*lines, **more):
    ended = lockfast("map", written(*lines, **more))
    assert ended.returncode == 0 and ended.stderr == "", ended
    return ended.stdout


def picture(*words):
    path = os.path.join(scratch, "map.svg")
    assert lockfast("map", *words, "--svg", path).returncode == 0
    return tree.parse(path).getroot()


def squares(root):
    return [one.get("class") for one in root.iter(svg + "rect") if one.get("class") not in ("ground", "bar")]


def test_each_state_has_its_letter_and_each_guard_its_place():
    text = drawn(machine, isolated, grouped, slab)
    assert "process 7, pages of 4 KiB" in text
    assert "3 places of 2 pages, 4 guard pages by markers" in text and "|h|s|r|" in text
    assert "slots of 32 bytes in 1 page, locked" in text and "|##-|" in text
    for meaning in ("secret, hidden", "secret, sealed", "resting after free", "slot with a secret"):
        assert meaning in text


def test_a_long_run_is_shortened_and_counted():
    assert "|.|.|.|.|+996|" in drawn(machine, dict(isolated, states=[["unused", 1000]]))


def test_a_later_report_of_a_process_replaces_the_earlier_one():
    text = drawn(machine, isolated, machine, dict(isolated, states=[["unlocked", 3]]))
    assert "|u|u|u|" in text and "|h|" not in text


def test_a_copy_of_the_library_that_nobody_called_hides_no_other():
    unused = {"line": "policy", "family": "native", "used": False}
    used = dict(unused, used=True)
    text = drawn(machine, used, dict(isolated, states=[["unlocked", 3]]), machine, unused)
    assert "|u|u|u|" in text
    assert "|u|u|u|" in drawn(machine, unused, machine, used, dict(isolated, states=[["unlocked", 3]]))


def test_the_picture_has_a_square_for_each_cell():
    root = picture(written(machine, isolated, grouped, slab))
    legend = 10
    assert squares(root)[:-legend] == ["hidden", "sealed", "resting", "locked", "live", "live", "free"]
    assert "prefers-color-scheme: dark" in next(root.iter(svg + "style")).text
    width = int(root.get("viewBox").split()[2])
    assert all(int(one.get("x", 0)) < width for one in root.iter() if one.get("x"))


def test_no_text_of_a_report_becomes_markup():
    root = picture(written(machine, dict(isolated, family="<script>&\"", kind="\u0007")))
    assert not list(root.iter(svg + "script")) and any("<script>" in (one.text or "") for one in root.iter(svg + "text"))


def test_no_text_of_a_report_commands_the_terminal():
    harmful = "\x1b[2J\u009b\x7f"
    text = drawn(machine, dict(isolated, kind=harmful, address=harmful), dict(slab, backing=harmful))
    assert text.count("\\x1b[2J\\xc2\\x9b\\x7f") == 3, text
    assert not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f]", text), text
    assert "\\x1b[2J" in refused("map", "/nowhere/" + harmful)


def test_the_picture_has_no_character_that_xml_forbids():
    root = picture(written(machine, dict(isolated, kind="a\uffffb\ufffec")))
    assert any("a b c" in (one.text or "") for one in root.iter(svg + "text"))


def test_a_report_that_broke_off_is_drawn_as_far_as_it_goes():
    assert "|h|s|r|" in drawn(machine, isolated, machine, end="")


def test_a_state_that_is_not_known_is_drawn_as_such():
    assert "|?|" in drawn(machine, dict(isolated, states=[["novel", 1]]))


def test_the_demonstration_has_something_of_each_kind():
    text = lockfast("map", "--demo").stdout
    for meaning in ("secret, sealed", "slot with a secret", "slot, free", "resting after free", "no pages"):
        assert meaning in text, text
    assert {"sealed", "live", "free", "resting"} <= set(squares(picture("--demo"))[:-10])


if client:
    def test_the_map_of_a_program_is_drawn():
        path = os.path.join(scratch, "of_a_program")
        assert lockfast("run", "--report", path, "report_map=on", "--", client, "serve").returncode == 7
        assert "|r|r|r|" in lockfast("map", path).stdout


def test_bad_input():
    assert "--demo" in refused("map") and "--demo" in refused("map", "--demo", written(machine))
    assert "report_map=on" in refused("map", written(machine))
    assert "cannot be read" in refused("map", "/nowhere/report")
    assert "cannot be read (Is a directory); name a report" in refused("map", scratch)
    assert "line 2 is no JSON object" in refused("map", written(machine, 5))
    assert "cannot be written" in refused("map", written(machine, isolated), "--svg", "/nowhere/map.svg")
    assert "cannot be written" in refused("map", written(machine, isolated), "--svg", "/dev/full")


def test_what_has_no_end_is_refused():
    assert "/dev/zero is no report; give a file" in refused("map", "/dev/zero")
    endless = subprocess.Popen(["yes", json.dumps(machine)], stdout=subprocess.PIPE)
    ended = subprocess.run([command, "map", "/dev/stdin"], stdin=endless.stdout, capture_output=True, text=True, timeout=120)
    endless.stdout.close()
    endless.wait()
    assert ended.returncode == 2 and "/dev/stdin is no report; give a file" in ended.stderr, ended


def test_colours_and_width_are_the_terminals():
    output, status = at_terminal("map", written(machine, dict(isolated, states=[["hidden", 40]] * 5)))
    assert status == 0 and "\x1b[32mh" in output
    plain = re.sub("\x1b\\[[0-9;]*m", "", output)
    assert max(map(len, plain.split("\r\n"))) <= 100
    assert "\x1b[" not in at_terminal("map", written(machine, isolated), NO_COLOR="1")[0]


run_tests(globals())
