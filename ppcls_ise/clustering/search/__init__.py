"""The k nearest rows of every row."""
