"""Your handlers of messages: every module here is found by being here. docs/outbox.md shows how to write one."""
