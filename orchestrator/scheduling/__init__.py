"""The policies that the machine decides by, each a pure function or a small record of what was seen.

None of them knows a clock, a disk or a cluster: times, outcomes and nodes are told to them.
"""
