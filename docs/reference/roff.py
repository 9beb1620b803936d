"""Man pages in roff: text, lists and code, and what cmark-gfm says of a Markdown document."""
import re
import subprocess
import textwrap
import xml.etree.ElementTree

SPECIAL = {"\\": r"\e", "-": r"\-", "\u2013": r"\(en", "\u2014": r"\(em", "\u2026": "...", "\u00d7": r"\(mu", "\u2019": r"\(cq",
           "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}


def escaped(text, code=False):
    """Text that roff prints as it is; a hyphen in code is a minus, for searching and copying."""
    out = []
    for char in text:
        if char == "-" and not code or char == "'" and not code:
            out.append(char)
        elif char in SPECIAL:
            out.append(SPECIAL[char])
        else:
            out.append(char if ord(char) < 128 else rf"\[u{ord(char):04X}]")
    return "".join(out)


def line(text):
    """A line of input that is no request."""
    return r"\&" + text if text.startswith((".", "'")) else text


def bold(text):
    return rf"\fB{escaped(text, code=True)}\fP"


def wrapped(text):
    """Lines of input of at most 78 characters, which roff fills again."""
    return textwrap.wrap(text, 78, break_long_words=False, break_on_hyphens=False)


class page:
    """One page, that is written from top to bottom."""

    def __init__(self, name, section, date, version):
        self.name, self.section = name, section
        self.lines = [f'.TH {name.upper()} {section} {date} "Lockfast {version}" "Lockfast"', ".nh", ".ad l"]

    def heading(self, title):
        self.lines.append(f".SH {title}")

    def subheading(self, title):
        self.lines.append(f".SS {title}")

    def paragraph(self, text):
        """Sentences, each a line of input; text is escaped already."""
        if not self.lines[-1].startswith((".SH", ".SS", ".IP", ".TP")):
            self.lines.append(".PP")
        self.sentences(text)

    def sentences(self, text):
        for sentence in re.split(r"(?<=[.:;])\s+(?=[A-Z])", re.sub(r"\s+", " ", text).strip()):
            self.lines += [line(part) for part in wrapped(sentence)]

    def item(self, term, text):
        self.lines += [".TP", line(term)]
        self.sentences(text)

    def bullet(self, text):
        self.lines.append(r".IP \(bu 2")
        self.sentences(text)

    def code(self, text):
        self.lines += [".PP", ".in +4n", ".EX"] if not self.lines[-1].startswith((".SH", ".SS")) else [".in +4n", ".EX"]
        self.lines += [line(escaped(one, code=True)) for one in text.rstrip("\n").split("\n")]
        self.lines += [".EE", ".in"]

    def text(self):
        return "\n".join(self.lines) + "\n"


def markdown(path, cmark):
    """The document of a Markdown file, as cmark-gfm's XML."""
    made = subprocess.run([cmark, "--extension", "table", "--to", "xml", path], check=True, stdout=subprocess.PIPE).stdout
    root = xml.etree.ElementTree.fromstring(made)
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
    return root


def inline(node, references):
    """The text of a paragraph, a heading or a cell; references: what stands for a link to a document."""
    out = []
    for child in node:
        if child.tag == "text":
            out.append(escaped(child.text or ""))
        elif child.tag in ("softbreak", "linebreak"):
            out.append(" ")
        elif child.tag == "code":
            out.append(bold(child.text or ""))
        elif child.tag == "emph":
            out.append(rf"\fI{inline(child, references)}\fP")
        elif child.tag == "strong":
            out.append(rf"\fB{inline(child, references)}\fP")
        elif child.tag == "link":
            target = child.get("destination").split("#")[0].rpartition("/")[2]
            out.append(references[target] if target in references else inline(child, references))
        elif child.tag not in ("html_inline", "image"):
            raise ValueError(f"no roff for {child.tag}")
    return "".join(out)


def plain(node):
    """The text alone."""
    return "".join(node.itertext()).strip()


def rows(table, references):
    """The titles of a table, and its rows."""
    titles = [inline(cell, references) for cell in table.find("table_header")]
    return titles, [[inline(cell, references) for cell in row] for row in table.findall("table_row")]


def write(made, nodes, references):
    """Adds the blocks of a document to a page. A table becomes a list: its first column names, the second one tells."""
    for node in nodes:
        if node.tag == "paragraph":
            text = inline(node, references)
            if text.strip():  # a picture has none
                made.paragraph(text)
        elif node.tag == "heading":
            made.subheading(inline(node, references))
        elif node.tag == "code_block":
            made.code(node.text)
        elif node.tag == "table":
            titles, lines = rows(node, references)
            for row in lines:
                more = [f"{title[0].upper() + title[1:]}: {cell}." for title, cell in zip(titles[2:], row[2:]) if cell != r"\(en"]
                told = row[1] if len(row) > 1 else ""
                told = told[:1].upper() + told[1:]
                made.item(row[0], " ".join([told + ("" if told.endswith((".", "?")) or not more else ".")] + more))
        elif node.tag == "list":
            for item in node:
                made.bullet(" ".join(inline(part, references) for part in item if part.tag == "paragraph"))
        else:
            raise ValueError(f"no roff for {node.tag}")
