"""A plug-in owns only itself: state of the process and attributes of the harness are compared around its code.

State that it changed is put back and told by name; a part of the harness that it replaced is put back and refused.
"""
