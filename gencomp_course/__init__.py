"""Grades a course's assignments: inputs run beside the student's code, expectations stay here."""
