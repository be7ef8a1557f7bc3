"""Your handlers of messages: every module of this package is discovered. docs/outbox.md shows how to write one."""
