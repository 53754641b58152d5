"""The functions behind the ``bench`` command and ``import ddbench``, which join the harness and ``ddbench.results``.

Studies and stores enter; ``Results`` leave, with methods for tables, frames and figures.
"""
