"""The one exception that means: the person at the other end can mend this."""


class UserError(ValueError):
    """A mistake in what was asked for: the message is one line that says what, where, and what to do.

    The command line prints it on standard error and exits with code 2; in Python it is a `ValueError`.
    """
