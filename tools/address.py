"""Write the repository's address, and the edition that links open, everywhere.

_config.yml is where both are known from.
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+")


EDITION = re.compile(r"main|v\d+\.\d+\.\d+")


def current() -> tuple[str, str]:
    """Read the address and the edition from _config.yml."""
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    found = re.search(r"^  url: (\S+)\n  branch: (\S+)$", config, flags=re.MULTILINE)
    if found is None:
        sys.exit("_config.yml has no lines '  url: …' and '  branch: …' below 'repository:'")
    return found[1], found[2]


def files() -> list[Path]:
    """List the files that may name the address or the edition."""
    patterns = (
        "*.yml", "*.md", "*.cff", "paper/*.md", "book/**/*.md", "book/**/*.ipynb",
        "assignments/**/*.ipynb", "gencomp_utils/__init__.py", "gencomp_utils/notebook.py",
    )  # fmt: skip
    return [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def rewritten(text: str, old: str, new: str, edition: str) -> str:
    """Name another address and another edition in a file's text."""
    # Binder and Colab name the repository without its host, and a clone's folder has its last name.
    before, after = (address.removeprefix("https://github.com/") for address in (old, new))
    name, folder = before.rpartition("/")[2], after.rpartition("/")[2]
    text = re.sub(rf"{re.escape(before)}(?![\w-]|\.\w)", after, text)
    text = re.sub(rf"^cd {re.escape(name)}$", f"cd {folder}", text, flags=re.MULTILINE)
    text = re.sub(
        rf"(^  url: {re.escape(new)}\n  branch: )\S+", rf"\g<1>{edition}", text, flags=re.M
    )
    here = rf"({re.escape(new)}|{{REPOSITORY}})"
    text = re.sub(rf"{here}/(blob|tree)/[\w.-]+/", rf"\1/\2/{edition}/", text)
    pinned = "" if edition == "main" else f"@{edition}"
    return re.sub(rf"(git\+{re.escape(new)})(@[\w.-]+)?", rf"\1{pinned}", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", nargs="?", help="https://github.com/ORG/REPO")
    parser.add_argument("--edition", help="what links open: main, or a release's tag, v1.2.3")
    options = parser.parse_args()
    old, edition = current()
    new = (options.address or old).rstrip("/").removesuffix(".git")
    edition = options.edition or edition
    if not ADDRESS.fullmatch(new):
        sys.exit(f"{options.address!r} is not of the form https://github.com/ORG/REPO")
    if not EDITION.fullmatch(edition):
        sys.exit(f"{options.edition!r} is neither main nor a release's tag like v1.2.3")
    for path in files():
        text = path.read_text(encoding="utf-8")
        changed = rewritten(text, old, new, edition)
        if changed != text:
            path.write_text(changed, encoding="utf-8")
            print(path.relative_to(ROOT))
    print(f"The address is {new}, and links open {edition}.")


if __name__ == "__main__":
    main()
