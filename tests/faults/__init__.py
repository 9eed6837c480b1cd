"""Everything that can be wrong with an answer: one table that drives tests and a page of the documentation."""
