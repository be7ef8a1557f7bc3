"""Mails of accounts: verified addresses, forgotten passwords, invitations, notices. docs/accounts.md describes them."""
