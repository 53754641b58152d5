"""Carrying out a plan: one scheduling loop, one small backend for each place where stages can run.

A ``Plan`` and a store enter; a ``Summary`` of what ran, failed or was there already leaves, and observers are told.
"""
