"""Reads what the public headers' comments say. header_comments.py HEADER prints the header as Doxygen wants it: its INPUT_FILTER.

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
import os
import re
import sys

# The group of what a C++ header declares; another header is a group of its own name.
GROUPS = {
    "allocator.hpp": ("containers", "C++: containers in locked memory"),
    "secret.hpp": ("secrets", "C++: buffer and boxed"),
    "memory_error.hpp": ("errors", "C++: errors"),
    "error_detail.hpp": ("errors", "C++: errors"),
    "boojum.hpp": ("split", "C++: secrets that are nowhere whole at rest"),
    "passphrase.hpp": ("passphrases", "C++: passphrases"),
    "secret_input.hpp": ("input", "C++: secrets from a terminal or a descriptor"),
    "vault.hpp": ("vault", "C++: the vault"),
    "vault_handles.hpp": ("vault", "C++: the vault"),
    "vault_views.hpp": ("vault", "C++: the vault"),
    "procedures.hpp": ("procedures", "C++: what is done with a vault's records"),
    "libcrypto_memory.hpp": ("libcrypto", "C++: libcrypto's memory"),
}

# Private classes that a header must define.
INTERNAL = ("vault::lock_use",)

SCOPE = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")
ALONE = re.compile(r"\n\n(/\*(?:[^*]|\*(?!/))*\*/)\n\n")
ITEM = re.compile(r"(E[A-Z0-9]{2,}|[a-z]+(?:_[a-z]+)*)(?: - (.*))?$", re.S)
FUNCTION = re.compile(r"\b((?:lockfast|sodium)_[a-z_0-9]+)\b(?=\(| \()")


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


# ---- C ----------------------------------------------------------------------------------------------------------------


def c_header(source):
    """The parts of a C header, in order: ("heading", lines), ("section", title, lines), ("doc", lines, declaration), ("bare", None,
    declaration)."""
    parts = []
    position = 0
    pending = None
    begun = False
    source = source[:re.search(r"#ifdef __cplusplus\n\}", source).start()] if "#ifdef __cplusplus\n}" in source else source
    while position < len(source):
        if source.startswith("/*", position):
            end = source.index("*/", position) + 2
            comment = source[position:end].splitlines()
            title = rule(comment[0])
            if title:
                alone = ALONE.match(source, end)
                parts.append(("section", title, bare(alone[1].splitlines()) if alone else []))
                end = alone.end(1) if alone else end
            elif not begun:
                parts.append(("heading", bare(comment)))
            elif source[end:end + 1] == "\n" and source[end + 1:end + 2] not in ("\n", "#", ""):
                pending = bare(comment)
            begun = True
            position = end
        elif source[position] == "\n":
            if source.startswith("\n\n", position):
                pending = None
            position += 1
        elif source[position] == "#":
            while True:
                end = source.find("\n", position)
                end = len(source) if end < 0 else end
                position = end
                if source[end - 1] != "\\":
                    break
                position += 1
        elif source.startswith('extern "C" {', position):
            position += len('extern "C" {')
        else:
            end, depth = position, 0
            while source[end] != ";" or depth:
                if source.startswith("/*", end):
                    end = source.index("*/", end)
                depth += {"{": 1, "}": -1}.get(source[end], 0)
                end += 1
            end += 1
            behind = re.match(r" */\*.*?\*/", source[end:], re.S)
            end += behind.end() if behind else 0
            parts.append(("doc" if pending else "bare", pending, source[position:end]))
            position = end
    return parts


def c_functions(sources):
    return {name for source in sources for name in re.findall(r"^LOCKFAST_API [^;]*?\b([a-z_0-9]+)\(", source, re.M)}


def c_for_doxygen(source, functions):
    comments = re.compile(r"/\*.*?\*/", re.S)
    first = comments.search(source)
    sentence, rest = heading(bare(first[0].splitlines()))
    shared = promises(rest)
    state = {"open": False}

    def replaced(match):
        start, end = match.span()
        lines = match[0].splitlines()
        if match.start() == first.start():
            return "/** @file\n@brief " + prose(sentence, functions) + "\n\n" + for_doxygen(rest, functions) + " */"
        title = rule(lines[0])
        if title:
            closing = "/** @} */ " if state["open"] else ""
            state["open"] = True
            alone = ALONE.match(source, end)
            below = for_doxygen(bare(alone[1].splitlines()), functions) + "\n\n" if alone else ""
            name = re.sub(r"[^a-z]+", "_", title.lower()).strip("_")
            return closing + f"/** @defgroup {name} {title}\n" + below + "\n\n".join(
                "@par " + topic + "\n" + prose(told[0].upper() + told[1:], functions) for topic, told in shared) + "\n@{ */"
        line_start = source.rfind("\n", 0, start) + 1
        if source[line_start:start].strip():
            return doc(bare(lines), functions, member=True)
        if source[end:end + 1] == "\n" and (source[end + 1:end + 2] not in ("\n", "#", "")
                                            or source.startswith("#define", end + 1)):
            return doc(bare(lines), functions)
        return match[0]

    made = comments.sub(replaced, source)
    if state["open"]:
        made = re.sub(r"(#ifdef __cplusplus\n\}\n#endif\n\s*#endif\s*)$", r"/** @} */\n\1", made)
    # A comment is of the functions that follow its own without an empty line, too.
    lines, index, current = made.split("\n"), 0, None
    while index < len(lines):
        if lines[index].startswith("/** "):
            begin = index
            while "*/" not in lines[index]:
                index += 1
            text = "\n".join(lines[begin:index + 1])
            current = None if re.search(r"@file|@\{|@\}", text) else text
            index += 2
            continue
        if not lines[index].strip():
            current = None
        elif current and lines[index].startswith(("LOCKFAST_API", "#define LOCKFAST_")):
            lines[index] = current + "\n" + lines[index]
        index += 1
    return "\n".join(lines)


# ---- C++ --------------------------------------------------------------------------------------------------------------


def code_only(line):
    """A line without its comment and without what is in quotes."""
    line = re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'', '""', line)
    return line.split("//")[0]


def standard_member(code):
    """What is said of members that every class has: a text, "" to leave it out, or None for any other."""
    if re.search(r"= delete;|using (value|difference)_type\b", code) or re.match(r"\s*~|\s*(explicit )?\w+\(\) = default;", code):
        return ""
    if re.match(r"\s*(\w+)\(\1&&\s*\w*\)", code):
        return "Takes what the other one holds, and leaves it empty."
    if re.match(r"\s*(\w+)& operator=\(\1&&\s*\w*\)", code):
        return "Lets go of what it holds, and takes what the other one holds."
    return None


def cpp_for_doxygen(source, name, functions):
    for internal in INTERNAL:
        begin = re.search(rf"^class (?:LOCKFAST_API )?{internal} \{{$", source, re.M)
        if begin:
            source = source[:source.rindex("\n\n", 0, begin.start())] + source[source.index("\n};\n", begin.start()) + 4:]
    lines = source.split("\n")
    count = 0
    while lines[count].startswith("//"):
        count += 1
    sentence, rest = heading(bare(lines[:count]))
    group, title = GROUPS.get(name, (re.sub(r"\W", "_", name), name))
    whole = doc([sentence] + rest, functions)  # also of the first class that has no comment of its own
    out = [f"/** @file\n@brief {prose(sentence, functions)} */", f"/** @addtogroup {group} {title}\n\n" + whole[4:]]

    scopes = []          # of each open brace: whether declarations are within
    statement = ""       # the declaration that has begun
    current = None       # the comment that holds for it and those that follow
    named = 0            # how many braces are open around the part of a class that is open; 0: none is
    hidden = 0           # the same of the private part of a class, which is left out
    grouped = False
    index = count
    while index < len(lines):
        line = lines[index]
        stripped = line.strip()
        declarative = all(scopes)
        if stripped.startswith("inline namespace LOCKFAST_STANDARD_LIBRARY") or \
                stripped.startswith("}  // namespace LOCKFAST_STANDARD_LIBRARY"):
            out.append("")
            index += 1
            current = None
            continue
        if declarative and not statement and stripped.startswith("//"):
            end = index
            while end < len(lines) and lines[end].strip().startswith("//"):
                end += 1
            text = bare(lines[index:end])
            title = rule(line)
            following = lines[end].strip() if end < len(lines) else ""
            if title:
                below = []
                after = end + 1
                while after < len(lines) and lines[after].strip().startswith("//"):
                    after += 1
                if not following and after > end + 1 and not lines[after].strip():
                    below, end = bare(lines[end + 1:after]), after
                out.append(("/** @} */ " if named else "") + f"/** @name {title}\n{for_doxygen(below, functions)}\n@{{ */")
                named, current = len(scopes), None
            elif following and not following.startswith(("#", "}")):
                current = doc(text, functions)
                out.append(current)
                index = end
                statement = ""
                # The declaration itself, which has its comment.
                line, stripped = lines[index], lines[index].strip()
                own = True
                index, scopes, statement = declaration(lines, index, scopes, out, functions, current, own)
                continue
            else:
                out += lines[index:end]
            index = end
            continue
        if not stripped:
            current = None
            out.append(line)
            index += 1
            continue
        code = code_only(line)
        if re.match(r"\s*(public|private|protected):", code):
            if named == len(scopes):
                out.append("/** @} */")
                named = 0
            current = None
            if hidden == len(scopes):
                out.append("/** @endcond */")
                hidden = 0
            if "private" in code and not hidden:
                out += [line, "/** @cond */"]
                hidden = len(scopes)
                index += 1
                continue
        if declarative and stripped.startswith("};"):
            if named == len(scopes):
                out.append("/** @} */")
                named = 0
            if hidden == len(scopes):
                out.append("/** @endcond */")
                hidden = 0
        if declarative and stripped.startswith("}  // namespace lockfast") and grouped:
            out.append("/** @} */")
            grouped = False
        if current is None and whole and len(scopes) == 1 and re.match(r"class (LOCKFAST_API )?\w+( final)?( : .*)? \{", stripped):
            out.append(whole)
            whole = None
        if re.match(r"namespace lockfast \{", stripped) and not grouped:
            out.append(line + f" /** @addtogroup {group}\n@{{ */")
            grouped = True
            scopes.append(True)
            index += 1
            continue
        index, scopes, statement = declaration(lines, index, scopes, out, functions, current, False)
    return "\n".join(out)


def opens_scope(text):
    """Whether declarations are within the brace that follows: it is that of a namespace or a class."""
    while re.search(r"<[^<>]*>", text):
        text = re.sub(r"<[^<>]*>", "", text)
    return bool(SCOPE.search(text)) and not re.search(r"[=(]", text)


def declaration(lines, index, scopes, out, functions, current, own):
    """Copies one line of code, and all lines of what begins there: its body, or the rest of the declaration."""
    line = lines[index]
    code = code_only(line)
    scopes = list(scopes)
    if all(scopes) and not own and code.strip() and not re.match(r"\s*(#|\}|public:|private:|protected:)", code):
        both = code + (lines[index + 1] if re.match(r"\s*template <[^;{]*>\s*$", code) else "")
        said = standard_member(both)
        if said == "" and both != code:
            out += ["/** @cond */ " + line, lines[index + 1] + " /** @endcond */"]
            return index + 2, scopes, ""
        if said == "" and code.rstrip().endswith((";", "}")):
            out.append("/** @cond */ " + line + " /** @endcond */")
            return index + 1, scopes, ""
        if said:
            line = f"/** {said} */ " + line
        elif current and "(" in code and "//" not in line:
            line = current + "\n" + line
    begin = index
    text = ""
    while True:
        code = code_only(lines[index])
        shown = line if index == begin else lines[index]
        if all(scopes):
            shown = trailing(shown, functions)
        out.append(shown)
        for at, char in enumerate(code):
            if char == "{":
                inside = all(scopes) and opens_scope(text)
                scopes.append(inside)
                text = ""
                continue
            if char == "}" and scopes:
                scopes.pop()
            text = "" if char == ";" and all(scopes) else text + char
        index += 1
        if index >= len(lines) or code.lstrip().startswith("#"):
            break
        if all(scopes) and re.search(r"[;{}:,]\s*$", code.rstrip() or ";"):
            break
        if all(scopes) and not code.strip():
            break
        if all(scopes) and re.match(r"\s*(namespace|extern)", code):
            break
    return index, scopes, ""


def trailing(line, functions):
    """Marks a comment behind a member or an enumerator."""
    if "/**" in line or re.match(r"\s*(class|struct|enum) \w+;", line):
        return line
    code = code_only(line)
    behind = re.search(r"//\s?(.*)$", line[len(code.rstrip()):]) if re.search(r"[;,]\s*$|^\s+[a-z_0-9]+( = \w+)?\s*$", code) else None
    return line[:len(code.rstrip())] + " " + doc([behind[1]], functions, member=True) if behind else line


def main(path):
    with open(path, encoding="utf-8") as file:
        source = file.read()
    folder = os.path.dirname(os.path.abspath(path)).removesuffix("/detail")
    headers = []
    for name in ("lockfast.h", "sodium.h"):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            headers.append(file.read())
    functions = c_functions(headers)
    if path.endswith(".h"):
        made = c_for_doxygen(source, functions)
    else:
        made = cpp_for_doxygen(source, os.path.basename(path), functions)
    sys.stdout.reconfigure(encoding="utf-8")
    print(made)


if __name__ == "__main__":
    main(sys.argv[1])
