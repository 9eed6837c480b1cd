"""Tools for contributors, outside the product's package: they write the documentation's tables and pictures."""
