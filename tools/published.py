"""What the theme leaves out of a published site: a Sphinx extension, named in _config.yml.

The root page is index.html itself; each page says what it is about, with a picture, and where it is
found; there are a site map and a page for addresses that lead nowhere; and what no page ever loads
isn't published.
"""

import base64
import html
import io
import itertools
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.config import Config

CARD = (1200, 630)  # pixels of the picture that goes with a link
MARGIN = 30
SHORTEST, LONGEST = 60, 200  # characters of a description
IMAGE = re.compile(r'<img src="data:image/png;base64,([^"]+)" alt="([^"]*)"')
FIGURE = re.compile(r'<div class="gencomp-(?:figure gencomp-player|live)"[^>]* id="([^"]+)"')
SENTENCE_END = re.compile(r".*[.?!](?=\s|$)")
VIEWPORT = re.compile(r'<meta [^>]*name="viewport"[^>]*/?>')
# What in a page's body is put otherwise. A table's empty corner heads nothing, an entry's role is
# one that browsers have given up, a definition's title stands a thousand times on the page of the
# package, whose limit is a megabyte, and no line begins with what ends a short formula.
BODY = {
    re.compile(r'<th class="head[^"]*"><p></p></th>'): "<td></td>",
    re.compile(r' role="doc-biblioentry"'): "",
    re.compile(r' title="Link to this definition"'): "",
    re.compile(
        r'[(“]?<span class="math notranslate nohighlight">[^<]{1,60}</span>'
        r"(?:[’'][a-z]+|[.,;:!?)”…]+)"
    ): r'<span class="together">\g<0></span>',
}
RELATIVE = re.compile(r'\b(href|src|action|data-content_root)="(?!#|[a-z]+:)([^"]*)"')
# What no page loads: sources of scripts, older forms of fonts, other editions of MathJax and of its
# spoken words, translations that the theme has built in, and icons drawn by a script.
SUPERFLUOUS = (
    "**/*.map",
    "**/*.ttf",
    "locales",
    "*webpack-macros.html",
    "scripts/fontawesome.js*",
    "mathjax/[clmns]*.js",
    "mathjax/tex-[ms]*.js",
    "mathjax/tex-chtml-*.js",
    "mathjax/adaptors",
    "mathjax/input/asciimath*",
    "mathjax/sre/mathmaps/*",
)
NEEDED = ("mathjax/sre/mathmaps/base.json", "mathjax/sre/mathmaps/en.json")


class Builder(StandaloneHTMLBuilder):
    """Pages as HTML, the root page where a site begins."""

    def get_target_uri(self, docname: str, typ: str | None = None) -> str:
        return super().get_target_uri("index" if docname == self.config.root_doc else docname, typ)

    def get_outfilename(self, pagename: str) -> str:
        return super().get_outfilename("index" if pagename == self.config.root_doc else pagename)


def find_address(app: Sphinx, config: Config) -> None:
    """Derive where the site is published from where the repository is, unless _config.yml says."""
    owner, name = urlsplit(config.html_theme_options["repository_url"]).path.strip("/").split("/")
    config.html_baseurl = config.html_baseurl or f"https://{owner.lower()}.github.io/{name}/"


def describe(document: nodes.document) -> str:
    """Return the page's first sentences, before the first formula and no more than are read."""
    words = ""  # a page may have no paragraph
    for paragraph in document.findall(nodes.paragraph):
        if not isinstance(paragraph.parent, nodes.section):
            continue
        plain = itertools.takewhile(lambda part: not isinstance(part, nodes.math), paragraph)
        words = " ".join("".join(part.astext() for part in plain).split())
        if paragraph.next_node(nodes.math):
            words = words[: SENTENCE_END.search(words).end()] if SENTENCE_END.search(words) else ""
        if len(words) >= SHORTEST and not isinstance(paragraph[0], nodes.strong):
            break
    if len(words) <= LONGEST:
        return words
    end = words.rfind(". ", SHORTEST, LONGEST) + 1
    return words[:end] if end else words[: words.rfind(" ", 0, LONGEST)] + " …"


def draw_card(png: bytes, file: Path) -> None:
    """Write a figure as large as fits onto the paper that is shown with a link."""
    with Image.open(io.BytesIO(png)) as figure:
        ratio = min((side - 2 * MARGIN) / of for side, of in zip(CARD, figure.size, strict=True))
        size = [round(side * ratio) for side in figure.size]
        drawn = figure.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    card = Image.new("RGB", CARD, "white")
    card.paste(drawn, ((CARD[0] - size[0]) // 2, (CARD[1] - size[1]) // 2))
    file.parent.mkdir(parents=True, exist_ok=True)
    card.quantize(64, dither=Image.Dither.NONE).save(file, optimize=True)


def describe_page(
    app: Sphinx, pagename: str, template: str, context: dict[str, Any], document: nodes.document
) -> None:
    """Tell the page's template what it is about; load nothing before the text that can wait."""
    context["metatags"] = VIEWPORT.sub("", context.get("metatags", ""))
    context["pageurl"] = urljoin(app.config.html_baseurl, app.builder.get_target_uri(pagename))
    if pagename == app.config.root_doc:
        context["pageurl"] = app.config.html_baseurl
    elif pagename == "404":
        context["pageurl"] = None

    scripts = {
        (file.filename, file.attributes.get("body")): file for file in context["script_files"]
    }
    for (name, body), file in list(scripts.items()):
        if "thebe" in f"{name}{body}":
            del scripts[name, body]
        elif name and "documentation_options" not in str(name) and "async" not in file.attributes:
            file.attributes["defer"] = "defer"
    context["script_files"] = list(scripts.values())

    for group in context["header_buttons"]:
        if group.get("label") == "download-buttons":
            group["buttons"] = [b for b in group["buttons"] if b["type"] == "link"] + [
                {
                    "type": "javascript",
                    "javascript": f"printPage({str(solutions).lower()})",
                    "text": f"print, {words} solutions",
                    "icon": "fas fa-print",
                }
                for solutions, words in ((True, "with"), (False, "without"))
            ]

    if document is not None:
        for pattern, instead in BODY.items():
            context["body"] = pattern.sub(instead, context["body"])
        owner = pagename
        moving = FIGURE.search(context["body"])
        context["figure"] = moving and moving[1]
        found = IMAGE.search(context["body"])
        if found:
            draw_card(base64.b64decode(found[1]), card_file(app, pagename))
        else:
            owner = app.config.root_doc
        context["card"] = {
            "description": describe(document),
            "picture": urljoin(app.config.html_baseurl, f"_images/cards/{owner}.png"),
            "alt": html.unescape(found[2]) if found else "",
        }


def card_file(app: Sphinx, pagename: str) -> Path:
    """Return where a page's picture is kept."""
    return Path(app.outdir, "_images", "cards", f"{pagename}.png")


def finish(app: Sphinx, error: Exception | None) -> None:
    """Write what belongs to no page, and remove what none loads."""
    if error or not isinstance(app.builder, Builder):
        return
    out, address, home = Path(app.outdir), app.config.html_baseurl, app.config.root_doc
    addresses = [
        address if page == home else urljoin(address, app.builder.get_target_uri(page))
        for page in sorted(app.env.found_docs)
    ]
    entries = "".join(f"<url><loc>{html.escape(page)}</loc></url>\n" for page in addresses)
    (out / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{entries}</urlset>\n',
        encoding="utf-8",
    )
    # It is shown at whatever address leads nowhere, so its links can't be relative.
    lost = out / "404.html"
    text = lost.read_text(encoding="utf-8")
    lost.write_text(
        RELATIVE.sub(lambda found: f'{found[1]}="{urljoin(address, found[2])}"', text),
        encoding="utf-8",
    )
    # A search names pages by their sources.
    index = out / "searchindex.js"
    names = index.read_text(encoding="utf-8").replace(f'"{home}"', '"index"')
    index.write_text(names, encoding="utf-8")
    needed = {out / "_static" / name for name in NEEDED}
    for pattern in SUPERFLUOUS:
        for path in set((out / "_static").glob(pattern)) - needed:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_builder(Builder, override=True)
    app.connect("config-inited", find_address)
    app.connect("html-page-context", describe_page, priority=900)
    app.connect("build-finished", finish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
