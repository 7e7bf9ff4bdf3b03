"""nbgrader, for the teacher."""

from pathlib import Path

from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ComputeChecksums,
    DeduplicateIds,
    LimitOutput,
    LockCells,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
    SaveCells,
)

c = get_config()  # noqa: F821
c.CourseDirectory.root = str(Path.home() / "course")
c.CourseDirectory.db_url = (
    "postgresql+psycopg2:///gradebook?host=/var/run/postgresql&port=@DATABASE_PORT@"
)

# What gencomp-course releases holds no solutions; nbgrader would clear the whole cells.
c.GenerateAssignment.preprocessors = [
    LockCells,
    CheckCellMetadata,
    ComputeChecksums,
    SaveCells,
    CheckCellMetadata,
]
# `nbgrader autograde` runs no student's code: gencomp-course does, and writes the scores. It keeps
# outputs, for the reader, and takes from them and from words what a browser would run.
c.Autograde.sanitize_preprocessors = [
    DeduplicateIds,
    OverwriteKernelspec,
    OverwriteCells,
    CheckCellMetadata,
]
c.Autograde.autograde_preprocessors = [
    ClearMetadataPreprocessor,
    LimitOutput,
    SaveAutoGrades,
    AssignLatePenalties,
    SanitizeHTML,
    CheckCellMetadata,
]
c.SanitizeHTML.enabled = True
