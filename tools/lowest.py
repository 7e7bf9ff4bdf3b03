"""Print the lowest version of each dependency that pyproject.toml allows, as pip's constraints."""

import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def dependencies(project: Path) -> list[str]:
    """Read what the package itself depends on."""
    return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]


def main() -> None:
    for dependency in dependencies(PROJECT):
        print(dependency.replace(">=", "=="))


if __name__ == "__main__":
    main()
