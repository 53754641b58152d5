"""Search of hyper-parameters on the validation part.

A study and ranges enter; trials, each with its own plan, run on Ray Tune; a record of the search leaves.
"""
