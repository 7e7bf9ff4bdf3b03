"""Ask every address outside that the built pages lead to whether it is still there."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from bs4 import BeautifulSoup

SITE = Path(__file__).resolve().parent.parent / "_build" / "html"
GONE = (404, 410)
# Opened by a click on the site that is not there yet, or that asks for more than a look.
PASSED_OVER = ("https://mybinder.org/", "https://colab.research.google.com/")


def outside(site: Path) -> dict[str, str]:
    """Return each address outside with a page that leads to it."""
    found: dict[str, str] = {}
    for page in sorted(site.rglob("*.html")):
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        for link in soup.select("a[href^=http]"):
            address = str(link["href"]).partition("#")[0]
            if not address.startswith(PASSED_OVER):
                found.setdefault(address, str(page.relative_to(site)))
    return found


def trouble(address: str) -> str | None:
    """Ask three times; return why an address is dead. A host that turns machines away is there."""
    said = ""
    for _ in range(3):
        try:
            answer = requests.get(
                address, timeout=20, stream=True, headers={"User-Agent": "Mozilla/5.0 (link check)"}
            )
        except requests.RequestException as error:
            said = type(error).__name__
            continue
        answer.close()
        if answer.status_code < 500:
            return str(answer.status_code) if answer.status_code in GONE else None
        said = str(answer.status_code)
    return said


def main() -> None:
    site = Path(sys.argv[1]) if sys.argv[1:] else SITE
    pages = outside(site)
    if not pages:
        sys.exit(f"No page in {site} leads outside: make book")
    with ThreadPoolExecutor(8) as pool:
        said = dict(zip(pages, pool.map(trouble, pages), strict=True))
    dead = [f"{pages[link]}: {link} ({why})" for link, why in said.items() if why]
    print(f"{len(pages)} addresses asked, {len(dead)} dead")
    if dead:
        sys.exit("\n".join(dead))


if __name__ == "__main__":
    main()
