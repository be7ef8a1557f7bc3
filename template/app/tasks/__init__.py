"""Your tasks: every module here is found by being here. docs/tasks.md shows how to write one."""
