"""What ``bench new`` starts a plug-in from: one template for each kind, and a test and a page for all."""
