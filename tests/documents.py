#!/usr/bin/env python3
"""documents.py ROOT: what the documents show is what the tests run.

Programs: in the documents of PROGRAMS, each block of C or C++ is an excerpt of the file in examples/ to which the last link before it
leads. A block is a whole file, but for its first lines of comment, or some of its lines in a row, indented less or not.
Plots: below each plot of docs/benchmarks.md are the machine, the commit and the command of its figures, docs/images/NAME.json.
Decisions: the index lists each page once, under the page's number, and each page begins with its number and a title.
"""
import json
import pathlib
import re
import sys
import textwrap

PROGRAMS = ["README.md", "docs/guide.md", "docs/migration.md", "docs/faq.md"]


def blocks(text):
    """(line number, link to an example or None, code) of each block of C or C++."""
    example, start, code = None, None, []
    for number, line in enumerate(text.splitlines(), 1):
        if start is None:
            for link in re.findall(r"\]\(([^)#]*examples/[^)#]*)\)", line):
                example = link
            if re.fullmatch(r"```(c|cpp|c\+\+)", line):
                start, code = number, []
        elif line == "```":
            yield start, example, "\n".join(code)
            start = None
        else:
            code.append(line)


def is_excerpt(code, text):
    wanted, lines = code.splitlines(), text.splitlines()
    return any(textwrap.dedent("\n".join(lines[at:at + len(wanted)])).splitlines() == wanted for at in range(len(lines) - len(wanted) + 1))


def program_faults(root):
    for name in PROGRAMS:
        document = root / name
        if not document.exists():
            continue
        for number, example, code in blocks(document.read_text(encoding="utf-8")):
            where = f"{name}:{number}: "
            if example is None or not (document.parent / example).is_file():
                yield f"{where}no file of examples/ is named before the block"
            elif not code.strip() or not is_excerpt(code, (document.parent / example).read_text(encoding="utf-8")):
                yield f"{where}the block is not in {example}"


def plot_faults(root):
    text = (root / "docs/benchmarks.md").read_text(encoding="utf-8")
    for path in sorted((root / "docs/images").glob("*.json")):
        below = re.search(rf"\]\(images/{path.stem}\.svg\)\n\n([^\n]*)", text)
        of = json.loads(path.read_text(encoding="utf-8"))
        if below is None or not path.with_suffix(".svg").is_file():
            yield f"docs/images/{path.name}: docs/benchmarks.md shows no plot of it"
            continue
        for key in ("machine", "others", "commit", "command"):
            if of[key] not in below[1]:
                yield f"docs/benchmarks.md: the line below {path.stem}.svg does not have the {key} of its figures: {of[key]}"


def decision_faults(root):
    folder = root / "docs/decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\d{4})\]\(([^)]+)\) \| ([^|#]+) \|$", index, re.MULTILINE)
    if len(listed) != len(re.findall(r"^\| \[", index, re.MULTILINE)):
        yield "docs/decisions/README.md: a row is not a number, a link and a plain title"
    files = sorted(page.name for page in folder.glob("[0-9]*.md"))
    if sorted(link for _, link, _ in listed) != files:
        yield f"docs/decisions/README.md: it does not list each page once: {sorted(set(files) ^ {link for _, link, _ in listed})}"
    for number, link, _ in listed:
        if not link.startswith(number):
            yield f"docs/decisions/README.md: {number} leads to {link}"
    for name in files:
        first = (folder / name).read_text(encoding="utf-8").splitlines()[0]
        if not re.fullmatch(rf"# {name[:4]} [^#]+", first):
            yield f"docs/decisions/{name}: its first line is not its number and a title"


def main():
    root = pathlib.Path(sys.argv[1])
    faults = [*program_faults(root), *plot_faults(root), *decision_faults(root)]
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
