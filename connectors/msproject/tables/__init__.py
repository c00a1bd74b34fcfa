"""Task tables: workbooks and CSV files that Project, Planner and people export, read as Project's own records."""
