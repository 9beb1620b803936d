"""Marks the comments of a C++ header for Doxygen, line by line."""
import re

from header_comments import bare, doc, for_doxygen, heading, prose, rule

# The group of what a C++ header declares; another header is a group of its own name.
GROUPS = {
    "allocator.hpp": ("containers", "C++: containers in locked memory"),
    "string.hpp": ("containers", "C++: containers in locked memory"),
    "string_functions.hpp": ("containers", "C++: containers in locked memory"),
    "string_searches.hpp": ("containers", "C++: containers in locked memory"),
    "expected.hpp": ("errors", "C++: errors"),
    "secret.hpp": ("secrets", "C++: buffer and boxed"),
    "memory_error.hpp": ("errors", "C++: errors"),
    "error_detail.hpp": ("errors", "C++: errors"),
    "boojum.hpp": ("split", "C++: secrets that are nowhere whole at rest"),
    "passphrase.hpp": ("passphrases", "C++: passphrases"),
    "secret_input.hpp": ("input", "C++: secrets from a terminal or a descriptor"),
    "sealed_stream.hpp": ("streams", "C++: long secrets, chunk by chunk"),
    "vault.hpp": ("vault", "C++: the vault"),
    "vault_handles.hpp": ("vault", "C++: the vault"),
    "vault_views.hpp": ("vault", "C++: the vault"),
    "procedures.hpp": ("procedures", "C++: what is done with a vault's records"),
    "libcrypto_memory.hpp": ("libcrypto", "C++: libcrypto's memory"),
}

# Private classes that a header must define.
INTERNAL = ("vault::lock_use",)
SCOPE = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")


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


def opens_scope(text):
    """Whether declarations are within the brace that follows this text: it is that of a namespace or a class."""
    while re.search(r"<[^<>]*>", text):
        text = re.sub(r"<[^<>]*>", "", text)
    return bool(SCOPE.search(text)) and not re.search(r"[=(]", text)


def without_internal(source):
    for name in INTERNAL:
        begin = re.search(rf"^class (?:LOCKFAST_API )?{name} \{{$", source, re.M)
        if begin:
            source = source[:source.rindex("\n\n", 0, begin.start())] + source[source.index("\n};\n", begin.start()) + 4:]
    return source


class marker:
    """Goes through a header from top to bottom."""

    def __init__(self, source, name, functions):
        self.lines, self.functions = without_internal(source).split("\n"), functions
        self.out = []
        self.at = 0
        self.scopes = []     # of each open brace: whether declarations are within
        self.comment = None  # the comment that holds for what comes next, and for what follows it
        self.part = 0        # how many braces are open around the part of a class that is open; 0: none is
        self.hidden = 0      # the same of the private part of a class, which is left out
        self.grouped = False
        self.group, self.title = GROUPS.get(name, (re.sub(r"\W", "_", name), name))

    def marked(self):
        self.top()
        while self.at < len(self.lines):
            self.step()
        return "\n".join(self.out)

    def top(self):
        """The first comment: of the header, of its group, and of its first class that has no comment of its own."""
        while self.lines[self.at].startswith("//"):
            self.at += 1
        sentence, rest = heading(bare(self.lines[:self.at]))
        self.first = doc([sentence] + rest, self.functions)
        self.out += [f"/** @file\n@brief {prose(sentence, self.functions)} */",
                     f"/** @addtogroup {self.group} {self.title}\n\n" + self.first[4:]]

    def step(self):
        stripped = self.lines[self.at].strip()
        if "namespace LOCKFAST_STANDARD_LIBRARY" in stripped:
            self.copy("")
            self.comment = None
        elif not stripped:
            self.copy("")
            self.comment = None
        elif all(self.scopes) and stripped.startswith("//"):
            self.comment_lines()
        else:
            self.close_parts(stripped)
            if re.match(r"namespace lockfast \{", stripped) and not self.grouped:
                self.copy(self.lines[self.at] + f" /** @addtogroup {self.group}\n@{{ */")
                self.grouped = True
                self.scopes.append(True)
            elif stripped.startswith("private:") and not self.hidden:
                self.copy(self.lines[self.at] + "\n/** @cond */")
                self.hidden = len(self.scopes)
            else:
                self.declaration()

    def copy(self, line):
        self.out.append(line)
        self.at += 1

    def end_of_comment(self, begin):
        while begin < len(self.lines) and self.lines[begin].strip().startswith("//"):
            begin += 1
        return begin

    def comment_lines(self):
        """A title, a comment of what comes next, or one that is left alone."""
        title = rule(self.lines[self.at])
        end = self.end_of_comment(self.at)
        following = self.lines[end].strip() if end < len(self.lines) else ""
        if title:
            below = self.end_of_comment(end + 1)
            alone = not following and below > end + 1 and not self.lines[below].strip()
            text = for_doxygen(bare(self.lines[end + 1:below]), self.functions) if alone else ""
            self.out.append(("/** @} */ " if self.part else "") + f"/** @name {title}\n{text}\n@{{ */")
            self.part, self.comment = len(self.scopes), None
            self.at = below if alone else end
        elif following and not following.startswith(("#", "}")):
            self.comment = doc(bare(self.lines[self.at:end]), self.functions)
            self.out.append(self.comment)
            self.at = end
            self.body(self.lines[self.at])
        else:
            self.out += self.lines[self.at:end]
            self.at = end

    def close_parts(self, stripped):
        """Ends the parts that this line ends: those of a class at its end and where its access changes, the group at the end."""
        if not all(self.scopes):
            return
        if stripped.startswith(("public:", "private:", "protected:")):
            self.comment = None
        elif not stripped.startswith("}"):
            return
        if self.part and self.part == len(self.scopes):
            self.out.append("/** @} */")
            self.part = 0
        if self.hidden and self.hidden == len(self.scopes):
            self.out.append("/** @endcond */")
            self.hidden = 0
        if stripped.startswith("}  // namespace lockfast") and self.grouped:
            self.out.append("/** @} */")
            self.grouped = False

    def declaration(self):
        """What begins on this line and has no comment right before it."""
        line = self.lines[self.at]
        code = code_only(line)
        if all(self.scopes) and code.strip() and not re.match(r"\s*(#|\}|public:|protected:)", code):
            next_line = self.lines[self.at + 1] if re.match(r"\s*template <[^;{]*>\s*$", code) else ""
            said = standard_member(code + next_line)
            if said == "":
                self.copy("/** @cond */ " + line + (" /** @endcond */" if not next_line else ""))
                if next_line:
                    self.copy(next_line + " /** @endcond */")
                return
            if said:
                line = f"/** {said} */ " + line
            elif self.comment and ("(" in code or re.match(r"\s*(template|using) ", code)) and "//" not in line:
                line = self.comment + "\n" + line
            elif self.first and len(self.scopes) == 1 and re.match(r"class (LOCKFAST_API )?\w+( final)?( : .*)? \{", code):
                line = self.first + "\n" + line
                self.first = None
        self.body(line)

    def body(self, shown):
        """Copies what begins on this line: the rest of the declaration, and a function's body."""
        text = ""
        while True:
            code = code_only(self.lines[self.at])
            self.copy(self.trailing(shown) if all(self.scopes) else shown)
            for char in code:
                if char == "{":
                    self.scopes.append(all(self.scopes) and opens_scope(text))
                    text = ""
                    continue
                if char == "}" and self.scopes:
                    self.scopes.pop()
                text = "" if char == ";" and all(self.scopes) else text + char
            ended = all(self.scopes) and (not code.strip() or re.search(r"[;{}:,]\s*$", code) or re.match(r"\s*(namespace|extern)", code))
            if ended or self.at >= len(self.lines) or code.lstrip().startswith("#"):
                return
            shown = self.lines[self.at]

    def trailing(self, line):
        """Marks a comment behind a member or an enumerator."""
        code = code_only(line).rstrip()
        member = re.search(r"[;,]$|^\s+[a-z_0-9]+( = \w+)?$", code)
        if "/**" in line or not member or re.match(r"\s*(class|struct|enum) \w+;", line):
            return line
        behind = re.search(r"//\s?(.*)$", line[len(code):])
        return code + " " + doc([behind[1]], self.functions, member=True) if behind else line


def marked(source, name, functions):
    return marker(source, name, functions).marked()
