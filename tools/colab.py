"""Turn the list of what Colab holds into pip's constraints for what the package needs."""

import re
import sys
from pathlib import Path

from lowest import PROJECT, dependencies


def constraints(freeze: str) -> list[str]:
    """Keep the package's own dependencies; a build is named as its release."""
    needed = {re.split(r"[>=]", dependency)[0] for dependency in dependencies(PROJECT)}
    pins = re.findall(r"^([\w.-]+)(?:==| @ \S+/[\w.]+?-)(\d[\d.]*\d)", freeze, flags=re.MULTILINE)
    return [f"{name}=={version}" for name, version in pins if name.lower() in needed]


def main() -> None:
    found = constraints(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if not any(pin.startswith("torch==") for pin in found):
        sys.exit(f"{sys.argv[1]} names no PyTorch: it isn't the list of what Colab holds")
    print("\n".join(found))


if __name__ == "__main__":
    main()
