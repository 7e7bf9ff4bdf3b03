"""A loop shows how far it has come, but not in a built book."""

import pytest

from gencomp_utils.progress import building, progress


@pytest.fixture(params=[True, False], ids=["built", "live"])
def built(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param:
        monkeypatch.setenv("GENCOMP_BUILD", "1")
    else:
        monkeypatch.delenv("GENCOMP_BUILD", raising=False)
    return request.param


def test_the_steps_come_through_as_they_are(built):
    assert building() == built
    assert list(progress(iter("abc"), "letters", 3)) == ["a", "b", "c"]


def test_a_bar_is_shown_where_somebody_watches(built, capfd):
    list(progress(range(3), "adding up"))
    assert ("adding up" in "".join(capfd.readouterr())) != built
