"""Searching hyper-parameters on the validation part: ranges, proposals, trials and the record of a search."""
