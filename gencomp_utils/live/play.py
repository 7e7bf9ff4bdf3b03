"""The live game, on a line and on a ring."""

from gencomp_utils.figures import live_game as draw
from gencomp_utils.live import core


def game(preset: str = "equal") -> None:
    """Display the game (3), which is played in the page, with its value and the exact divergence.

    Parameters
    ----------
    preset
        The settings that it opens with. On the line, ``"equal"`` speeds; ``"half"``, a D so slow
        that V comes to −log 4 while the samples are far off; ``"plateau"``, samples far from the
        data and a strong D, where the saturating loss stands still. On the ring of eight modes,
        ``"speeds"``, a slow G that finds them all; ``"lost"``, a fast one that loses them;
        ``"intro"``, the slow one with few controls, which begins by itself.

    Raises
    ------
    ValueError
        If there is no such preset.

    Examples
    --------
    >>> from unittest import mock
    >>> with mock.patch.dict("os.environ", GENCOMP_BUILD="1"):
    ...     game("half")
    <IPython.core.display.HTML object>
    """
    known = [*draw.PRESETS, "intro"]
    if preset not in known:
        raise ValueError(f"preset is {preset!r}, but must be one of {', '.join(known)}")
    plain = preset == "intro"
    name = "speeds" if plain else preset
    settings = {"preset": name, "plain": plain}
    core.embed("game", draw.poster(draw.PRESETS[name]), settings, ("exact", "game", "play"))
