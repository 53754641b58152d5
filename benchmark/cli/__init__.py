"""The ``bench`` command, a verb a file: options are parsed, ``ddbench.api`` is called, results are printed."""
