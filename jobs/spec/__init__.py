"""The sweep file as frozen, validated records, one module for each part of it.

Types, ranges, known names and what must agree with what; field descriptions are the reference of the sweep file.
Nothing here reads a file. `jobs.stages` makes the parameters of tasks from the same records.
"""
