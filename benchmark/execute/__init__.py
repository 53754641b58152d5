"""Walking a plan: one scheduling loop, one small backend for each place where stages can run."""
