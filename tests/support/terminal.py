"""What a terminal of a certain width shows of tables."""

from __future__ import annotations

import io
import re

from ddbench.api.terminal import print_terminal


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(tables, width, monkeypatch, out=None):
    monkeypatch.setenv("COLUMNS", str(width))
    out = out or Terminal()
    print_terminal(tables, out)
    return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())  # colours
