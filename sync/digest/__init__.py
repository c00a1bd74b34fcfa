"""The digest: what of a person's work is stuck or without an outcome, at most once a week, by mail or in a chat."""
