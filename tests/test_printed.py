"""Two built books are compared by the numbers that they print."""

import sys

import printed

PAGE = """<article><h1>Codes</h1>
<div class="cell_input"><pre>k = {code}</pre></div>
<p>A mean of <strong>{mean}</strong> nats, at −0.5.</p>
<table><tr><th>epoch</th><th>loss</th></tr><tr><td>7</td><td>{loss}</td></tr></table>
<div class="output"><pre>step 1: {step}
step 2: 0.25</pre></div>{more}</article>"""
OLD = {"code": 1, "mean": 1.25, "loss": "1,024.5", "step": "1e-16", "more": ""}


def compared(tmp_path, monkeypatch, capsys, **change):
    for name, values in {"old": OLD, "new": OLD | change}.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "page.html").write_text(PAGE.format(**values), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["printed.py", str(tmp_path / "old"), str(tmp_path / "new")])
    printed.main()
    return capsys.readouterr().out.splitlines()


def test_books_that_print_the_same_have_no_difference(tmp_path, monkeypatch, capsys):
    said = compared(tmp_path, monkeypatch, capsys, code=2)
    assert said == [
        "4 lines the same, 0 with other numbers; 0 in the old book alone, 0 in the new one"
    ]


def test_each_number_that_differs_is_shown_with_its_line(tmp_path, monkeypatch, capsys):
    said = compared(tmp_path, monkeypatch, capsys, mean=1.26, loss="1,024.6", step="2e-16")
    assert said == [
        "- A mean of 1.25 nats, at -0.5.",
        "+ A mean of 1.26 nats, at -0.5.",
        "- epoch | loss :: 7 | 1,024.5",
        "+ epoch | loss :: 7 | 1,024.6",
        "- step 1: 1e-16",
        "+ step 1: 2e-16",
        "1 lines the same, 3 with other numbers; 0 in the old book alone, 0 in the new one",
    ]


def test_a_line_with_new_words_is_counted(tmp_path, monkeypatch, capsys):
    said = compared(tmp_path, monkeypatch, capsys, more="<p>A minimum of 0.5 nats.</p>")
    assert said[-1].endswith("0 in the old book alone, 1 in the new one")
