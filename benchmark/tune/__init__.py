"""Search of hyper-parameters on the validation part.

A study and ranges enter; trials, each a plan of its own, run on Ray Tune, and a record of the search leaves.
"""
