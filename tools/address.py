"""Write the repository's address everywhere; _config.yml is where it is known from."""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UNSET = "-set-me-"
ADDRESS = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+")


def current() -> str:
    """Read the address from _config.yml."""
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    found = re.search(r"^  url: (\S+)$", config, flags=re.MULTILINE)
    if found is None:
        sys.exit("_config.yml has no line '  url: …' below 'repository:'")
    return found[1]


def files() -> list[Path]:
    """List the files that may name the address."""
    named = [
        ROOT / name
        for name in ("_config.yml", "README.md", "CITATION.cff", "gencomp_utils/__init__.py")
    ]
    patterns = "book/**/*.md", "book/**/*.ipynb", "assignments/**/*.ipynb"
    return named + [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", nargs="?", help="https://github.com/ORG/REPO")
    parser.add_argument("--check-set", action="store_true", help="fail while it is not set")
    options = parser.parse_args()
    old = current()
    if options.check_set and UNSET in old:
        sys.exit(f"The address is still {old}: run 'make address URL=https://github.com/ORG/REPO'")
    if options.address is None:
        print(old)
        return
    new = options.address.rstrip("/").removesuffix(".git")
    if not ADDRESS.fullmatch(new):
        sys.exit(f"{options.address!r} is not of the form https://github.com/ORG/REPO")
    # Binder and Colab name the repository without its host.
    pairs = [
        (old, new),
        (old.removeprefix("https://github.com/"), new.removeprefix("https://github.com/")),
    ]
    for path in files():
        text = path.read_text(encoding="utf-8")
        changed = text
        for before, after in pairs:
            changed = changed.replace(before, after)
        if changed != text:
            path.write_text(changed, encoding="utf-8")
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
