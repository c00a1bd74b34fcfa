"""Stand-ins for the tools, each with a back door by which a test acts as the people who use it."""
