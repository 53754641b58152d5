"""The ``bench`` command: one verb a file. The only place that knows every other package."""
