"""The harness: configuration, plan, store, execution and the ``bench`` command."""
