"""Running one stage, in whatever process an executor chose.

A ``Stage`` and a store enter; an artifact or a record is in the store afterwards, and a ``StageResult`` leaves.
"""
