"""The templates of ``bench new``: a plug-in file for each kind, and its test and page."""
