"""One module a command: parse, call the stages, print, choose the exit code."""
