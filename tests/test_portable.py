"""What readers import and `make check` collects is there on Windows and macOS too."""

import ast
from collections.abc import Iterator

import pytest
from conftest import ROOT

MODULES = {"crypt", "fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "termios", "tty"}
# Of os and signal.
NAMES = {
    *("fork", "geteuid", "getuid", "killpg", "mkfifo", "mknod", "nice", "setsid", "sysconf"),
    *("uname", "wait4", "ITIMER_REAL", "SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGSTOP"),
    *("SIGUSR1", "SIGXCPU", "SIGXFSZ", "alarm", "pthread_kill", "setitimer"),
}
FILES = sorted(
    path
    for pattern in ("gencomp_*/**/*.py", "tests/*.py", "tools/*.py", "assignments/**/*.py")
    for path in ROOT.glob(pattern)
    if path.name != "test_hub.py"  # a department's machine runs Debian
)


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what runs when a module is imported: all but the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            defaults = [*child.args.defaults, *filter(None, child.args.kw_defaults)]
            for part in [*getattr(child, "decorator_list", []), *defaults]:
                yield from (part, *at_import(part))
        else:
            yield from (child, *at_import(child))


def of_posix_alone(code: str) -> set[str]:
    found = set()
    for node in at_import(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module} & MODULES
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("os", "signal"):
            found |= {node.attr} & NAMES
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_imported_on_every_system(path):
    assert of_posix_alone(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import os, resource", {"resource"}),
        ("try:\n    from fcntl import flock\nexcept ImportError:\n    pass", {"fcntl"}),
        ("@skipif(os.geteuid() != 0)\ndef f(): ...", {"geteuid"}),
        ("def f(how=signal.SIGKILL): ...", {"SIGKILL"}),
        ("def f():\n    import resource\n    os.fork()", set()),
        ("class A:\n    x = os.uname()", {"uname"}),
    ],
)
def test_what_only_posix_has_is_found(code, found):
    assert of_posix_alone(code) == found
