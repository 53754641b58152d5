"""From a study to a graph of stages, each with the key of exactly what it reads.

A ``Study`` enters, or a store whose sets are to be measured; a ``Plan`` leaves, a pure function of them.
"""
