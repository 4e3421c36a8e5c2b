"""What each stage is told: one frozen record of parameters for each, and one table of the stages.

Planning makes these records, task keys are made of their JSON form, and stages get them as they are. They are built of
the records of `jobs.spec`: what a sweep file was checked by is what workers use.
"""
