"""Builds the site: the documents by cmark-gfm, the reference by Doxygen, the man pages by mandoc. site.py FOLDER [--no-reference]

All links are relative, so that it opens from the file system. What a document links to in the source becomes a page, too. A link
that leads nowhere ends this with status 1; other sites are not asked.
"""
import html
import html.parser
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
# The menu; a document that it does not name comes last.
MENU = [("Start", ["README.md", "docs/guide.md", "docs/install.md", "docs/faq.md"]),
        ("Use", ["docs/cpp.md", "docs/options.md", "docs/command.md", "docs/limits.md", "docs/diagnostics.md", "docs/report.md",
                 "docs/your_program.md", "docs/platforms.md"]),
        ("Come from elsewhere", ["docs/sodium.md", "docs/migration.md", "docs/peers.md"]),
        ("Types", ["docs/boojum.md", "docs/vault.md", "docs/python.md", "docs/rest.md"]),
        ("Look inside", ["docs/threat_model.md", "docs/design.md", "docs/glossary.md", "docs/benchmarks.md",
                         "docs/decisions/README.md", "findings/README.md"]),
        ("Develop", ["CONTRIBUTING.md", "SECURITY.md", "docs/testing.md", "docs/porting.md", "CHANGELOG.md"])]


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


def run(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def version():
    return re.search(r"project\(lockfast VERSION (\S+)", read("CMakeLists.txt"))[1]


def page_of(path):
    """Where the page of a file of the source lies."""
    if path == "README.md":
        return "index.html"
    if path.endswith("/README.md"):
        return path[:-len("README.md")] + "index.html"
    if os.path.isdir(os.path.join(SOURCE, path)):
        return f"source/{path}/index.html"
    return path[:-3] + ".html" if path.endswith(".md") else f"source/{path}.html"


def documents():
    found = [name for name in sorted(os.listdir(SOURCE)) if name.endswith(".md")] + ["findings/README.md"]
    for folder in ("docs", "docs/decisions"):
        found += [f"{folder}/{name}" for name in sorted(os.listdir(os.path.join(SOURCE, folder))) if name.endswith(".md")]
    return found


def title_of(path):
    return re.search(r"^# (.*)$", read(path), re.M)[1].replace("`", "")


def relative(target, page):
    return os.path.relpath(target, os.path.dirname(page) or ".").replace(os.sep, "/")


# ---- Pages ------------------------------------------------------------------------------------------------------------


def menu(page):
    """The list of all documents, from a page."""
    named = [path for _, paths in MENU for path in paths]
    others = [path for path in documents() if path not in named and not path.startswith("docs/decisions/")]
    out = []
    for group, paths in MENU + ([("More", others)] if others else []):
        out.append(f"<h2>{html.escape(group)}</h2>\n<ul>")
        for path in paths:
            if os.path.exists(os.path.join(SOURCE, path)):
                here = ' aria-current="page"' if page_of(path) == page else ""
                out.append(f'<li><a href="{relative(page_of(path), page)}"{here}>{html.escape(title_of(path))}</a></li>')
        out.append("</ul>")
    return "\n".join(out)


def bar(page, has_reference=True):
    parts = [("Documents", "index.html"), ("Reference", "reference/index.html"), ("Man pages", "man/index.html")]
    links = "".join(f'<a href="{relative(target, page)}">{name}</a>' for name, target in parts
                    if has_reference or not target.startswith("reference"))
    return f'<header class="bar"><a class="brand" href="{relative("index.html", page)}">Lockfast</a><nav>{links}</nav></header>'


def put(site, page, title, body, has_reference, kind="document"):
    path = os.path.join(site, page)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    side = menu(page)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)}{"" if title == "Lockfast" else " - Lockfast"}</title>
<link rel="stylesheet" href="{relative("style.css", page)}">
</head>
<body class="{kind}">
{bar(page, has_reference)}
<details class="menu narrow"><summary>All documents</summary><nav>{side}</nav></details>
<div class="columns">
<nav class="menu wide" aria-label="Documents">{side}</nav>
<main>
{body}
</main>
</div>
</body>
</html>
""")


def slug(text, taken):
    """The name of a heading, as GitHub makes it."""
    name = re.sub(r"[^\w\- ]", "", html.unescape(re.sub(r"<[^>]*>", "", text)).strip().lower()).replace(" ", "-")
    count = taken.get(name, -1) + 1
    taken[name] = count
    return f"{name}-{count}" if count else name


class document_links:
    """Turns the links of a document to files of the source into links to their pages; notes which files these are."""

    def __init__(self, path, known):
        self.path, self.known, self.wanted, self.images = path, known, set(), set()

    def target(self, link, image=False):
        if re.match(r"[a-z]+:", link) or link.startswith("#"):
            return link
        file, _, anchor = link.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(self.path), urllib.parse.unquote(file))).replace(os.sep, "/")
        if os.path.isdir(os.path.join(SOURCE, path)) and os.path.exists(os.path.join(SOURCE, path, "README.md")):
            path += "/README.md"
        if not os.path.exists(os.path.join(SOURCE, path)):
            return link  # leads nowhere, which is found in the end
        if image or path.endswith(".svg"):
            self.images.add(path)
            return relative(path, page_of(self.path))
        if path not in self.known:
            self.wanted.add(path)
        return relative(page_of(path), page_of(self.path)) + ("#" + anchor if anchor else "")


def body_of(path, links):
    made = run("cmark-gfm", "--unsafe", "--extension", "table", "--extension", "strikethrough", "--extension", "autolink",
               os.path.join(SOURCE, path))
    taken = {}
    made = re.sub(r"<h([1-6])>(.*?)</h\1>",
                  lambda match: f'<h{match[1]} id="{slug(match[2], taken)}">{match[2]}</h{match[1]}>', made, flags=re.S)
    made = re.sub(r'(<a href=")([^"]*)"', lambda match: match[1] + html.escape(links.target(html.unescape(match[2]))) + '"', made)
    made = re.sub(r'(<(?:img|source)[^>]*?(?:src|srcset)=")([^"]*)"',
                  lambda match: match[1] + html.escape(links.target(html.unescape(match[2]), image=True)) + '"', made)
    return re.sub(r"<table>(.*?)</table>", r'<div class="table"><table>\1</table></div>', made, flags=re.S)


def write_documents(site, has_reference):
    known = set(documents())
    wanted, images = set(), set()
    for path in sorted(known):
        links = document_links(path, known)
        put(site, page_of(path), title_of(path), body_of(path, links), has_reference)
        wanted |= links.wanted
        images |= links.images
    folders = {path for path in wanted if os.path.isdir(os.path.join(SOURCE, path))}
    for folder in sorted(folders):
        files = [f"{folder}/{name}" for name in sorted(os.listdir(os.path.join(SOURCE, folder)))]
        files = [path for path in files if os.path.isfile(os.path.join(SOURCE, path))]
        body = "".join(f'<li><a href="{relative(page_of(path), page_of(folder))}">{html.escape(path)}</a></li>\n' for path in files)
        put(site, page_of(folder), folder, f"<h1>{html.escape(folder)}</h1>\n<ul>\n{body}</ul>", has_reference, "source")
        wanted |= set(files)
    for path in sorted(wanted - folders - known):
        body = f"<h1>{html.escape(path)}</h1>\n<pre><code>{html.escape(read(path))}</code></pre>"
        put(site, page_of(path), path, body, has_reference, "source")
    for path in images:
        os.makedirs(os.path.dirname(os.path.join(site, path)), exist_ok=True)
        shutil.copy(os.path.join(SOURCE, path), os.path.join(site, path))


# ---- Reference and man pages ------------------------------------------------------------------------------------------


def write_reference(site, scratch):
    folder = os.path.join(site, "reference")
    os.makedirs(folder)
    with open(os.path.join(HERE, "reference_header.html"), encoding="utf-8") as file:
        header = file.read().replace("@BAR@", bar("reference/index.html"))
    with open(os.path.join(scratch, "header.html"), "w", encoding="utf-8") as file:
        file.write(header)
    with open(os.path.join(scratch, "footer.html"), "w", encoding="utf-8") as file:
        file.write("</main>\n</body>\n</html>\n")
    settings = read("docs", "reference", "Doxyfile.in")
    for name, value in {"PROJECT_SOURCE_DIR": SOURCE, "PROJECT_VERSION": version(), "LOCKFAST_REFERENCE": folder,
                        "Python3_EXECUTABLE": sys.executable}.items():
        settings = settings.replace(f"@{name}@", value)
    settings += f'\nHTML_HEADER = "{scratch}/header.html"\nHTML_FOOTER = "{scratch}/footer.html"\n'
    settings += f'HTML_EXTRA_STYLESHEET = "{HERE}/reference.css"\n'
    with open(os.path.join(scratch, "Doxyfile"), "w", encoding="utf-8") as file:
        file.write(settings)
    subprocess.run(["doxygen", os.path.join(scratch, "Doxyfile")], check=True, env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"))
    os.remove(os.path.join(folder, "lockfast.tag"))


def write_man_pages(site, scratch, has_reference):
    day = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))))
    folder = os.path.join(scratch, "man")
    run(sys.executable, "-B", os.path.join(SOURCE, "docs/reference/man.py"), SOURCE, folder, day, version(), "cmark-gfm")
    rows = {}
    pages = [(section, name) for section in sorted(os.listdir(folder)) for name in sorted(os.listdir(os.path.join(folder, section)))]
    homes = {}
    texts = {}
    for section, name in pages:
        with open(os.path.join(folder, section, name), encoding="ascii") as file:
            texts[name] = file.read()
        alias = re.match(r"\.so man\d/(\S+)", texts[name])
        homes[name] = alias[1] if alias else name
    for section, name in pages:
        if homes[name] != name:
            continue
        text = texts[name]
        made = run("mandoc", "-T", "html", "-O", "fragment,man=%N.%S.html", os.path.join(folder, section, name))
        # Bold references of a text, which man(7) has no macro for.
        made = re.sub(r"<b>((?:lockfast|sodium)\S*?)</b>\((\d)\)", lambda match: '<a class="Xr" href="{}.html">{}({})</a>'.format(
            homes.get(f"{match[1]}.{match[2]}", match[1]), match[1], match[2]), made)
        # An indented line of code gets a break of its own.
        made = re.sub(r"<pre>.*?</pre>", lambda match: re.sub(r"\n?<br/>\n?(?= )", "\n", match[0]), made, flags=re.S)
        made = made.replace('<p class="Pp"></p>\n', "")
        put(site, f"man/{name}.html", f"{name[:-2]}({name[-1]})", made, has_reference, "manual")
        rows[name] = re.sub(r"\s+", " ", re.search(r"^\.SH NAME\n(.*?)^\.SH", text, re.M | re.S)[1]).partition(r" \- ")[2].strip()
    lists = []
    for section, title in (("1", "The command"), ("3", "Functions"), ("7", "Options, and an overview")):
        lists.append(f"<h2>{title}</h2>\n<div class=\"table\"><table>")
        for name in sorted(name for part, name in pages if part == "man" + section):
            about = rows[homes[name]] if homes[name] == name else f"see {homes[name][:-2]}({section})"
            about = about.replace(r"\-", "-").replace(r"\(aq", "'")
            lists.append(f'<tr><td><a href="{homes[name]}.html">{name[:-2]}({section})</a></td><td>{html.escape(about)}</td></tr>')
        lists.append("</table></div>")
    put(site, "man/index.html", "Man pages", "<h1>Man pages</h1>\n" + "\n".join(lists), has_reference)


# ---- Links ------------------------------------------------------------------------------------------------------------


class link_reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.names = set(), set()

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src") and value:
                self.links.add(value)
            elif name == "id" or name == "name" and tag == "a":
                self.names.add(value)


def dead_links(site):
    pages = {}
    for folder, _, names in os.walk(site):
        for name in names:
            if name.endswith(".html"):
                path = os.path.join(folder, name)
                reader = link_reader()
                with open(path, encoding="utf-8") as file:
                    reader.feed(file.read())
                pages[path] = reader
    dead = []
    for path, reader in sorted(pages.items()):
        for link in sorted(reader.links):
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = os.path.normpath(os.path.join(os.path.dirname(path), urllib.parse.unquote(parts.path))) if parts.path else path
            name = urllib.parse.unquote(parts.fragment)
            if not os.path.isfile(target):
                dead.append(f"{os.path.relpath(path, site)}: {link}: there is no such page")
            elif name and target in pages and name not in pages[target].names:
                dead.append(f"{os.path.relpath(path, site)}: {link}: the page has no such place")
    return len(pages), dead


def main(site, has_reference):
    shutil.rmtree(site, ignore_errors=True)
    os.makedirs(site)
    shutil.copy(os.path.join(HERE, "style.css"), site)
    write_documents(site, has_reference)
    with tempfile.TemporaryDirectory() as scratch:
        write_man_pages(site, scratch, has_reference)
        if has_reference:
            write_reference(site, scratch)
    count, dead = dead_links(site)
    print("\n".join(dead) or f"{count} pages, no dead link: {site}/index.html")
    return bool(dead)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], "--no-reference" not in sys.argv))
