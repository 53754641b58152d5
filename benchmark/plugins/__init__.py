"""What can be named and where it is from: entry points, decorated files, the templates of `bench new`.

Names enter; registered objects leave, or the reason why one cannot be imported.
"""
