"""E-mails of accounts: address verification, password resets, invitations, notices. See docs/accounts.md."""
