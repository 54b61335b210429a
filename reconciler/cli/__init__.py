"""The command line: one file per command, the composition root, exit codes in one place."""
