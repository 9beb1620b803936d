"""Reads a C header: its parts, for the man pages, and its text with the comments marked for Doxygen."""
import re

from header_comments import bare, doc, for_doxygen, heading, promises, prose, rule

# A comment that stands alone below a title.
ALONE = re.compile(r"\n\n(/\*(?:[^*]|\*(?!/))*\*/)\n\n")


def parts_of(source):
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


def functions_of(sources):
    return {name for source in sources for name in re.findall(r"^LOCKFAST_API [^;]*?\b([a-z_0-9]+)\(", source, re.M)}


def marked(source, functions):
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
