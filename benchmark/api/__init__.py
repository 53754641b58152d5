"""What ``bench`` and ``import ddbench`` do: the place where the harness and results meet.

Studies and stores enter; results leave, as objects that know their tables, frames and figures.
"""
