"""Your tasks: every module of this package is discovered. docs/tasks.md shows how to write one."""
