"""Where results go: files, links, and what is no file."""

import os
import threading

from ddbench.api.files import write_file


def test_a_file_behind_a_link_is_written_and_the_link_stays(tmp_path):
    link = tmp_path / "link.html"
    link.symlink_to(tmp_path / "folder" / "page.html")
    write_file(link, b"first")
    write_file(link, b"second")
    assert link.is_symlink()
    assert (tmp_path / "folder" / "page.html").read_bytes() == b"second"


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_file(pipe, b"page")
    reader.join()
    assert got == [b"page"]
    assert pipe.is_fifo()
