"""Valkey or Redis: counts and users that all processes share. docs/cache.md describes it."""
