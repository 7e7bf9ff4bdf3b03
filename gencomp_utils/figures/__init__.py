"""The house style of figures and what chapters share; beside it, a module for a chapter's own."""

from gencomp_utils.figures.shared import (
    BLUE,
    CYCLE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    YELLOW,
    bare,
    curves,
    described,
    image_rows,
    level,
    new,
    show_images,
    tile,
)
