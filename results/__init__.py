"""From records to statistics, tables and pictures."""
