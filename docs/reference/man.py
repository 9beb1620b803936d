"""Writes the man pages: section 3 from the C headers, 1 from docs/command.md and from compat/lockfast-served, 7 from docs/options.md and
from lockfast.h's first comment.

man.py SOURCE FOLDER DATE VERSION CMARK    SOURCE: the project. FOLDER gets man1, man3 and man7; CMARK is cmark-gfm.
"""
import os
import re
import sys

import c_headers
import header_comments
import roff

source, folder, date, version, cmark = sys.argv[1:6]
DOCUMENTS = {"options.md": r"\fBlockfast_options\fP(7)", "command.md": r"\fBlockfast\fP(1)"}
LIBRARIES = {"lockfast.h": ("Lockfast", "lockfast"), "sodium.h": ("Lockfast's drop-in for libsodium", "lockfast-sodium"),
             "gcrypt.h": ("Lockfast's drop-in for libgcrypt", "lockfast-gcrypt")}
ABOUT = {"lockfast.1": "the command of Lockfast, memory for secrets", "lockfast_options.7": "the policy of Lockfast: LOCKFAST_OPTIONS",
         "lockfast.7": "memory for secrets"}


def text_of(*path):
    with open(os.path.join(source, *path), encoding="utf-8") as file:
        return file.read()


def put(made):
    where = os.path.join(folder, f"man{made.section}")
    os.makedirs(where, exist_ok=True)
    with open(os.path.join(where, f"{made.name}.{made.section}"), "w", encoding="ascii") as file:
        file.write(made.text())


def begin(name, section, names, about):
    made = roff.page(name, section, date, version)
    made.heading("NAME")
    made.lines += roff.wrapped(", ".join(roff.escaped(each, code=True) for each in names) + r" \- " + roff.escaped(about))
    return made


def see_also(made, names):
    made.heading("SEE ALSO")
    listed = sorted({name for name in names if name != (made.name, made.section)}, key=lambda one: (one[1], one[0]))
    made.lines += [f".BR {roff.escaped(name, code=True)} ({section})" + ("," if index + 1 < len(listed) else "")
                   for index, (name, section) in enumerate(listed)]


# ---- Section 3 --------------------------------------------------------------------------------------------------------


def function_name(code):
    found = re.match(r"LOCKFAST_API\b.*?\b([a-z_0-9]+)\(", code, re.S)
    return found and found[1]


def prototype(code):
    """A declaration as a reader types it, no line longer than 76."""
    code = re.sub(r"\bLOCKFAST_(API|NODISCARD|NORETURN) ", "", re.sub(r"\s+", " ", code)).strip()
    if len(code) <= 76:
        return [code]
    opening = code.index("(") + 1
    out, current = [], code[:opening]
    for part in re.findall(r"[^,]+,? ?", code[opening:]):
        if len(current) + len(part) > 76:
            out.append(current.rstrip())
            current = " " * min(opening, 12)
        current += part
    return out + [current]


class section:
    """The functions and types of one part of a header: one page, under the name of the first function."""

    def __init__(self, header, title, introduction):
        self.header, self.title, self.introduction, self.parts = header, title, introduction, []

    def names(self):
        return [name for _, code in self.parts for name in [function_name(code)] if name]


def sections_of(header):
    parts = c_headers.parts_of(text_of("include", "lockfast", header))
    heading = next(body for kind, body in ((part[0], part[1]) for part in parts) if kind == "heading")
    found, comment = [], None
    for part in parts:
        if part[0] == "section":
            found.append(section(header, part[1], part[2]))
        elif part[0] in ("doc", "bare") and found:
            comment = part[1] if part[0] == "doc" else comment if function_name(part[2]) else None
            found[-1].parts.append((comment, part[2]))
    return heading, [one for one in found if one.names()]


def with_references(text, home, known):
    """Functions of other pages get their section."""
    def named(match):
        name = match[0]
        if name not in known:
            return roff.escaped(name)
        return roff.bold(name) + ("()" if known[name] == home else f"({3})")
    return "".join(named(piece) if re.fullmatch(r"(?:lockfast|sodium)_[a-z_0-9]+", piece[0]) else roff.escaped(piece[0])
                   for piece in re.finditer(r"\b(?:lockfast|sodium)_[a-z_0-9]+\b|.+?(?=\b(?:lockfast|sodium)_|$)", text, re.S))


def write_type(made, code, home, known):
    """A struct or an enum, and below it what its comments say of each member."""
    comment = re.compile(r"\s*/\*(.*?)\*/", re.S)
    made.code("\n".join(one for one in comment.sub("", code).split("\n") if one.strip()))
    said, waiting = [], None
    for piece in re.finditer(r"/\*(.*?)\*/|[^\n/]+|\n", code, re.S):
        if piece[1] is not None:
            text = re.sub(r"\s+", " ", re.sub(r"\n\s*\*? ?", " ", piece[1])).strip()
            if piece.start() and code[:piece.start()].rpartition("\n")[2].strip():
                said.append((re.findall(r"\w+", code[:piece.start()].rpartition("\n")[2].partition("[")[0])[-1], text))
            else:
                waiting = text
        elif waiting and piece[0].strip():
            said.append((re.findall(r"\w+", piece[0])[-1], waiting))
            waiting = None
    for name, text in said:
        made.item(roff.bold(name), with_references(text[0].upper() + text[1:], home, known) + ("" if text.endswith(".") else "."))


def write_functions(one, introduction, shared, pages, known):
    home = one.names()[0]
    made = begin(home, 3, one.names(), one.title[0].lower() + one.title[1:])
    library, flag = LIBRARIES[one.header]
    made.heading("LIBRARY")
    made.sentences(f"{library} (\\fIlib{roff.escaped(flag, code=True)}\\fP, \\fI\\-l{roff.escaped(flag, code=True)}\\fP)")
    made.heading("SYNOPSIS")
    made.lines += [".nf", f".B #include <lockfast/{one.header}>"]
    for _, code in one.parts:
        if function_name(code):
            made.lines.append(".sp")
            made.lines += [r"\fB" + roff.escaped(each, code=True) + r"\fP" for each in prototype(code)]
    made.lines.append(".fi")

    made.heading("DESCRIPTION")
    for kind, body in header_comments.blocks(introduction + [""] + one.introduction):
        made.paragraph(with_references(re.sub(r"\s+", " ", body), home, known))
    errors = []
    for comment, code in sorted(one.parts, key=lambda part: bool(function_name(part[1]))):
        name = function_name(code)
        made.subheading(roff.escaped(name, code=True) + "()" if name else roff.escaped(re.match(r"\w+ \w+", code)[0], code=True))
        for kind, body in header_comments.blocks(comment or []):
            if kind == "code":
                made.code(body)
                continue
            text, refusals, after = header_comments.refusals(re.sub(r"\s+", " ", body))
            made.paragraph(with_references(f"{text} {after}", home, known))
            errors += [(name, code_name, why) for code_name, why in refusals]
        if not name and "{" in code:
            write_type(made, code, home, known)

    for topic, told in shared:
        if topic == "Results" and errors:
            made.heading("RETURN VALUE")
            made.paragraph(with_references(told[0].upper() + told[1:], home, known))
            made.heading("ERRORS")
            for name, code_name, why in errors:
                term = (rf"\fB{code_name}\fP " if code_name else "") + f"({roff.escaped(name, code=True)})"
                why = why or "as its name says"
                made.item(term, with_references(why[0].upper() + why[1:], home, known) + ("" if why.endswith(".") else "."))
        elif topic == "Threads":
            made.heading("THREADS")
            made.paragraph(with_references(told[0].upper() + told[1:], home, known))
    see_also(made, [("lockfast", 7), ("lockfast_options", 7)] + [(page, 3) for page in pages])
    put(made)
    for alias in one.names()[1:]:
        with open(os.path.join(folder, "man3", alias + ".3"), "w", encoding="ascii") as file:
            file.write(f".so man3/{home}.3\n")


def write_overview(heading, pages):
    """lockfast(7): the first comment of lockfast.h, and which page has what."""
    made = begin("lockfast", 7, ["lockfast"], ABOUT["lockfast.7"])
    made.heading("DESCRIPTION")
    sentence, rest = header_comments.heading(heading)
    made.paragraph(roff.escaped(sentence))
    for kind, body in header_comments.blocks(rest):
        if kind == "code":
            made.code(re.sub(r"(?m)^   ", "", body))
        else:
            topic, colon, told = body.partition(": ")
            if colon and topic in ("Results", "Threads"):
                made.heading({"Results": "RETURN VALUE"}.get(topic, topic.upper()))
                body = told[0].upper() + told[1:]
            made.paragraph(roff.escaped(re.sub(r"\s+", " ", body)))
    made.heading("FUNCTIONS")
    for one in pages:
        made.item(rf"\fB{roff.escaped(one.names()[0], code=True)}\fP(3)", roff.escaped(one.title + "."))
    see_also(made, [("lockfast", 1), ("lockfast_options", 7)])
    put(made)


def write_headers():
    heading, pages = sections_of("lockfast.h")
    shared = header_comments.promises(header_comments.heading(heading)[1])
    below = {}
    for header in ("sodium.h", "gcrypt.h"):
        about, drop_in = sections_of(header)
        below |= {id(one): header_comments.heading(about)[1] for one in drop_in}
        pages += drop_in
    known = {name: one.names()[0] for one in pages for name in one.names()}
    os.makedirs(os.path.join(folder, "man3"), exist_ok=True)
    for one in pages:
        write_functions(one, below.get(id(one), []), shared, [each.names()[0] for each in pages], known)
    write_overview(heading, pages)


# ---- Sections 1 and 7 -------------------------------------------------------------------------------------------------


def parts_of(document):
    """What precedes the first heading of level 2, and what follows each: [(title, blocks)]."""
    found = [("", [])]
    for node in document:
        if node.tag == "heading" and node.get("level") == "1":
            continue
        if node.tag == "heading" and node.get("level") == "2":
            found.append(("".join(node.itertext()).strip(), []))
        else:
            found[-1][1].append(node)
    return found


def write_command():
    first, *parts = parts_of(roff.markdown(os.path.join(source, "docs", "command.md"), cmark))
    commands = [(title.removeprefix("lockfast "), blocks) for title, blocks in parts if title.startswith("lockfast ")]
    tables = {roff.plain(node.find("table_header")[0]): node for node in first[1] if node.tag == "table"}
    about = {roff.plain(row[0]).removeprefix("lockfast "): roff.plain(row[1]) for row in tables["command"].findall("table_row")}
    missing = {name for name, _ in commands} ^ set(about)
    if missing:
        sys.exit(f"docs/command.md: the table of commands and the headings differ: {', '.join(sorted(missing))}")
    made = begin("lockfast", 1, ["lockfast"], ABOUT["lockfast.1"])
    made.heading("SYNOPSIS")
    made.lines.append(r"\fBlockfast\fP \fIcommand\fP [\fIoption\fP ...]")
    made.heading("DESCRIPTION")
    roff.write(made, [node for node in first[1] if node.tag != "table"], DOCUMENTS)
    for title, heading in (("command", "COMMANDS"), ("exit status", '"EXIT STATUS"')):
        made.heading(heading)
        roff.write(made, [tables.pop(title)], DOCUMENTS)
    if tables:
        sys.exit(f"docs/command.md: a table of no section: {', '.join(tables)}")
    see_also(made, [("lockfast-" + name, 1) for name in about] + [("lockfast", 7), ("lockfast_options", 7)])
    put(made)
    for name, blocks in commands:
        made = begin("lockfast-" + name, 1, ["lockfast-" + name], about[name])
        made.heading("SYNOPSIS")
        made.lines.append(".nf")
        made.lines += [r"\fB" + roff.escaped(each, code=True) + r"\fP" for each in blocks[0].text.strip().split("\n")]
        made.lines.append(".fi")
        made.heading("DESCRIPTION")
        roff.write(made, blocks[1:], DOCUMENTS)
        see_also(made, [("lockfast-" + other, 1) for other in about] + [("lockfast", 1), ("lockfast_options", 7)])
        put(made)


def write_script(path):
    """A command that is a script: its first comment."""
    lines = []
    for line in text_of(*path).split("\n")[1:]:
        if not line.startswith("#"):
            break
        lines.append(re.sub(r"^# ?", "", line))
    name = path[-1]
    sentence, rest = header_comments.heading(lines)
    blocks = header_comments.blocks(rest)
    made = begin(name, 1, [name], sentence[0].lower() + sentence[1:].rstrip("."))
    made.heading("SYNOPSIS")
    made.lines.append(roff.bold(blocks[0][1].strip()))
    made.heading("DESCRIPTION")
    made.paragraph(roff.escaped(sentence))
    for _, body in blocks[1:]:
        made.paragraph(roff.escaped(re.sub(r"\s+", " ", body)))
    see_also(made, [("lockfast", 7), ("sodium_malloc", 3)])
    put(made)


def write_options():
    made = begin("lockfast_options", 7, ["lockfast_options"], ABOUT["lockfast_options.7"])
    for title, blocks in parts_of(roff.markdown(os.path.join(source, "docs", "options.md"), cmark)):
        made.heading(roff.escaped(title.upper()) if title else "DESCRIPTION")
        roff.write(made, blocks, {name: what for name, what in DOCUMENTS.items() if name != "options.md"})
    see_also(made, [("lockfast", 1), ("lockfast", 7), ("lockfast_configure", 3), ("lockfast_describe", 3)])
    put(made)


write_headers()
write_command()
write_script(["compat", "lockfast-served"])
write_options()
