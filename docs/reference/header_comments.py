"""Reads what the comments of the public headers say.

The headers are written for readers: `// text` in C++, `/* text */` in C. What counts as documentation:

  the first comment                     of the header, and of its group: "name.h - one sentence", then the text
  ---- Title ----                       in C a group of functions, in C++ a part of a class; a comment that stands alone
                                        below it is of the whole group
  a comment right before a declaration  of this one, and of the functions that follow it without an empty line
  a comment behind a member             of this member
  Refusals: NAME - text; NAME.          a list, to the end of the sentence
  lines indented by four               code, or a picture

Comments within functions are left alone, and so are those before an empty line.
"""
import re

ITEM = re.compile(r"(E[A-Z0-9]{2,}|[a-z]+(?:_[a-z]+)*)(?: - (.*))?$", re.S)


def refusals(text):
    """Splits a text into what precedes its refusals, their [(name or None, text)], and the sentences that follow."""
    match = re.search(r"\b(?:Refusals?|Refuses): ", text)
    if not match:
        return text, [], ""
    before, rest = text[:match.start()].rstrip(), text[match.end():]
    end = re.search(r"\.(?=\s+[A-Z]|\s*$)", rest)
    listed, after = (rest[:end.start()], rest[end.end():].strip()) if end else (rest, "")
    items = []
    for item in re.split(r";\s+", listed):
        named = ITEM.match(item)
        if named:
            items.append((named[1], (named[2] or "").strip()))
        else:
            items.append((None, re.sub(r"^(and|else) ", lambda word: "" if word[1] == "and" else "otherwise ", item)))
    return before, items, after


def bare(lines):
    """The text of comment lines without their marks, and without the indentation that all of them have."""
    return [re.sub(r"^\s*(?://+|/\*+|\*(?!/)) ?", "", re.sub(r"\s*\*+/\s*$", "", line)).rstrip() for line in lines]


def blocks(text):
    """Paragraphs of a comment: ("text", joined lines) and ("code", lines)."""
    found, kind, held = [], None, []

    def end():
        nonlocal held
        while held and not held[-1].strip():
            held.pop()
        if held:
            found.append((kind, "\n".join(held)))
        held = []

    for line in text:
        now = "code" if line.startswith("   ") and line.strip() else "text"
        if not line.strip():
            if kind == "text":
                end()
                kind = None
            elif held:
                held.append("")
            continue
        if now != kind:
            end()
            kind = now
        held.append(line)
    end()
    return found


def for_doxygen(text, functions=()):
    """A comment's lines as Doxygen's text."""
    out = []
    for kind, body in blocks(text):
        if kind == "code":
            out += ["", "@code{.cpp}" if re.search(r"[;{]", body) else "@code{.unparsed}", body, "@endcode", ""]
            continue
        before, items, after = refusals(body)
        for part in (before, None, after):
            if part is None:
                if items:
                    out += ["", "@par Refusals"]
                    out += ["- " + (f"`{name}`" + (": " if why else "") if name else "") + prose(why, functions) for name, why in items]
                    out.append("")
            elif part:
                out += [prose(part, functions), ""]
    return "\n".join(out).strip("\n")


def prose(text, functions):
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"(?<!\\)([<>#&@\\])", r"\\\1", text)
    return re.sub(r"\b([a-z]+_[a-z_0-9]+)\b(?!\()", lambda name: name[1] + "()" if name[1] in functions else name[1], text)


def doc(text, functions, member=False):
    return "/**" + ("<" if member else "") + " " + for_doxygen(text, functions) + " */"


def heading(text):
    """The name of a header, its sentence, and the text below."""
    joined = " ".join(text)
    sentence = re.match(r"\s*\S+ - (.*?\.)(?:\s|$)", joined, re.S)
    count = 0
    for count in range(1, len(text) + 1):
        if sentence and sentence[1].split()[-1] in text[count - 1] and sentence[0].strip() in " ".join(text[:count]):
            break
    first = sentence[1] if sentence else joined
    left = " ".join(text[:count])[len(sentence[0].rstrip()) if sentence else 0:].strip()
    return first[0].upper() + first[1:], ([left] if left else []) + text[count:]


def promises(text):
    """What holds for every function of a header: [("Results" or "Threads", text)]."""
    named = [re.match(r"(Results|Threads):\s+(.*)", body, re.S) for kind, body in blocks(text) if kind == "text"]
    return [(match[1], re.sub(r"\s+", " ", match[2])) for match in named if match]


def rule(line):
    match = re.match(r"\s*(?://|/\*) -{4,} (.*?) -{4,}", line)
    return match and match[1]
