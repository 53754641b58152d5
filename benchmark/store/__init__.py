"""The results store, in a folder or a bucket: artifacts by key, immutable records, leases.

What is written is never changed; artifacts are checked against their digests whenever they are read.
"""
