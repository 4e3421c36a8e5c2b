"""The parameters of every stage, one frozen record each, and the table of stages.

Planning creates these records, task keys are computed from their JSON form, and stages receive them unchanged. They
reuse the records of `jobs.spec`, so that there is one schema for each setting.
"""
