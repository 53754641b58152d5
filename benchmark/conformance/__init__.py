"""The rules that every method keeps, as checks that plug-in authors run too.

A study with one method enters; a finding for each rule leaves.
"""
