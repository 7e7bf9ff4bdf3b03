"""Pages of feedback: what passed, and where to look. Never what was expected, or any input."""

import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gencomp_course import gradebook
from gencomp_course.assignment import CODE, RUBRIC, WORDS, Assignment
from gencomp_course.course import Course
from gencomp_course.gradebook import Mark, Result

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #ffffff; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0;
  border-bottom: 1px solid #767676; }}
pre {{ white-space: pre-wrap; }}
pre, td {{ overflow-wrap: anywhere; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #eeeeee; background: #121212; }} }}
</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
_STATUS = {
    "provisional": "This mark is provisional: your words are yet to be read.",
    "final": "This mark is final.",
    "unreadable": "Your file could not be read, so there are no points for code yet.",
    "missing": "Nothing was handed in.",
    "look": "The grader failed on your file. A person will look at it.",
}


def page(assignment: Assignment, mark: Mark, result: Result | None) -> str:
    """Write a student's page of feedback."""
    hints = {check.name: check.hint for check in assignment.checks}
    code = "–" if mark.code is None else f"{mark.code} of {CODE}"
    words = "yet to be read" if mark.words is None else f"{mark.words} of {WORDS}"
    body = [
        f"<h1>{_text(assignment.title)}</h1>",
        f"<p>{_text(mark.name or mark.student)}</p>",
        f"<p><strong>{_STATUS[mark.status]}</strong></p>",
        f"<p>Code: {code}. Words: {words}.</p>",
    ]
    if mark.late.days:
        body.append(
            f"<p>Days late: {mark.late.days}. Extension: {mark.late.extension}. Free days used: "
            f"{mark.late.free}. Points taken off: {mark.deduction:g}.</p>"
        )
    if mark.file:
        body.append(f"<p>The file that counts: {_text(mark.file)}</p>")
    if mark.status == "unreadable":
        body.append(f"<p>{_text(mark.note)}.</p>")
    if result and result["problems"]:
        body += ["<h2>Left out</h2>", _list(result["problems"])]
    if result and result["checks"]:
        body.append("<h2>Checks</h2>")
        for function in assignment.functions:
            body += _table(function, result["checks"], hints)
    body += ["<h2>Words</h2>", "<p>Up to two points a line, each counting five:</p>", _list(RUBRIC)]
    return _PAGE.format(title=_text(f"{assignment.title}: feedback"), body="\n".join(body))


def _table(
    function: str, checks: Iterable[Mapping[str, str]], hints: Mapping[str, str]
) -> list[str]:
    rows = [
        f'<tr><th scope="row">{_text(check["name"])}</th>'
        f"<td>{check['points']} of {check['of']}</td><td>{_comment(check, hints)}</td></tr>"
        for check in checks
        if check["function"] == function
    ]
    head = (
        '<thead><tr><th scope="col">Check</th><th scope="col">Points</th>'
        '<th scope="col">What to look at</th></tr></thead>'
    )
    title = f"<h3><code>{_text(function)}</code></h3>"
    return [title, f"<table>{head}<tbody>", *rows, "</tbody></table>"]


def _comment(check: Mapping[str, str], hints: Mapping[str, str]) -> str:
    if check["points"] == check["of"]:
        return "Passed."
    hint = hints.get(check["name"], "")
    why = check["why"]
    return _text(f"{why[:1].upper()}{why[1:]}. {hint}".strip())


def _text(text: str) -> str:
    return html.escape(str(text))


def _list(texts: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{_text(text)}</li>" for text in texts) + "</ul>"


def write_pages(
    course: Course, assignment: Assignment, table: Sequence[Mark], results: Mapping[str, Result]
) -> Path:
    """Write a page for each student; return their folder."""
    folder = course.grades(assignment.slug) / "feedback"
    for mark in table:
        text = page(assignment, mark, results.get(mark.student))
        gradebook.write(folder / f"{gradebook.key(mark.student)}.html", text)
    return folder


def write_reading(
    course: Course,
    assignment: Assignment,
    results: Mapping[str, Result],
    released: Sequence[str],
) -> Path:
    """Write the page of all words that are to be read; say where."""
    body = [
        f"<h1>{_text(assignment.title)}: to be read</h1>",
        "<p>Points go into words.csv: 0, 1 or 2 a line of the rubric.</p>",
        _list(f"{name}: {line}" for name, line in zip(gradebook.LINES, RUBRIC, strict=True)),
    ]
    for student, result in sorted(results.items()):
        body.append(f"<h2>{_text(student)}</h2>")
        words = gradebook.words_of(result, released)
        body += [f"<pre>{_text(text)}</pre>" for text in words] or ["<p>No words.</p>"]
    path = course.grades(assignment.slug) / "to-read.html"
    gradebook.write(
        path, _PAGE.format(title=_text(f"{assignment.title}: to be read"), body="\n".join(body))
    )
    return path
