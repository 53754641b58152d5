"""The results store, in a folder or a bucket: artifacts by key, immutable records, leases.

Bytes and records enter once and are never changed; they leave checked against their digests.
"""
