"""A study as written: YAML and command-line changes enter, checked key by key.

A ``Study`` leaves, whose names are the registered objects with their options, and the words in which keys and records
describe them.
"""
