"""The rule language: what a PMO admin writes, how it is checked, tested, explained and compiled to SQL."""
