"""Which statements of a notebook are run: those that the asked functions need. In the child only.

Students delete and copy cells, lose their ids, leave a cell half finished, and try their functions
out everywhere. So the rule asks neither ids nor tags, and is the same in Colab and JupyterLab. Of
all code cells, from top to bottom as after *Restart and run all*, are run:

1. imports;
2. what binds or changes a name that an asked function needs, directly or through others;
3. what binds no name, such as ``torch.set_default_dtype(torch.float64)``, and needs none but these;

but nothing that only tries an asked function out: experiments and figures cost no time and can't
fail here. Of a function defined twice, the last counts. A cell that isn't Python, and a statement
that raises, are left out, told to the student, and stop nothing else.
"""

import ast
import builtins
import re
import symtable
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_MAGIC = re.compile(r"^([ \t]*)[%!].*$", re.MULTILINE)


@dataclass(eq=False)
class _Statement:
    """A top-level statement, the names that it binds or changes, and those that it needs."""

    node: ast.stmt
    cell: str
    binds: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    needs: set[str] = field(default_factory=set)
    imports: bool = False


def run(cells: Sequence[str], functions: Sequence[str], namespace: types.ModuleType) -> list[str]:
    """Run what the functions need; return what was left out, in words for the student.

    Parameters
    ----------
    cells
        Source of each code cell, top to bottom; a ``.py`` file is one cell.
    functions
        Names of the asked functions.
    namespace
        Where the statements run.
    """
    problems: list[str] = []
    statements = list(_statements(cells, problems))
    for statement in _chosen(statements, set(functions)):
        module = ast.Module([statement.node], [])
        try:
            exec(compile(module, statement.cell, "exec"), namespace.__dict__)
        except BaseException as error:
            place = f"{statement.cell}, line {statement.node.lineno}"
            problems.append(f"{place}: {describe(error)}")
    return problems


def describe(error: BaseException) -> str:
    """Name an error, with the beginning of its message, whatever class of a student's it is.

    Examples
    --------
    >>> describe(KeyError("a"))
    "KeyError: 'a'"
    """
    name = type(error).__name__[:60]
    try:
        message = "".join(str(error).split("\n")[:1])[:120]
    except BaseException:
        message = ""
    return f"{name}: {message}" if message else name


def _statements(cells: Sequence[str], problems: list[str]) -> Iterator[_Statement]:
    for number, source in enumerate(cells, 1):
        name = f"cell {number}" if len(cells) > 1 else "the file"
        if source.lstrip().startswith("%%"):
            continue
        try:
            nodes = ast.parse(_MAGIC.sub(r"\1pass", source)).body
            yield from [_read(node, name) for node in nodes]
        except SyntaxError as error:
            problems.append(f"{name}, line {error.lineno}: this isn't Python")
        except (ValueError, RecursionError, MemoryError):
            problems.append(f"{name}: this can't be read")


def _read(node: ast.stmt, cell: str) -> _Statement:
    statement = _Statement(node, cell)
    table = symtable.symtable(ast.unparse(node), cell, "exec")
    for symbol in table.get_symbols():
        if symbol.is_assigned() or symbol.is_imported():
            statement.binds.add(symbol.get_name())
        if symbol.is_referenced():
            statement.needs.add(symbol.get_name())
    statement.needs |= _globals_inside(table)
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import | ast.ImportFrom):
            statement.imports |= isinstance(node, ast.Import | ast.ImportFrom | ast.Try | ast.If)
        if isinstance(inner, ast.Attribute | ast.Subscript):
            root: ast.expr = inner
            while isinstance(root, ast.Attribute | ast.Subscript):
                root = root.value
            if isinstance(root, ast.Name):  # a method may change it, as an assignment does
                statement.changes.add(root.id)
    return statement


def _globals_inside(table: symtable.SymbolTable) -> set[str]:
    names = set()
    for inner in table.get_children():
        names |= {s.get_name() for s in inner.get_symbols() if s.is_global()}
        names |= _globals_inside(inner)
    return names


def _chosen(statements: Sequence[_Statement], functions: set[str]) -> list[_Statement]:
    needed = set(functions)
    while True:
        serving = [s for s in statements if _serves(s, needed, functions)]
        more = needed.union(*(s.needs for s in serving))
        if more == needed:
            break
        needed = more
    known = set(dir(builtins)).union(*(s.binds for s in serving))
    return [
        s
        for s in statements
        if s in serving or (not s.binds and not s.needs & functions and s.needs <= known)
    ]


def _serves(statement: _Statement, needed: set[str], functions: set[str]) -> bool:
    if statement.imports or statement.binds & needed:
        return True
    return bool(statement.changes & needed) and not statement.needs & functions
