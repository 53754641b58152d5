"""Configurations: YAML files and command-line changes enter, checked key by key.

A ``Study`` leaves, in which names are replaced by the registered objects with their options; and the JSON in which keys
and records describe such objects.
"""
