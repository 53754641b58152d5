"""The report: one HTML file that holds a study with all that its numbers rest on."""
