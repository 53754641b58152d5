"""Plug-ins: registration by entry point, decorator or file, and the templates of `bench new`.

Names enter; registered objects leave, or the reason why one cannot be imported.
"""
