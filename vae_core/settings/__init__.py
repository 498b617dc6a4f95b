"""Every choice a user has: name, default, bounds, title and help text. Never imports torch.

May import: basics.
"""
