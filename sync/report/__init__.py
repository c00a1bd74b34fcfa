"""The report: one set of numbers from the store, and the forms that it takes."""
