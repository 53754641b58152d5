"""The report: one HTML file with the results of a study and the records behind every number."""
