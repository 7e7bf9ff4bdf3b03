"""Say whether the book may be published as a release, and print the release's notes."""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from address import ROOT, current

import gencomp_utils

UNSET = "-set-me-"
STAND_IN = "images use a stand-in"


def notes(version: str) -> str:
    """Return what CHANGELOG says of a version, or nothing while that is unreleased."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(
        rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)\n(.+?)(?=^## |\Z)", changes, re.M | re.S
    )
    return found[1].strip() if found else ""


def troubles(tag: str) -> Iterator[str]:
    """Yield what stands against publishing the tag, each with what mends it."""
    address, edition = current()
    version = gencomp_utils.__version__
    if UNSET in address:
        yield f"The address is still {address}: make address URL=https://github.com/ORG/REPO"
    if edition != tag:
        yield f"Links open {edition}, and not this edition: make address EDITION={tag}"
    if tag != f"v{version}":
        yield f"The tag is {tag}, but gencomp_utils is {version}: tag v{version}"
    if not notes(version):
        yield f"CHANGELOG.md has no dated section: begin it with '## {version} (YYYY-MM-DD)'"


def stand_ins(site: Path) -> Iterator[str]:
    """Yield each built page that shows the stand-in in place of MNIST."""
    pages = sorted(site.rglob("*.html"))
    if not pages:
        yield f"There is no book in {site}: make book"
    for page in pages:
        if "_modules" not in page.parts and STAND_IN in page.read_text(encoding="utf-8"):
            yield f"{page.relative_to(site)} shows the stand-in in place of MNIST"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tag", help="v1.2.3")
    parser.add_argument("--site", type=Path, help="look into the built pages too")
    options = parser.parse_args()
    found = [*troubles(options.tag), *(stand_ins(options.site) if options.site else ())]
    if found:
        sys.exit("\n".join(found))
    print(notes(gencomp_utils.__version__))


if __name__ == "__main__":
    main()
