"""The conformance suite of ``bench check``: what every method must do, tried on a handful of images."""
