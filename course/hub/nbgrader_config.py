"""nbgrader, for everybody."""

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "gencomp"
c.Exchange.root = "@HUB@/exchange"
