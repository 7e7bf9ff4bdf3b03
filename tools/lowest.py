"""Print the lowest version of each dependency that pyproject.toml allows, as pip's constraints."""

import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def main() -> None:
    for dependency in tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]:
        print(dependency.replace(">=", "=="))


if __name__ == "__main__":
    main()
