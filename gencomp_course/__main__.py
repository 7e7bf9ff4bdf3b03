"""``python -m gencomp_course``: the same as the command ``gencomp-course``."""

from gencomp_course.cli import main

if __name__ == "__main__":
    main()
