"""The daemon: config, store, runs, plans, write-back and the command line."""
