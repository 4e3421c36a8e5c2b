"""The schema of the sweep file: frozen, validated records, one module for each part.

Field descriptions become the reference in `docs/sweep-file.md`. Pure: no file is read. `jobs.stages` builds the
parameters of tasks from the same records.
"""
